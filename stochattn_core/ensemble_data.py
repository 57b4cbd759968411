"""An ensemble as data: the members beside the target, with their coordinates, and the statistics over the members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.time_step import TimeStep
from stochattn_core.metrics import Statistics, cell_area_weights, finite_size_factor
from stochattn_core.metrics.statistics import coarser

# Sums of one element are about as many numbers as 3 ranks a member; at most this many numbers are held for all blocks and elements.
MOST_SUMS, SUMS_PER_RANK = 2**24, 3
LEAST_BLOCKS = 8


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Forecasts of one part of a dataset, beside the target that came true.

    members: (member, case, *event), finite, memory-mapped where large.
    target, plain: (case, *event); plain is the one forecast of the plain model. A target may be NaN where it is missing.
    lead_time: in steps of lead_unit.   valid_time: (case, lead_time), or (case,) without lead times: the times of the targets, None where
    they are not given.
    index: (case,) as in Split.   block: (case,) whole numbers from 0, in the order of time; cases of one block depend on one another, and
    how far neighbouring blocks do is estimated.
    dims: names of the axes after member.   units: of members, target and plain.
    climatology: (quantile, *event), the forecast that the training part alone would make; None where it is not known.
    latitude, longitude: degrees, of a grid, whose last two axes they are; of zonal means, latitude alone, which is then the last axis.
    first_case: place of the first case in its part.   notes: what a reader guessed or left out.
    ValueError when these do not fit together.
    """

    members: np.ndarray
    target: np.ndarray
    plain: np.ndarray
    index: pd.Index
    block: np.ndarray
    dims: tuple[str, ...]
    units: str = ""
    lead_time: tuple[int, ...] = ()
    lead_unit: str = ""
    valid_time: np.ndarray | None = None
    name: str = "target"
    climatology: np.ndarray | None = None
    latitude: tuple[float, ...] = ()
    longitude: tuple[float, ...] = ()
    first_case: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_axes()
        self._check_coordinates()
        n_bad = sum(int((~np.isfinite(member)).sum()) for member in self.members)  # by member: the file may be larger than memory
        if n_bad:
            raise ValueError(f"expected finite members, got {n_bad:,} values that are NaN or infinite; look for an overflow in the model")

    def _check_axes(self) -> None:
        if self.members.shape[1:] != self.target.shape or self.plain.shape != self.target.shape:
            raise ValueError(
                f"expected members (member, *target) and plain like target, got members {self.members.shape}, plain {self.plain.shape}, "
                f"target {self.target.shape}; put the member axis first"
            )
        if not self.members.size:
            raise ValueError(f"expected at least one member and one case, got members {self.members.shape}; give more data")
        if len(self.dims) != self.target.ndim:
            raise ValueError(f"expected one name for each of the {self.target.ndim} axes after member, got {self.dims}")

    def _check_coordinates(self) -> None:
        n_case = len(self.target)
        if len(self.index) != n_case or self.block.shape != (n_case,):
            raise ValueError(
                f"expected index and block with one entry for each of the {n_case} cases, got {len(self.index)} and {self.block.shape}"
            )
        if self.block.dtype.kind not in "iu" or self.block.min() < 0:
            raise ValueError(f"expected block to hold whole numbers from 0, got {self.block.dtype} from {self.block.min()}")
        is_zonal = bool(self.latitude) and not self.longitude and self.dims[-1] == "latitude"
        for place, name in ((-1, "latitude"),) if is_zonal else ((-2, "latitude"), (-1, "longitude")):
            degrees = getattr(self, name)
            if degrees and (self.target.ndim < 1 - place or self.target.shape[place] != len(degrees)):
                raise ValueError(
                    f"expected a target (case, ..., latitude, longitude) with {len(degrees)} values of {name}, got the shape {self.target.shape}"
                )
        if "lead_time" in self.dims and self.lead_time and len(self.lead_time) != self.target.shape[self.dims.index("lead_time")]:
            raise ValueError(f"expected one lead time for each step of the target {self.target.shape}, got {len(self.lead_time)}")
        shape = (n_case, len(self.lead_time)) if self.lead_time else (n_case,)
        if self.valid_time is not None and self.valid_time.shape != shape:
            axes = "(case, lead_time)" if self.lead_time else "(case)"
            raise ValueError(
                f"expected valid_time {axes} of shape {shape}, got {self.valid_time.shape}; give every target its time, or none"
            )

    def of_cases(self, chosen: np.ndarray) -> Ensemble:
        """Return the ensemble of some cases, (case,) bool or positions; their blocks are numbered anew, in the same order."""
        return replace(
            self,
            members=self.members[:, chosen],
            target=self.target[chosen],
            plain=self.plain[chosen],
            index=self.index[chosen],
            block=np.unique(self.block[chosen], return_inverse=True)[1],
            valid_time=None if self.valid_time is None else self.valid_time[chosen],
        )

    @property
    def step(self) -> TimeStep:
        """The unit of the lead times."""
        return TimeStep.of(self.lead_unit)

    @property
    def lead_text(self) -> str:
        """The lead times in words: "16 to 384 h", "24 h"; "" where there are none."""
        leads = self.lead_time
        return self.step.leads_text(leads[0], leads[-1]) if len(leads) > 1 else self.step.lead_text(leads[0]) if leads else ""

    @cached_property
    def valid_times(self) -> np.ndarray | None:
        """The times of the targets, (case, lead_time): as given, else init time plus lead time; None where they cannot be known."""
        if self.valid_time is not None or not self.lead_time:
            return self.valid_time
        return self.step.times(self.index, self.lead_time)

    @property
    def n_member(self) -> int:
        return len(self.members)

    @cached_property
    def mean(self) -> np.ndarray:
        """The ensemble mean: (case, *event)."""
        return np.asarray(self.members).mean(axis=0)

    @cached_property
    def spread(self) -> np.ndarray:
        """Standard deviation of the members, with M - 1 below: (case, *event); NaN for one member. See `finite_size_factor`."""
        if self.n_member < 2:
            return np.full_like(self.plain, np.nan)
        return np.asarray(self.members).std(axis=0, ddof=1)

    @property
    def finite_size_factor(self) -> float:
        """sqrt((M + 1) / M): the spread is multiplied by it before it is compared with the error of the mean."""
        return finite_size_factor(self.n_member)

    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of the members at the Weibull positions p (M + 1): (level, case, *event).

        levels: between 0 and 1. A level beyond 1 / (M + 1) or M / (M + 1) gives the smallest or the largest member.
        """
        return np.quantile(self.members, levels, axis=0, method="weibull")

    def central_interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the central interval of the members, each (case, *event). level: 0.9 for the central 90%."""
        low, high = self.quantiles([(1 - level) / 2, (1 + level) / 2])
        return low, high

    @property
    def weights(self) -> torch.Tensor | None:
        """Areas of the cells of a grid, see area_weights; None where every element counts the same."""
        return area_weights(self.latitude, self.dims)

    @cached_property
    def statistics(self) -> Statistics:
        """The sums over cases, element by element; by block, with neighbouring blocks joined where there would be too many numbers."""
        return self._sums(coarser(self.block, max(MOST_SUMS // (SUMS_PER_RANK * (self.n_member + 16) * self.target[0].size), LEAST_BLOCKS)))

    @cached_property
    def pooled(self) -> Statistics:
        """The statistics of all elements together, cells by their area, by block."""
        if "statistics" in vars(self) or not self.latitude:
            whole = self.statistics
            if whole.n_block == self.block.max() + 1:
                return whole.pooled(self.weights)
        n = max(MOST_SUMS // (SUMS_PER_RANK * (self.n_member + 16) * self.target[0].size), 1)
        order = np.argsort(self.block, kind="stable")  # the cases of a block stand together
        starts = np.unique(np.searchsorted(self.block[order], self.block[order][::n]))
        chunks = [order[start:end] for start, end in zip(starts, [*starts[1:], len(order)], strict=True)]
        return Statistics.joined([self._sums(self.block[cases] - self.block[cases][0], cases).pooled(self.weights) for cases in chunks])

    def _sums(self, block: np.ndarray, cases: np.ndarray | slice = slice(None)) -> Statistics:
        """The sums over some cases, in the blocks that are given for them."""
        n_block = int(block.max()) + 1
        chosen = self.members[:, cases], self.target[cases], self.plain[cases]
        return Statistics.of(*chosen, block, n_block, climatology=self.climatology, weights=self.weights)

    def at_lead(self, lead: int) -> Statistics:
        """The statistics of one lead time, or of all of them where lead is 0. Those of a grid, which has one lead time, are pooled."""
        if self.latitude:
            return self.pooled
        if not lead:
            return self.statistics
        if lead not in self.lead_time:
            raise ValueError(f"expected a lead time among {', '.join(map(str, self.lead_time)) or 'none'}, or 0 for all, got {lead}")
        return self.statistics.select(self.lead_time.index(lead))

    def forget_elements(self) -> None:
        """Release the arrays with one value for each element, tens of megabytes for a grid; they are computed again when needed."""
        _ = self.pooled
        for name in ("statistics", "mean", "spread"):
            vars(self).pop(name, None)


def area_weights(latitude: Sequence[float], dims: Sequence[str]) -> torch.Tensor | None:
    """Return the areas of the cells, mean 1: (latitude, 1) for maps, (latitude,) for zonal means, whose last axis it is; None without latitudes."""
    if not latitude:
        return None
    areas = cell_area_weights(torch.tensor(latitude, dtype=torch.float64))
    return areas if dims[-1] == "latitude" else areas[:, None]
