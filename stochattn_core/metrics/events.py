"""Threshold events: how good are the probabilities that an ensemble gives to "the target is above 30"?

Everything is a function of counts: how often k of M members forecast the event, where it happened and where it did not. Counts of cases add,
so that every score has an interval that counts their dependence.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stochattn_core.metrics.arrays import Array

N_BIN = 10  # of the forecast probability, in a reliability diagram and in the parts of the Brier score
Counts = Float[Tensor, "*batch outcome probability"]  # outcome: 0 did not happen, 1 happened; probability: k of M members, k = 0 .. M
_TEXT = re.compile(r"\s*([<>])\s*(q?)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")


@dataclass(frozen=True)
class Event:
    """The target is above a threshold, or below it; a target equal to the threshold is no event.

    threshold: in the units of the target, or, if is_quantile, a level between 0 and 1: the threshold is then that quantile of the climatology
    of each element (each lead time, each cell).
    """

    threshold: float
    is_above: bool = True
    is_quantile: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold):
            raise ValueError(f"expected a threshold that is a finite number, got {self.threshold}; write an event as '>30' or '>q90'")
        if self.is_quantile and not 0 < self.threshold < 1:
            raise ValueError(
                f"expected a quantile of the climatology between q0 and q100, got q{100 * self.threshold:g}; write '>q90' for the upper tenth"
            )

    @classmethod
    def parse(cls, text: str) -> Event:
        """Return the event of a text such as ">30", "<-5.5" or ">q90" (above the 90% quantile of the climatology).

        >>> Event.parse("> q90"), Event.parse("<-5").text
        (Event(threshold=0.9, is_above=True, is_quantile=True), '<-5')
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"expected an event such as '>30', '<-5' or '>q90', got {text[:40]!r}; begin with > or <")
        side, is_quantile, number = match.groups()
        return cls(float(number) / 100 if is_quantile else float(number), side == ">", bool(is_quantile))

    @property
    def text(self) -> str:
        """The event as `parse` reads it."""
        return f"{'>' if self.is_above else '<'}{f'q{100 * self.threshold:.12g}' if self.is_quantile else f'{self.threshold:.12g}'}"

    def words(self, units: str = "") -> str:
        """Return the event in words: "above 30 °C", "below the 10% quantile of the climatology". units: as they are printed.

        >>> Event.parse(">30").words("°C"), Event.parse("<q10").words()
        ('above 30 °C', 'below the 10% quantile of the climatology')
        """
        side = "above" if self.is_above else "below"
        if self.is_quantile:
            return f"{side} the {100 * self.threshold:.12g}% quantile of the climatology"
        return f"{side} {self.threshold:.12g}{f' {units}' if units else ''}".replace("-", "−")

    def level(self, climatology: Array | None) -> Tensor:
        """Return the threshold in the units of the target: (), or (*event) for a quantile.

        climatology: (reference, *event), a sample of the climatology; None where it is not known. ValueError for a quantile without one.
        """
        if not self.is_quantile:
            return torch.tensor(self.threshold, dtype=torch.float64)
        if climatology is None:
            raise ValueError(
                f"expected a climatology for the event {self.text!r}, and there is none; give a threshold in the units of the target"
            )
        return torch.as_tensor(np.quantile(np.asarray(climatology, dtype=np.float64), self.threshold, axis=0))

    def happens(self, values: Tensor, level: Tensor) -> Tensor:
        """Return where the event happens, bool in the shape of values (..., *event)."""
        return values > level if self.is_above else values < level


# The upper quarter of the climatology: rare enough to be an event, and frequent enough for intervals in small test parts.
DEFAULT_EVENT = Event(0.75, is_above=True, is_quantile=True)


class EventSums(NamedTuple):
    """What each case adds: counts (case, outcome, probability) and the Brier score of the climatology (case,), both weighted; float64."""

    counts: Tensor
    climatology: Tensor

    @property
    def columns(self) -> Tensor:
        """Both as columns, (case, column): the counts, then the Brier score of the climatology."""
        return torch.cat([self.counts.flatten(1), self.climatology[:, None]], 1)

    def of_columns(self, columns: Tensor) -> EventSums:
        """Return counts and Brier score from their columns, (*batch, column): the inverse of `columns`."""
        return EventSums(columns[..., :-1].unflatten(-1, self.counts.shape[1:]), columns[..., -1])


def event_sums(members: Array, target: Array, event: Event, *, climatology: Array | None = None, weights: Array | None = None) -> EventSums:
    """Return what each case adds to the sums of which every score of an event is a function.

    members: (member, case, *event).   target: (case, *event), same units; NaN where missing, and left out.   weights: broadcasts to *event.
    climatology: (reference, *event); its forecast probability is the share of its values for which the event happens. Without it, the Brier
    score of the climatology is NaN.
    """
    truth = torch.from_numpy(np.asarray(target, dtype=np.float64))
    level = event.level(climatology)
    n_case, n_member = len(truth), len(members)
    k = torch.zeros(truth.shape, dtype=torch.int64)
    for member in members:
        k += event.happens(torch.from_numpy(np.asarray(member, dtype=np.float64)), level)
    outcome = event.happens(truth, level).long()
    weight = torch.ones_like(truth) * (1.0 if weights is None else torch.as_tensor(np.asarray(weights), dtype=torch.float64))
    weight = torch.where(truth.isnan(), 0.0, weight)
    case = torch.arange(n_case).view(-1, *[1] * (truth.ndim - 1))
    place = (case * 2 + outcome) * (n_member + 1) + k
    size = n_case * 2 * (n_member + 1)
    counts = torch.bincount(place.flatten(), weights=weight.flatten(), minlength=size).view(n_case, 2, n_member + 1)
    if climatology is None:
        return EventSums(counts, torch.full((n_case,), torch.nan, dtype=torch.float64))
    share = event.happens(torch.from_numpy(np.asarray(climatology, dtype=np.float64)), level).double().mean(0)
    return EventSums(counts, (weight * (share - outcome) ** 2).flatten(1).sum(1) if truth.ndim > 1 else weight * (share - outcome) ** 2)


def probabilities(n_member: int) -> Tensor:
    """Return the probabilities k / M that M members can give: (M + 1,) float64."""
    return torch.arange(n_member + 1, dtype=torch.float64) / n_member


def base_rate(counts: Counts) -> Float[Tensor, "*batch"]:
    """Return the share of all values for which the event happened; NaN without values."""
    return counts[..., 1, :].sum(-1) / counts.sum((-2, -1))


def brier(counts: Counts, *, fair: bool = True) -> Float[Tensor, "*batch"]:
    """Return the Brier score, the mean of (p - o)^2 with p = k / M and o = 1 where the event happened, else 0.

    Fair: minus p (1 - p) / (M - 1), so that the expectation does not depend on M: the score of the probability from which members are drawn.
    Smaller is better; NaN without values, and for one member if fair.
    Source: Brier (1950), Monthly Weather Review 78, 1; fair: Ferro (2014), QJRMS 140, 1917.

    >>> counts = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)  # p = 1 and no event; p = 1/2 and the event
    >>> brier(counts, fair=False), brier(counts)
    (tensor(0.6250, dtype=torch.float64), tensor(0.5000, dtype=torch.float64))
    """
    m = counts.shape[-1] - 1
    p = probabilities(m)
    score = (counts[..., 0, :] * p**2 + counts[..., 1, :] * (1 - p) ** 2).sum(-1)
    if fair:
        score = score - (counts.sum(-2) * p * (1 - p)).sum(-1) / (m - 1 if m > 1 else torch.nan)
    return score / counts.sum((-2, -1))


class BrierParts(NamedTuple):
    """The parts of the Brier score: plain = reliability - resolution + uncertainty + within_variance - within_covariance, exactly."""

    reliability: Tensor  # smaller is better: how far observed frequencies are from forecast probabilities
    resolution: Tensor  # larger is better: how far observed frequencies are from the base rate
    uncertainty: Tensor  # of the event itself
    within_variance: Tensor  # of the probabilities that share a bin
    within_covariance: Tensor  # twice the covariance of probability and outcome inside bins


def brier_parts(counts: Counts, n_bin: int = N_BIN) -> BrierParts:
    """Return the parts of the plain Brier score over bins of the forecast probability, each (*batch).

    Bins that hold several probabilities need two further terms. Without them the parts do not add up to the score.
    Source: Murphy (1973), Journal of Applied Meteorology 12, 595; within bins: Stephenson et al. (2008), Weather and Forecasting 23, 752.

    >>> parts = brier_parts(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64))
    >>> float(parts.reliability), float(parts.resolution), float(parts.uncertainty)
    (0.0, 0.25, 0.25)
    """
    p = probabilities(counts.shape[-1] - 1)
    total, rate = counts.sum((-2, -1)), base_rate(counts)
    n, observed, expected = (_by_bin(values, n_bin) for values in (counts.sum(-2), counts[..., 1, :], counts.sum(-2) * p))
    used = torch.where(n > 0, n, 1.0)  # an empty bin has sums of 0, whatever they are divided by
    observed, expected = observed / used, expected / used
    square, product = (_by_bin(values, n_bin) for values in (counts.sum(-2) * p**2, counts[..., 1, :] * p))
    return BrierParts(
        (n * (expected - observed) ** 2).sum(-1) / total,
        (n * (observed - rate[..., None]) ** 2).sum(-1) / total,
        rate * (1 - rate),
        (square - n * expected**2).sum(-1) / total,
        2 * (product - n * observed * expected).sum(-1) / total,
    )


def bins(n_member: int, n_bin: int = N_BIN) -> Tensor:
    """Return the bin of each probability k / M, (M + 1,): the same number of probabilities in each, or as nearly as M + 1 allows.

    >>> bins(4, 2)
    tensor([0, 0, 0, 1, 1])
    """
    n_bin = min(n_bin, n_member + 1)
    return torch.div(torch.arange(n_member + 1) * n_bin, n_member + 1, rounding_mode="floor")


def _by_bin(values: Tensor, n_bin: int) -> Tensor:
    """Return sums over the probabilities of each bin: (..., probability) -> (..., bin)."""
    place = bins(values.shape[-1] - 1, n_bin)
    return torch.zeros(*values.shape[:-1], int(place[-1]) + 1, dtype=values.dtype).index_add(-1, place, values)


class Reliability(NamedTuple):
    """Of each bin of the forecast probability, (*batch, bin); NaN where it is empty."""

    probability: Tensor  # mean forecast probability
    observed: Tensor  # share of the values for which the event happened
    n: Tensor  # weighted number of values


def reliability(counts: Counts, n_bin: int = N_BIN) -> Reliability:
    """Return the points of a reliability diagram: observed frequency against mean forecast probability, bin by bin.

    >>> reliability(torch.tensor([[3.0, 1.0], [1.0, 3.0]], dtype=torch.float64)).observed
    tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    p = probabilities(counts.shape[-1] - 1)
    n, observed, expected = (_by_bin(values, n_bin) for values in (counts.sum(-2), counts[..., 1, :], counts.sum(-2) * p))
    return Reliability(expected / n, observed / n, n)


def rates(counts: Counts) -> tuple[Tensor, Tensor]:
    """Return hit rate and false alarm rate of the warning "at least j of M members", j = 0 .. M + 1: each (*batch, M + 2), from 1 to 0.

    NaN where the event never happened, or always.
    """
    above = torch.nn.functional.pad(counts.flip(-1).cumsum(-1).flip(-1), (0, 1))  # warned: (..., outcome, j)
    total = counts.sum(-1)[..., None]
    rate = above / total
    return rate[..., 1, :], rate[..., 0, :]


def roc_area(counts: Counts) -> Float[Tensor, "*batch"]:
    """Return the area under the curve of hit rate against false alarm rate: 1 is perfect, 1/2 is no discrimination.

    It is the share of pairs of an event and a non-event in which the event had the higher forecast probability; ties count half. It does not
    change when the probabilities are recalibrated. NaN where the event never happened, or always.
    Source: Mason (1982), Australian Meteorological Magazine 30, 291; Hanley and McNeil (1982), Radiology 143, 29.

    >>> roc_area(torch.tensor([[3.0, 1.0], [1.0, 3.0]], dtype=torch.float64))
    tensor(0.7500, dtype=torch.float64)
    """
    hit, false_alarm = rates(counts)
    return ((hit[..., 1:] + hit[..., :-1]) / 2 * -false_alarm.diff(dim=-1)).sum(-1)


def economic_value(counts: Counts, ratio: Float[Tensor, " ratio"]) -> Float[Tensor, "*batch ratio"]:
    """Return the relative economic value for users who act where the forecast probability is at least their cost-loss ratio.

    A user pays the cost C to act, or the loss L where the event happens and nothing was done. The value is the share of the saving of a
    perfect forecast that this forecast makes, both against the better of always and never acting: 1 is perfect; below 0 the forecast costs
    the user more than the base rate of the same cases alone.

    ratio: C / L in (0, 1).   NaN where the event never happened, or always.
    Source: Richardson (2000), QJRMS 126, 649.
    """
    m = counts.shape[-1] - 1
    least = torch.ceil(ratio * m - 1e-9).long()  # 0.3 * 10 is 3.0000000000000004
    hit, false_alarm = rates(counts)
    return _value(hit[..., least], false_alarm[..., least], base_rate(counts)[..., None], ratio)


def value_envelope(counts: Counts, ratio: Float[Tensor, " ratio"]) -> Float[Tensor, "*batch ratio"]:
    """Return the largest economic value over all warnings "at least j of M members": what a perfect recalibration could reach.

    Each user's threshold is chosen on the cases on which it is scored, so that this is an upper limit and never below 0.
    """
    hit, false_alarm = rates(counts)
    return _value(hit[..., None], false_alarm[..., None], base_rate(counts)[..., None, None], ratio).amax(-2)


def _value(hit: Tensor, false_alarm: Tensor, rate: Tensor, ratio: Tensor) -> Tensor:
    """Return (climate - forecast) / (climate - perfect), each an expense in units of the loss."""
    climate, perfect = torch.minimum(ratio, rate), ratio * rate
    forecast = ratio * (hit * rate + false_alarm * (1 - rate)) + (1 - hit) * rate
    return (climate - forecast) / (climate - perfect)
