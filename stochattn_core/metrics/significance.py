"""How certain is a score? Block bootstrap: cases that depend on one another are drawn together, with replacement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, overload, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.arrays import Array
from stochattn_core.metrics.dispersion import deviation, deviation_by_block
from stochattn_core.metrics.ranks import w1
from stochattn_core.metrics.scores import SCORES, Evidence, by_event, scores, values_by_block
from stochattn_core.metrics.statistics import Statistics

Value = float | Array


@runtime_checkable
class NamedValues(Protocol):
    """A named tuple of values."""

    def _asdict(self) -> Mapping[str, Value]: ...


Scored = Value | Mapping[str, Value] | NamedValues
Interval = tuple[float, float] | tuple[Tensor, Tensor]
# Functions that compute all replicates together: a step that may come before resampling, and the form that keeps the leading axis. Any
# other function is called once for each replicate.
TOGETHER: dict[Callable[[Statistics], Scored], tuple[Callable[[Statistics], Statistics], Callable[[Statistics], Mapping[str, Tensor]]]] = {
    scores: (Statistics.pooled, values_by_block),
    by_event: (lambda statistics: statistics, values_by_block),
    deviation: (lambda statistics: statistics, lambda sums: deviation_by_block(sums)._asdict()),
}
CHUNK = 2**24  # numbers in memory at the same time while resampling: 128 MB


def block_counts(statistics: Statistics, n_replicate: int, seed: int) -> Tensor:
    """Return how often each block is drawn, (replicate, block). Blocks with a case are equally likely; those without are never drawn.

    >>> sums = Statistics.of(torch.zeros(2, 3), torch.zeros(3), torch.zeros(3), [0, 2, 2], 3)
    >>> block_counts(sums, 4, seed=0)[:, 1].sum(), block_counts(sums, 4, seed=0).sum(1)
    (tensor(0., dtype=torch.float64), tensor([2., 2., 2., 2.], dtype=torch.float64))
    """
    used = (statistics.n_case > 0).nonzero().flatten()
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(n_replicate, statistics.n_block, dtype=torch.float64)
    if len(used):
        draws = used[torch.randint(len(used), (n_replicate, len(used)), generator=generator)]
        counts.scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float64))
    return counts


@overload
def bootstrap(
    statistics: Statistics,
    function: Callable[[Statistics], Mapping[str, float]],
    n_replicate: int = ...,
    level: float = ...,
    seed: int = ...,
) -> dict[str, tuple[float, float]]: ...


@overload
def bootstrap(
    statistics: Statistics,
    function: Callable[[Statistics], Mapping[str, np.ndarray] | Mapping[str, Tensor]],
    n_replicate: int = ...,
    level: float = ...,
    seed: int = ...,
) -> dict[str, tuple[Tensor, Tensor]]: ...


@overload
def bootstrap(
    statistics: Statistics, function: Callable[[Statistics], NamedValues], n_replicate: int = ..., level: float = ..., seed: int = ...
) -> dict[str, Interval]: ...


@overload
def bootstrap(
    statistics: Statistics, function: Callable[[Statistics], float], n_replicate: int = ..., level: float = ..., seed: int = ...
) -> tuple[float, float]: ...


@overload
def bootstrap(
    statistics: Statistics, function: Callable[[Statistics], Array], n_replicate: int = ..., level: float = ..., seed: int = ...
) -> Interval: ...


def bootstrap(
    statistics: Statistics, function: Callable[[Statistics], Scored], n_replicate: int = 500, level: float = 0.9, seed: int = 0
) -> Interval | Mapping[str, Interval]:
    """Return the percentile interval of any function of Statistics, by resampling its blocks.

    function: returns a number, an array, or a dict or named tuple of them. For weights, give statistics.pooled(weights).
    Returns (low, high) in the same form: floats for numbers, tensors for arrays; a dict of such pairs for a dict. NaN where fewer than 2
    blocks have a case, and where the function is NaN in every replicate.
    Accuracy: each replicate draws as many blocks as there are. With B blocks the interval is too short by about 1 - 1/B; B should be about
    20 or more. Resampling increases a W1 near its floor: compare a W1 with `w1_floor`, not with this interval.
    Source: Efron and Tibshirani (1993), chapter 13; Kunsch (1989), Annals of Statistics 17, 1217, for blocks.

    >>> members, target = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([1.0, 4.0])
    >>> bootstrap(Statistics.of(members, target, target, [0, 1], 2), scores)["rmse"]
    (0.0, 2.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval is a share between 0 and 1, got {level}; write 90% as 0.9")
    before, together = TOGETHER.get(function, (lambda statistics: statistics, None))
    statistics = before(statistics)
    counts = block_counts(statistics, n_replicate, seed)
    size = sum(values.numel() for _, values, _ in statistics) // max(statistics.n_block, 1)
    step = max(1, CHUNK // max(size, 1))
    parts = []  # of the replicates: name -> (replicate, ...)
    for start in range(0, n_replicate, step):
        resampled = statistics.resampled(counts[start : start + step])
        if together:
            parts.append(_as_dict(together(resampled)))
        else:
            for place in range(resampled.n_block):
                values = _as_dict(function(resampled.at(place)))
                parts.append({name: value.unsqueeze(0) for name, value in values.items()})
    intervals = {name: _interval(torch.cat([part[name] for part in parts]), level, n_used(statistics) > 1) for name in parts[0]}
    return intervals.get(_ALONE, intervals)


_ALONE = ""  # the name of the only value of a function that returns no dict


def _as_dict(scored: Scored) -> dict[str, Tensor]:
    if isinstance(scored, NamedValues):
        scored = scored._asdict()
    named = scored if isinstance(scored, Mapping) else {_ALONE: scored}
    return {name: torch.as_tensor(value, dtype=torch.float64) for name, value in named.items()}


def _interval(replicates: Tensor, level: float, enough: bool) -> Interval:
    """Return the central interval as `bootstrap` does: two floats for one number, two tensors otherwise."""
    low, high = central_interval(replicates, level, enough=enough)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


class W1Floor(NamedTuple):
    """The W1 of a perfect ensemble on cases with the same dependence as these."""

    expected: float
    upper: float  # exceeded by a perfect ensemble with probability 1 - level
    n_effective: float  # number of independent cases with the same expected W1, (0.313 / expected)^2


def w1_floor(statistics: Statistics, n_replicate: int = 500, level: float = 0.9, seed: int = 0) -> W1Floor:
    """Return the W1 of a calibrated ensemble on as many cases with the same dependence: a W1 below this noise shows nothing.

    Resampling varies F_u as new cases would: W1 of (F* - F_u + t) is a draw of W1 when F_u is the diagonal. It is scaled by
    sqrt(B / (B - 1)), because B resampled blocks vary less than B new ones by this factor.
    Returns W1Floor, no units; NaN where fewer than 2 blocks have a case.

    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(20, 1000, generator=generator)
    >>> floor = w1_floor(Statistics.of(x[1:], x[0], x[0], torch.arange(1000) % 50, 50))
    >>> 0.008 < floor.expected < 0.012  # 0.313 / sqrt(1000) is 0.0099
    True
    """
    pooled = statistics.pooled()
    n_block = int((pooled.n_case > 0).sum())
    if n_block < 2:
        return W1Floor(torch.nan, torch.nan, torch.nan)
    counts = block_counts(pooled, n_replicate, seed)
    resampled = counts @ pooled.rank
    share, mean = resampled / resampled.sum(1, keepdim=True), pooled.rank.sum(0) / pooled.rank.sum()
    shape = 1 / pooled.rank.shape[1] + (share - mean) * (n_block / (n_block - 1)) ** 0.5
    noise = w1(shape.movedim(1, 0))
    expected = float(noise.mean())
    return W1Floor(expected, float(noise.quantile(level)), (0.3133 / expected) ** 2 if expected else torch.nan)


def evidence(statistics: Statistics, *, level: float, n_replicate: int = 500, seed: int = 0) -> dict[str, Evidence]:
    """Return every quantity that a rule of SCORES judges, with its interval, by the name of the test.

    statistics: pooled.   level: of each interval.   The intervals are percentiles over blocks drawn with replacement; their ends are NaN
    where fewer than 2 blocks have a case. Resampling increases a distance (W1); its interval is moved back by the increase of the median.
    """
    by_chance = w1_floor(statistics).expected
    tested = {key: score for key, score in SCORES.items() if score.rule and score.tested}
    once = torch.ones(1, statistics.n_block, dtype=torch.float64)

    def values(counts: Tensor) -> dict[str, Tensor]:
        sums = statistics.weighted(counts)
        return {key: score.tested(sums, by_chance) for key, score in tested.items() if score.tested}

    estimates, replicates = values(once), values(block_counts(statistics, n_replicate, seed))
    evidences = {}
    for key, score in tested.items():
        assert score.rule is not None  # as `tested` was selected
        estimate = float(estimates[key][0])
        estimate = estimate if math.isfinite(estimate) else math.nan
        low, high = interval_of(replicates[key], level, enough=n_used(statistics) > 1)
        if score.rule.is_distance and not math.isnan(low):
            moved = max(float(replicates[key].nanmedian()) - estimate, 0.0)
            low, high = low - moved, high - moved
        evidences[score.rule.test] = Evidence(estimate, low, high, score.rule.at(statistics.n_member).words)
    return evidences


def n_used(statistics: Statistics) -> int:
    """Return the number of blocks that have a case."""
    return int((statistics.n_case > 0).sum())


def central_interval(replicates: Tensor, level: float, *, enough: bool = True) -> tuple[Tensor, Tensor]:
    """Return the ends of the central interval over replicates, (replicate, ...) -> (...) each; NaN if there are not `enough` blocks."""
    if not enough:
        replicates = torch.full_like(replicates, torch.nan)
    low, high = torch.nanquantile(replicates, torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64), dim=0)
    return low, high


def interval_of(replicates: Tensor, level: float, *, enough: bool = True) -> tuple[float, float]:
    """Return the central interval of the replicates of one number, (replicate,); NaN if there are not `enough` blocks."""
    low, high = central_interval(replicates, level, enough=enough)
    return float(low), float(high)
