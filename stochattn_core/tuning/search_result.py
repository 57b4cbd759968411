"""The result of a search for nu* on the calibration part: every objective's curve and optimum, the intervals, and the whole number to use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stochattn_core.tuning import power_law
from stochattn_core.tuning.interval import LEVEL, inference_of, within
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import OBJECTIVES
from stochattn_core.tuning.objectives.ratio import ratio as ratio_of
from stochattn_core.tuning.points import Point
from stochattn_core.tuning.thompson import Thompson


@dataclass(frozen=True)
class Optimum:
    """Where one objective is least.

    value: not rounded.   low, high: its interval, within the points computed.   at_bound: is it at an end of the points computed?
    beyond: where it would be if the range went on, equal to `value` within the range.   n_effective: independent cases behind the interval.
    """

    value: float
    low: float
    high: float
    at_bound: bool
    beyond: float
    n_effective: float


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What the calibration part says of nu*.

    optimum: nu*.   interval: (level, low, high) of nu*.   concentration: the whole number beside nu* that is used.
    grid: (point,) concentrations.   curves: cost (point,) by objective.   optima: by objective.
    deviation: (point, pass) d.   error: d0.   ratio: (point,) spread-skill ratio.   law: the power law through the grid.
    range: ends of the range that could be searched.   at_low, at_high: is nu* at the lower or upper end of it?
    passes: stochastic passes over the calibration part.
    ended: did the budget end the search?   thompson: the single-pass search, where that was asked for.   points: the sums themselves.
    """

    objective: str
    concentration: int
    optimum: float
    interval: tuple[float, float, float]
    grid: np.ndarray
    curves: Mapping[str, np.ndarray]
    optima: Mapping[str, Optimum]
    deviation: np.ndarray
    error: float
    ratio: np.ndarray
    law: power_law.PowerLaw
    at_low: bool
    at_high: bool
    range: tuple[int, int]
    passes: int
    ended: bool
    thompson: Thompson | None
    points: Mapping[int, Point] = field(repr=False)

    @property
    def at_bound(self) -> bool:
        return self.at_low or self.at_high

    @property
    def used_because(self) -> str:
        """Why `concentration` is used, in words; a bound that the interval touches is named."""
        _, low, high = self.interval
        first, last = self.range
        beyond = self.optima[self.objective].beyond
        if self.at_low:
            return f"the smallest concentration there is; without this end the optimum would lie at {beyond:.2g}"
        if self.at_high:
            return "the largest concentration that was searched; the optimum lies at or beyond it"
        text = "the whole number beside ν* whose spread is nearer the error"
        if low <= first:
            return f"{text}; the interval touches the smallest concentration, {first:,}"
        return f"{text}; the interval touches the largest concentration, {last:,}" if high >= last else text

    @property
    def n_effective(self) -> float:
        """The number of independent calibration cases behind the interval."""
        return self.optima[self.objective].n_effective


def from_points(points: Mapping[int, Point], objective: str, *, full: tuple[int, int], passes: int, ended: bool = False) -> SearchResult:
    """The result that the sums at some concentrations give. full: the ends of the range that could have been searched."""
    nu, at = np.array(list(points)), list(points.values())
    lengths = [point.pooled(point.every_block) for point in at]
    deviation, error = np.stack([member[0] for member, _ in lengths]), float(lengths[0][1][0])
    if not deviation.any():
        raise ValueError(
            "expected passes that differ from the plain model, got a spread of exactly zero at every concentration; see the layers sampled"
        )
    curves = {name: entry.curve(at, at[0].every_block)[0] for name, entry in OBJECTIVES.items()}
    optima = {name: _optimum(at, nu, name, curves[name]) for name in OBJECTIVES}
    best = optima[objective]
    law = power_law.fit_power_law(nu, deviation, error)
    # Where a budget ended the search, an interval that reaches the end of the points computed is open on that side.
    open_low, open_high = ended and best.low <= nu[0], ended and best.high >= nu[-1]
    ratio = ratio_of(at, at[0].every_block)[0]
    low, high = float(full[0]) if open_low else best.low, float(full[1]) if open_high else best.high
    return SearchResult(
        objective=objective,
        concentration=whole_beside(best.value, nu, ratio),
        optimum=best.value,
        interval=(LEVEL, low, high),
        grid=nu,
        curves=curves,
        optima=optima,
        deviation=deviation,
        error=error,
        ratio=ratio,
        law=law,
        at_low=best.value <= full[0],
        at_high=best.value >= full[1],
        range=full,
        passes=passes,
        ended=ended,
        thompson=None,
        points=points,
    )


def _optimum(points: Sequence[Point], nu: np.ndarray, name: str, curve: np.ndarray) -> Optimum:
    value, beyond = float(minimum(nu, curve)), float(minimum(nu, curve, is_bounded=False))
    found = inference_of(points[0].statistics, lambda counts: minimum(nu, OBJECTIVES[name].curve(points, counts), is_bounded=False)).at(0)
    low, high = within(found, float(nu[0]), float(nu[-1]))
    return Optimum(value, low, high, value in (nu[0], nu[-1]), beyond, found.n_effective)


def whole_beside(optimum: float, grid: np.ndarray, ratio: np.ndarray) -> int:
    """The whole number beside nu* at which the spread-skill ratio of the calibration part is nearer 1.

    Rounding nu* itself would err towards too narrow: the objective counts the drift of the mean as deviation, and it is nearly flat between
    two neighbours, while the spread at small concentrations is not.
    """
    around = np.maximum([math.floor(optimum), math.ceil(optimum)], 1)
    off = np.abs(np.interp(np.log(around), np.log(grid), np.log(np.maximum(ratio, 1e-300))))  # a power law is a line in logarithms
    return int(around[np.argmin(off)])
