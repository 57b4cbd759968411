"""Aggregates of a forecast that nothing was tuned on: are means, maxima and changes over lead times, regions and groups calibrated too?

The spread of an aggregate depends on how the members of its elements depend on one another. An ensemble with the right spread in every
element has the wrong spread for their mean where its members depend on one another more, or less, than the errors do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from stochattn_core.metrics.case_estimates import case_estimates
from stochattn_core.metrics.crps import crps
from stochattn_core.metrics.intervals import coverage
from stochattn_core.metrics.ranks import rank_weights, w1
from stochattn_core.metrics.regions import REGIONS, region_weights

GROUP = 10  # rows of a table whose mean is taken
COVERAGE_LEVEL = 0.9


@dataclass(frozen=True)
class Aggregate:
    """One number for each case, or for each group of cases.

    of(values): (..., case, *event) -> (..., group).   block: (group,), as in Statistics.
    """

    key: str
    title: str
    of: Callable[[np.ndarray], np.ndarray]
    block: np.ndarray


def over_lead_times(block: np.ndarray) -> list[Aggregate]:
    """Return mean, maximum and change over the last axis, the lead times. An aggregate is NaN where any of its targets is missing."""
    return [
        Aggregate("mean", "Mean over lead times", lambda values: values.mean(-1), block),
        Aggregate("maximum", "Maximum over lead times", lambda values: values.max(-1), block),
        Aggregate("change", "Change from first to last", lambda values: values[..., -1] - values[..., 0], block),
    ]


def over_regions(block: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], seen: np.ndarray) -> list[Aggregate]:
    """Return the area-weighted mean over each of REGIONS with a cell on this grid.

    seen: (latitude, longitude) bool, the cells that ever have a target; the others are left out.
    """
    aggregates = []
    for key, region in REGIONS.items():
        try:
            weights = region_weights(region, latitude, longitude).numpy() * seen
        except ValueError:  # a grid of a part of the globe may have no cell there
            continue
        if weights.any():
            aggregates.append(Aggregate(key, f"Mean over {region.label}", _weighted_mean(weights / weights.sum()), block))
    return aggregates


def _weighted_mean(weights: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    is_inside = weights > 0
    inside = weights[is_inside]
    return lambda values: values[..., is_inside] @ inside.astype(values.dtype)


def over_groups(plain: np.ndarray, *, is_in_time: bool = False, size: int = GROUP, seed: int = 0) -> list[Aggregate]:
    """Return means over groups of rows of a table: of rows with similar forecasts, and of rows drawn at random, or that follow in time.

    plain: (case,).   is_in_time: the rows are in the order of time.   A rest of fewer than `size` rows is left out. No group where there are
    fewer than 2 groups.

    Errors of independent rows average out, and so do members that are drawn independently for each row. In rows with similar forecasts, or in
    rows that follow one another, errors have a common part where the model is biased there. The spread of such means is right only
    if the members have that common part as well.
    """
    n_group = len(plain) // size
    if n_group < 2:
        return []

    def mean_of(order: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        places = order[: n_group * size].reshape(n_group, size)
        return lambda values: values[..., places].mean(-1)

    block, rows = np.arange(n_group), np.arange(len(plain))
    other = rows if is_in_time else np.random.default_rng(seed).permutation(rows)
    how = "in a row" if is_in_time else "at random"
    return [
        Aggregate("alike", f"Mean of {size} rows, alike in forecast", mean_of(np.argsort(plain, kind="stable")), block),
        Aggregate("rows", f"Mean of {size} rows {how}", mean_of(other), block),
    ]


class Interval(NamedTuple):
    """A value with the ends of its 90% interval, NaN where they are not known."""

    value: float
    low: float
    high: float


class AggregateScores(NamedTuple):
    """Scores of one aggregate. CRPS and its gain in the units of the target.

    w1: of the randomised PIT; w1_by_chance: its mean for a perfect ensemble on as many independent cases.   n: cases with a target.
    gain: mean fair CRPS of the reference minus that of this method, on the same cases; NaN without a reference.
    """

    ratio: Interval
    coverage_90: Interval
    w1: float
    w1_by_chance: float
    crps: Interval
    gain: Interval
    n: int
    n_effective: float


def aggregate_scores(
    aggregate: Aggregate, members: np.ndarray, target: np.ndarray, *, reference: np.ndarray | None = None
) -> AggregateScores:
    """Return the scores of an aggregate of an ensemble.

    members: (member, case, *event), at least 2.   target: (case, *event).   reference: members of another method for the same cases.
    """
    x, y = (torch.from_numpy(np.asarray(aggregate.of(values), dtype=np.float64)) for values in (members, target))
    known = ~y.isnan()
    n, n_member = int(known.sum()), len(x)
    if not n:
        unknown = Interval(np.nan, np.nan, np.nan)
        return AggregateScores(unknown, unknown, np.nan, np.nan, unknown, unknown, 0, np.nan)
    x, y = x[:, known], y[known]
    score = crps(x, y)
    other = score.new_full(score.shape, torch.nan)
    if reference is not None:
        other = crps(torch.from_numpy(np.asarray(aggregate.of(reference), dtype=np.float64))[:, known], y)
    covered = coverage(x, y, [COVERAGE_LEVEL])[0]
    columns = torch.stack([(x.mean(0) - y) ** 2, x.var(0), covered, score, other - score, torch.ones_like(y)], 1)

    def values(sums: torch.Tensor) -> torch.Tensor:
        error_sq, variance, inside, mean_crps, gained, count = sums.unbind(-1)
        ratio = ((n_member + 1) / n_member * variance / error_sq).sqrt()
        return torch.stack([ratio, inside / count, mean_crps / count, gained / count], -1)

    found = case_estimates(values, columns, aggregate.block[known.numpy()], scale=("log", "share", "log", "linear"))
    ratio, inside, mean_crps, gained = (Interval(*found.at(place)) for place in range(4))
    n_effective = float(found.n_effective[1])
    distance = float(w1(rank_weights(x, y).sum(1)))
    by_chance = 0.3133 / n_effective**0.5 if n_effective == n_effective else np.nan
    return AggregateScores(ratio, inside, distance, by_chance, mean_crps, gained, n, n_effective)
