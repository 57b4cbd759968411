"""How sure is a score? Block bootstrap: cases that depend on one another are drawn together, with replacement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics.dispersion import deviation, deviation_by_block
from stochattn_core.metrics.ranks import w1
from stochattn_core.metrics.scores import SCORES, Evidence, by_event, scores, values_by_block
from stochattn_core.metrics.statistics import Statistics

# Functions whose replicates are found all at once: what may be done before resampling, and the form that keeps the leading
# axis. Any other function is called once a replicate.
AT_ONCE: dict[Callable, tuple[Callable[[Statistics], Statistics], Callable]] = {
    scores: (Statistics.pooled, values_by_block),
    by_event: (lambda statistics: statistics, values_by_block),
    deviation: (lambda statistics: statistics, lambda sums: deviation_by_block(sums)._asdict()),
}
CHUNK = 2**24  # numbers held at once while resampling: 128 MB


def block_counts(statistics: Statistics, n_replicate: int, seed: int) -> Tensor:
    """How often each block is drawn: (replicate, block). Blocks without a case are never drawn; the others alike.

    >>> one = Statistics.of(torch.zeros(2, 3), torch.zeros(3), torch.zeros(3), [0, 2, 2], 3)
    >>> block_counts(one, 4, seed=0)[:, 1].sum(), block_counts(one, 4, seed=0).sum(1)
    (tensor(0., dtype=torch.float64), tensor([2., 2., 2., 2.], dtype=torch.float64))
    """
    used = (statistics.n_case > 0).nonzero().flatten()
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(n_replicate, statistics.n_block, dtype=torch.float64)
    if len(used):
        draws = used[torch.randint(len(used), (n_replicate, len(used)), generator=generator)]
        counts.scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float64))
    return counts


def bootstrap(statistics: Statistics, function: Callable, n_replicate: int = 500, level: float = 0.9, seed: int = 0):
    """Percentile interval of any function of Statistics, by resampling its blocks.

    function: returns a number, an array, or a dict or named tuple of them. For weights, give statistics.pooled(weights).
    Returns (low, high) in the same form: floats for numbers, tensors for arrays; a dict of such pairs for a dict. NaN where
    fewer than 2 blocks hold a case, and where the function is NaN in every replicate.
    The law: replicates draw as many blocks as there are; with B blocks the interval is too short by about 1 - 1/B and
    wants B of 20 or so. A W1 near its floor is pushed up by resampling: judge it against `w1_floor`, not by this.
    Source: Efron and Tibshirani (1993), chapter 13; Kunsch (1989), Annals of Statistics 17, 1217, for blocks.

    >>> members, target = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([1.0, 4.0])
    >>> bootstrap(Statistics.of(members, target, target, [0, 1], 2), scores)["rmse"]
    (0.0, 2.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval is a share between 0 and 1, got {level}; write 90% as 0.9")
    first, together = AT_ONCE.get(function, (lambda statistics: statistics, None))
    statistics = first(statistics)
    counts = block_counts(statistics, n_replicate, seed)
    size = sum(values.numel() for _, values, _ in statistics) // max(statistics.n_block, 1)
    step = max(1, CHUNK // max(size, 1))
    found = []
    for start in range(0, n_replicate, step):
        resampled = statistics.resampled(counts[start : start + step])
        if together:
            found.append(_as_dict(together(resampled)))
        else:
            each = (_as_dict(function(resampled.at(place))) for place in range(resampled.n_block))
            found.extend({name: value.unsqueeze(0) for name, value in one.items()} for one in each)
    enough = int((statistics.n_case > 0).sum()) > 1
    intervals = {name: _interval(torch.cat([one[name] for one in found]), level, enough) for name in found[0]}
    return intervals.get(_ALONE, intervals)


_ALONE = ""  # the name of the only value of a function that returns no dict


def _as_dict(value) -> dict[str, Tensor]:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    named = value if isinstance(value, Mapping) else {_ALONE: value}
    return {name: torch.as_tensor(one, dtype=torch.float64) for name, one in named.items()}


def _interval(replicates: Tensor, level: float, enough: bool):
    """(replicate, ...) -> (low, high)."""
    if not enough:
        replicates = torch.full_like(replicates, torch.nan)
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.nanquantile(replicates, ends, dim=0)
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


class W1Floor(NamedTuple):
    """What a perfect ensemble would score with cases that depend on one another as these do."""

    expected: float
    upper: float  # exceeded by a perfect ensemble with probability 1 - level
    n_effective: float  # independent cases with the same expected W1, (0.313 / expected)^2


def w1_floor(statistics: Statistics, n_replicate: int = 500, level: float = 0.9, seed: int = 0) -> W1Floor:
    """W1 of a calibrated ensemble on as many cases with the same dependence: the noise that a W1 has to be above to mean anything.

    The bootstrap moves F_u about as new cases would: W1 of (F* - F_u + t) is a draw of W1 when F_u is the diagonal. Scaled by
    sqrt(B / (B - 1)), because B resampled blocks vary that much less than B new ones.
    Returns W1Floor, no units; NaN where fewer than 2 blocks hold a case.

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
    """Return what the rules of SCORES judge: each tested quantity with its interval, by the name of the test.

    statistics: pooled.   level: of each interval.   The intervals are percentiles over blocks drawn with replacement; ends are NaN where
    fewer than 2 blocks hold a case. Resampling enlarges a distance (W1): the interval is moved back by as much as the median moved.
    """
    by_chance = w1_floor(statistics).expected
    tested = {key: score for key, score in SCORES.items() if score.rule and score.tested}
    once = torch.ones(1, statistics.n_block, dtype=torch.float64)

    def values(counts: Tensor) -> dict[str, Tensor]:
        sums = statistics.weighted(counts)
        return {key: score.tested(sums, by_chance) for key, score in tested.items() if score.tested}

    estimates, replicates = values(once), values(block_counts(statistics, n_replicate, seed))
    found = {}
    for key, score in tested.items():
        assert score.rule is not None
        estimate = float(estimates[key][0])
        estimate = estimate if math.isfinite(estimate) else math.nan
        low, high = interval_of(replicates[key], level, enough=n_used(statistics) > 1)
        if score.rule.is_distance and not math.isnan(low):
            moved = max(float(replicates[key].nanmedian()) - estimate, 0.0)
            low, high = low - moved, high - moved
        found[score.rule.test] = Evidence(estimate, low, high, score.rule.at(statistics.n_member).words)
    return found


def n_used(statistics: Statistics) -> int:
    """How many blocks hold a case."""
    return int((statistics.n_case > 0).sum())


def interval_of(replicates: Tensor, level: float, *, enough: bool = True) -> tuple[float, float]:
    """Central interval of the replicates of one number, (replicate,); NaN where there are not enough blocks."""
    if not enough:
        return math.nan, math.nan
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = (float(end) for end in torch.nanquantile(replicates, tails))
    return low, high
