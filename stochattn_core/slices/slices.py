"""Slices of the values of an ensemble: by lead time, region, season, hour, forecast and predicted spread.

A value is one target of one case. A partition gives each value a label: the number of the slice that holds it, or NOWHERE.

A slice by the forecast or by the predicted spread must not be chosen by the members that are scored. Among the values with the smallest
spread of M members, the spread is smaller than its expectation by chance, and the error is not: a perfect ensemble looks too narrow there.
In the same way the mean of M members regresses where it is high. The members are therefore split in two halves, A and B. Half A gives
the label, half B is scored, and then the two change places. Given the state of the system, the members and the target are independent draws, so
that the label of A tells nothing about the chance errors of B, and a perfect ensemble is calibrated in every slice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from stochattn_core.datasets.time_step import TimeStep
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.regions import REGIONS, Region

NOWHERE = -1
MOST_LEADS = 12  # slices by lead time; more lead times are grouped
SEASONS = ("December to February", "March to May", "June to August", "September to November")
HOURS = ("hours 0 to 5", "hours 6 to 11", "hours 12 to 17", "hours 18 to 23")
THIRDS = ("lowest third", "middle third", "highest third")
ORDINALS = ("smallest", "second smallest", "third smallest", "fourth smallest", "fifth smallest")
TENTHS = (*ORDINALS, *(ordinal.replace("smallest", "largest") for ordinal in reversed(ORDINALS)))
FIFTHS = ("smallest", "second smallest", "middle", "second largest", "largest")


@dataclass(frozen=True)
class Slice:
    """A part of the values, or the values that several parts share.

    kinds: the partitions it belongs to.   labels: its label in each of them.   names: what a person reads.   leads: the lead times that
    it holds, as in the ensemble, () for all.   region: None for everywhere.
    """

    kinds: tuple[str, ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    leads: tuple[int, ...] = ()
    region: Region | None = None

    @property
    def name(self) -> str:
        return ", ".join(self.names)

    @property
    def is_whole(self) -> bool:
        """Whether all members are scored: slices by forecast or spread score one half of them."""
        return not set(self.kinds) & set(BY_HALVES)

    def __and__(self, other: Slice) -> Slice:
        """The values that both hold."""
        region = self.region if self.region is not None else other.region
        return Slice(self.kinds + other.kinds, self.labels + other.labels, self.names + other.names, self.leads or other.leads, region)

    def contains(self, other: Slice) -> bool:
        """Whether the definition of this slice is a part of the definition of the other."""
        return set(zip(self.kinds, self.labels, strict=True)) <= set(zip(other.kinds, other.labels, strict=True))


@dataclass(frozen=True, eq=False)
class Partition:
    """Disjoint slices of one kind.

    labels: broadcasts to (case, element), the elements of an event in one row; None where the members give the label.
    edges: (edge, 1) or (edge, element), ascending on axis 0, the bounds of such labels; an edge belongs to the slice above.
    """

    kind: str
    slices: tuple[Slice, ...]
    labels: np.ndarray | None = None
    edges: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))

    def labels_of(self, values: np.ndarray) -> np.ndarray:
        """Return the label of each value by the edges: (case, element) to (case, element)."""
        return sum((values >= edge).astype(np.int64) for edge in self.edges) + np.zeros(values.shape, dtype=np.int64)


BY_HALVES = ("forecast", "spread", "spread in fifths")  # the kinds whose labels come from one half of the members


def partition(
    kind: str, names: Sequence[str], labels: np.ndarray | None = None, edges: np.ndarray | None = None, **more: Sequence
) -> Partition:
    """Return a partition with one slice for each name. more: leads and regions of the slices, one entry each."""
    leads, regions = more.get("leads", [()] * len(names)), more.get("regions", [None] * len(names))
    slices = tuple(Slice((kind,), (label,), (name,), tuple(leads[label]), regions[label]) for label, name in enumerate(names))
    return Partition(kind, slices, labels, np.zeros((0, 1)) if edges is None else edges)


def fixed_partitions(ensemble: Ensemble) -> list[Partition]:
    """Return the partitions that do not depend on the members: lead time, region, season, hour; only those with two slices or more.

    A cell belongs to the region that holds its centre. Seasons are three months of the calendar, the same on both hemispheres. The hour is
    that of the valid time, and is used where the valid times differ in it.
    """
    found = [_by_lead(ensemble), _by_region(ensemble), *_by_calendar(ensemble)]
    return [each for each in found if each is not None and len(each.slices) > 1]


def _in_rows(ensemble: Ensemble, values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Return values that stand along some axes of the target as an array that broadcasts to (case, element). axes: of the target, ascending."""
    shape = [length if axis in axes else 1 for axis, length in enumerate(ensemble.target.shape)]
    n_case = shape[0]
    return np.broadcast_to(values.reshape(shape), (n_case, *ensemble.target.shape[1:])).reshape(n_case, -1)


def _lead_axis(ensemble: Ensemble) -> int | None:
    return ensemble.dims.index("lead_time") if "lead_time" in ensemble.dims else None


def _by_lead(ensemble: Ensemble) -> Partition | None:
    axis, leads = _lead_axis(ensemble), ensemble.lead_time
    if axis is None or len(leads) < 2:
        return None
    groups = np.array_split(np.arange(len(leads)), min(MOST_LEADS, len(leads)))
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    step = ensemble.step
    return partition(
        "lead time",
        [_leads_name(step, [leads[place] for place in group]) for group in groups],
        _in_rows(ensemble, labels, (axis,)),
        leads=[tuple(leads[place] for place in group) for group in groups],
    )


def _leads_name(step: TimeStep, leads: Sequence[int]) -> str:
    return f"lead {step.lead_text(leads[0])}" if len(leads) == 1 else f"leads {step.leads_text(leads[0], leads[-1])}"


def _by_region(ensemble: Ensemble) -> Partition | None:
    if not ensemble.latitude:
        return None
    latitude, is_map = np.asarray(ensemble.latitude), bool(ensemble.longitude)
    labels = np.full(len(latitude), NOWHERE)
    regions = [
        region for key, region in REGIONS.items() if key != "globe" and ((region.south <= latitude) & (latitude <= region.north)).any()
    ]
    for label, region in enumerate(regions):  # each of them goes once around the globe
        labels[(region.south <= latitude) & (latitude <= region.north)] = label
    axis = ensemble.target.ndim - (2 if is_map else 1)
    names = [region.label for region in regions]
    return partition("region", names, _in_rows(ensemble, labels, (axis,)), regions=regions)


def _by_calendar(ensemble: Ensemble) -> list[Partition]:
    times = ensemble.valid_times
    if times is None or not np.issubdtype(times.dtype, np.datetime64):
        return []
    axis = _lead_axis(ensemble)
    if times.ndim == 2 and axis is None:
        if times.shape[1] > 1:
            return []
        times = times[:, 0]
    flat = pd.DatetimeIndex(times.ravel())
    axes = (0,) if times.ndim == 1 or axis is None else (0, axis)
    season, hour = np.asarray(flat.month) % 12 // 3, np.asarray(flat.hour) // 6
    found = [_present("season", SEASONS, season, ensemble, axes)]
    if len(np.unique(np.asarray(flat.hour))) > 1:
        found.append(_present("hour", HOURS, hour, ensemble, axes))
    return found


def _present(kind: str, names: Sequence[str], labels: np.ndarray, ensemble: Ensemble, axes: tuple[int, ...]) -> Partition:
    """Return the partition with only the slices that have a value."""
    used, labels = np.unique(labels, return_inverse=True)
    return partition(kind, [names[label] for label in used], _in_rows(ensemble, labels, axes))


def forecast_partition(means: np.ndarray, units: str, *, by_element: bool) -> Partition | None:
    """Return the thirds of the forecast. means: (value, element), means of halves of the members.

    by_element: thirds at each element by itself, for maps, where one third of all values would be a belt of the globe.
    None where values are tied so often that the thirds differ in size.
    """
    edges = np.quantile(means, [1 / 3, 2 / 3], axis=0 if by_element else None).reshape(2, -1)
    if not _tells_apart(means, edges):
        return None
    if by_element:
        names = [f"{third} of the forecasts of each place" for third in THIRDS]
    else:
        names = [f"{third} of the forecast ({bounds})" for third, bounds in zip(THIRDS, _bounds_text(edges[:, 0], units), strict=True)]
    return partition("forecast", names, edges=edges)


def spread_partition(variances: np.ndarray, units: str, names: Sequence[str] = TENTHS) -> Partition | None:
    """Return the tenths of the predicted spread, or the fifths (names=FIFTHS). variances: of halves of the members, any shape.

    The edges are variances; the text gives standard deviations. None where values are tied so often that the parts differ in size.
    """
    edges = np.quantile(variances, np.arange(1, len(names)) / len(names)).reshape(-1, 1)
    if not _tells_apart(variances, edges):
        return None
    kind, part = {10: ("spread", "tenth"), 5: ("spread in fifths", "fifth")}[len(names)]
    bounds = _bounds_text(np.sqrt(edges[:, 0]), units)
    return partition(kind, [f"{name} {part} of the spread ({bound})" for name, bound in zip(names, bounds, strict=True)], edges=edges)


def _tells_apart(values: np.ndarray, edges: np.ndarray) -> bool:
    """Whether about as many values lie between each two edges."""
    labels = sum((values >= edge).astype(np.int64) for edge in edges)
    share = np.bincount(np.ravel(labels), minlength=len(edges) + 1) / values.size
    return bool((np.abs(share * (len(edges) + 1) - 1) < 0.25).all())


def _bounds_text(edges: np.ndarray, units: str) -> list[str]:
    texts, unit = [f"{edge:.3g}".replace("-", "−") for edge in edges], f" {units}" if units and units != "1" else ""
    inner = [f"{low} to {high}{unit}" for low, high in itertools.pairwise(texts)]
    return [f"below {texts[0]}{unit}", *inner, f"above {texts[-1]}{unit}"]
