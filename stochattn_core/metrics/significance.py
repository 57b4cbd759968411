"""How certain is a score? Intervals of any smooth function of sums over cases, with the dependence of neighbouring cases counted.

One method serves scores, gains, nu* and verdicts. Each block is left out once (the jackknife), which gives its influence on the function.
The influences, in the order of time, have a long-run variance (`dependence`), and with it the function has a standard error; Student's t has
as many degrees of freedom as there are effective cases, less one. Positive quantities have their interval on the logarithmic scale, shares
have the interval of Wilson (1927), JASA 22, 209.
Sources: Miller (1974), Biometrika 61, 1, for the jackknife; Efron and Stein (1981), Annals of Statistics 9, 586, for the influences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, overload, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.arrays import Array
from stochattn_core.metrics.dependence import block_sums, dependence
from stochattn_core.metrics.dispersion import deviation, deviation_by_block
from stochattn_core.metrics.ranks import w1
from stochattn_core.metrics.scores import SCORES, Evidence, Scale, by_event, scores, values_by_block
from stochattn_core.metrics.statistics import Statistics

LEVEL = 0.9
MOST_CALLS = 256  # of a function that computes one value at a time
Value = float | Array


@runtime_checkable
class NamedValues(Protocol):
    """A named tuple of values."""

    def _asdict(self) -> Mapping[str, Value]: ...


Scored = Value | Mapping[str, Value] | NamedValues
Interval = tuple[float, float] | tuple[Tensor, Tensor]
# Functions that compute all entries of the leading axis together: a step that may come before, and the form that keeps the leading axis.
# Any other function is called once for each block that is left out.
TOGETHER: dict[Callable[[Statistics], Scored], tuple[Callable[[Statistics], Statistics], Callable[[Statistics], Mapping[str, Tensor]]]] = {
    scores: (Statistics.pooled, values_by_block),
    by_event: (lambda statistics: statistics, values_by_block),
    deviation: (lambda statistics: statistics, lambda sums: deviation_by_block(sums)._asdict()),
}


class Estimate(NamedTuple):
    """A number with its interval, and the number of independent cases that would give an interval as wide. NaN where it is not known."""

    estimate: float
    low: float
    high: float
    n_effective: float = math.nan


class Inference(NamedTuple):
    """Estimates of several quantities together: each field (quantity,), but influence (block, quantity), in the scale of the interval.

    error: the standard error, in the scale of the interval.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_effective: np.ndarray
    error: np.ndarray
    influence: np.ndarray

    def at(self, place: int) -> Estimate:
        """Return one of the quantities."""
        return Estimate(*(float(values[place]) for values in self[:4]))


def infer(estimate: np.ndarray, without: np.ndarray, *, level: float = LEVEL, scale: Scale = "linear") -> Inference:
    """Return intervals of quantities from their values on all blocks and on all blocks but one.

    estimate: (quantity,).   without: (block, quantity), in the order of time.   level: of each interval.
    scale: "log" for positive quantities (one that is not positive has its interval on the linear scale), "share" for shares of 0 to 1.
    NaN where fewer than 2 blocks are given, and where the quantity is not finite with all blocks or with one of them left out.

    >>> x = np.random.default_rng(0).standard_normal(400)
    >>> found = infer(np.array([x.mean()]), ((x.sum() - x) / 399)[:, None])  # the mean of independent numbers
    >>> bool(np.isclose(found.error[0], x.std(ddof=1) / 20, rtol=0.1)), bool(found.low[0] < 0 < found.high[0])
    (True, True)
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval is a share between 0 and 1, got {level}; write 90% as 0.9")
    estimate, without = np.asarray(estimate, dtype=np.float64), np.asarray(without, dtype=np.float64)
    n, k = without.shape
    if n < 2 or not k:
        nothing = np.full(k, np.nan)
        return Inference(estimate, nothing, nothing, nothing, nothing, np.full((n, k), np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithmic = (estimate > 0) & (without > 0).all(0) if scale == "log" else np.zeros(k, dtype=bool)
        centre = np.where(logarithmic, np.log(estimate), estimate)
        influence = (n - 1) * (centre - np.where(logarithmic, np.log(without), without))
    known = np.isfinite(influence).all(0) & np.isfinite(centre)
    varied = dependence(np.where(known, influence, 0.0))
    effective = np.where(known, varied.n_effective, np.nan)
    error = np.where(known, np.sqrt(varied.variance / n), np.nan)
    reach = student(level, effective)
    if scale == "share":
        low, high = _wilson(estimate, error, n, reach)
    else:
        ends = centre - reach * error, centre + reach * error
        low, high = (np.where(logarithmic, np.exp(np.where(logarithmic, end, 0.0)), end) for end in ends)
    return Inference(estimate, low, high, effective, error, influence)


def student(level: float, n_effective: np.ndarray) -> np.ndarray:
    """Return the quantile of Student's t for a central interval, with n_effective - 1 degrees of freedom, at least 1."""
    from scipy import special  # imported late: it takes long, and the first map of the app does without it

    return special.stdtrit(np.maximum(n_effective - 1, 1.0), (1 + level) / 2)


def _wilson(share: np.ndarray, error: np.ndarray, n: int, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of a share, for as many independent cases as would have this standard error; n where it is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        worth = np.where(error > 0, share * (1 - share) / error**2, n)
        square = reach**2 / worth
        middle = (share + square / 2) / (1 + square)
        half = reach * np.sqrt(np.maximum(share * (1 - share), 0) / worth + square / (4 * worth)) / (1 + square)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


@overload
def intervals(
    statistics: Statistics, function: Callable[[Statistics], Mapping[str, float]], level: float = ...
) -> dict[str, tuple[float, float]]: ...


@overload
def intervals(
    statistics: Statistics, function: Callable[[Statistics], Mapping[str, np.ndarray] | Mapping[str, Tensor]], level: float = ...
) -> dict[str, tuple[Tensor, Tensor]]: ...


@overload
def intervals(statistics: Statistics, function: Callable[[Statistics], NamedValues], level: float = ...) -> dict[str, Interval]: ...


@overload
def intervals(statistics: Statistics, function: Callable[[Statistics], float], level: float = ...) -> tuple[float, float]: ...


@overload
def intervals(statistics: Statistics, function: Callable[[Statistics], Array], level: float = ...) -> Interval: ...


def intervals(statistics: Statistics, function: Callable[[Statistics], Scored], level: float = LEVEL) -> Interval | Mapping[str, Interval]:
    """Return the interval of any smooth function of Statistics, whose blocks are in the order of time.

    function: returns a number, an array, or a dict or named tuple of them; the names of SCORES have the scale of the score, all other values
    the linear scale. For weights, give statistics.pooled(weights).
    Returns (low, high) in the same form: floats for numbers, tensors for arrays; a dict of such pairs for a dict. NaN where fewer than 2
    blocks have a case, and where the function is NaN.
    Accuracy: with 20 effective cases, nominal 90% intervals hold 85 to 92%. A W1 near its floor is not smooth: compare it with `w1_floor`.

    >>> members, target = torch.tensor([[0.0, 1.0, 1.0], [2.0, 3.0, 4.0]]), torch.tensor([1.0, 4.0, 3.0])
    >>> low, high = intervals(Statistics.of(members, target, target, [0, 1, 2], 3), scores)["rmse"]
    >>> low < 1.19 < high
    True
    """
    before, together = TOGETHER.get(function, (lambda statistics: statistics, None))
    statistics = before(statistics)
    if together:
        values, without = _as_dict(together(statistics.total())), _as_dict(together(statistics.without_each()))
        values = {name: value[0] for name, value in values.items()}
    else:
        statistics = statistics.merged(MOST_CALLS)
        rest = statistics.without_each()
        values = _as_dict(function(statistics.total()))
        each = [_as_dict(function(rest.at(place))) for place in range(rest.n_block)]
        without = {name: torch.stack([other[name] for other in each]) if each else value[None][:0] for name, value in values.items()}
    ends = {name: _ends(name, value, without[name], level) for name, value in values.items()}
    return ends.get(_ALONE, ends)


_ALONE = ""  # the name of the only value of a function that returns no dict


def _as_dict(scored: Scored) -> dict[str, Tensor]:
    if isinstance(scored, NamedValues):
        scored = scored._asdict()
    named = scored if isinstance(scored, Mapping) else {_ALONE: scored}
    return {name: torch.as_tensor(value, dtype=torch.float64) for name, value in named.items()}


def _ends(name: str, value: Tensor, without: Tensor, level: float) -> Interval:
    scale = SCORES[name].scale if name in SCORES else "linear"
    found = infer(
        value.flatten().numpy(), without.flatten(1).numpy() if without.ndim > 1 else without[:, None].numpy(), level=level, scale=scale
    )
    low, high = (torch.from_numpy(end).reshape(value.shape) for end in (found.low, found.high))
    return (float(low), float(high)) if value.ndim == 0 else (low, high)


class W1Floor(NamedTuple):
    """The W1 of a perfect ensemble on cases with the same dependence as these."""

    expected: float
    upper: float  # exceeded by a perfect ensemble with probability 1 - level
    n_effective: float  # number of independent cases with the same expected W1, (0.313 / expected)^2


def w1_floor(statistics: Statistics, n_draw: int = 500, level: float = LEVEL, seed: int = 0) -> W1Floor:
    """Return the W1 of a calibrated ensemble on as many cases with the same dependence: a W1 below this noise shows nothing.

    F_u of a calibrated ensemble differs from the diagonal as sums over blocks of cases do that are given random signs; W1 of such a
    difference is a draw. The blocks are as long as the dependence of the ranks asks for, and the draws have its long-run variance.
    Returns W1Floor, no units; NaN where fewer than 2 blocks have a case.

    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(20, 1000, generator=generator)
    >>> floor = w1_floor(Statistics.of(x[1:], x[0], x[0], torch.arange(1000), 1000))
    >>> 0.008 < floor.expected < 0.012  # 0.313 / sqrt(1000) is 0.0099
    True
    """
    rank = statistics.pooled().used().rank.numpy()
    if len(rank) < 2:
        return W1Floor(torch.nan, torch.nan, torch.nan)
    k, n = rank.shape[1], rank.sum()
    influence = rank - rank.sum(1, keepdims=True) * (rank.sum(0) / n)  # of each block on the shares, times n
    # The dependence is that of smooth functions of the PIT, the first two Legendre polynomials: a single bar says little of it.
    at = (np.arange(k) + 0.5) / k - 0.5
    smooth = np.stack([influence @ at, influence @ at**2], 1)
    varied = dependence(smooth)
    length = int(min(max(varied.block_length), max(len(rank) // 10, 1)))
    sums = block_sums(influence, length)
    with np.errstate(invalid="ignore", divide="ignore"):
        wider = varied.variance / (np.square(block_sums(smooth, length)).sum(0) / (len(sums) * length))
    wider = float(np.nanmax(np.where(np.isfinite(wider), wider, 1.0)))
    sign = torch.randn(n_draw, len(sums), generator=torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()
    moved = torch.from_numpy((sign @ sums) * math.sqrt(max(wider, 1.0)) / n)
    noise = w1((1 / k + moved).T)
    expected = float(noise.mean())
    return W1Floor(expected, float(noise.quantile(level)), (0.3133 / expected) ** 2 if expected else torch.nan)


def evidence(statistics: Statistics, *, level: float = LEVEL) -> dict[str, Evidence]:
    """Return every quantity that a rule of SCORES judges, with its interval, by the name of the test.

    statistics: pooled, blocks in the order of time.   level: of each interval, whose ends are NaN where fewer than 2 blocks have a case.
    """
    by_chance = w1_floor(statistics).expected
    tested = [score for score in SCORES.values() if score.rule and score.tested]
    whole, rest = statistics.total(), statistics.without_each()
    evidences = {}
    for score in tested:
        assert score.rule is not None and score.tested is not None  # as `tested` was selected
        value, without = (score.tested(sums, by_chance).numpy() for sums in (whole, rest))
        found = infer(value, without[:, None], level=level, scale=score.rule.scale).at(0)
        found = found if math.isfinite(found.estimate) else Estimate(math.nan, math.nan, math.nan)
        evidences[score.rule.test] = Evidence(*found[:3], score.rule.at(statistics.n_member).words, found.n_effective)
    return evidences


def n_used(statistics: Statistics) -> int:
    """Return the number of blocks that have a case."""
    return int((statistics.n_case > 0).sum())
