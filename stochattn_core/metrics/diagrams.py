"""The numbers behind the plots, as arrays computed from Statistics: PIT histogram, coverage curve, spread against error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.dependence import block_sums, dependence
from stochattn_core.metrics.intervals import LEVELS, attainable_coverage
from stochattn_core.metrics.ranks import rebin
from stochattn_core.metrics.significance import LEVEL, infer, student
from stochattn_core.metrics.spread_skill import variance_factor
from stochattn_core.metrics.statistics import Statistics


@dataclass(frozen=True, eq=False)
class PitHistogram:
    """density (bin,) is 1 when calibrated; (low, high), each (bin,), is the band around 1 that contains a calibrated ensemble."""

    edges: np.ndarray  # (bin + 1,)
    density: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    simultaneous: bool  # the band contains all bars together with probability `level`; if False, each bar with that probability
    n: int  # elements with a target
    n_effective: float  # number of independent elements that would give equally uncertain bars
    n_case: int
    n_member: int


def default_bins(n_member: int) -> int:
    """Return the divisor of M + 1 nearest to 10, if there is one from 5 to 20; otherwise 10, or M + 1 if that is fewer.

    >>> [default_bins(m) for m in (1, 9, 16, 32, 49, 100)]
    [2, 10, 17, 11, 10, 10]
    """
    k = n_member + 1
    divisors = [n for n in range(5, 21) if k % n == 0]
    return min(divisors, key=lambda n: (abs(n - 10), n)) if divisors else min(10, k)


def pit_histogram(
    statistics: Statistics,
    n_bin: int | None = None,
    *,
    weights: Tensor | None = None,
    level: float = LEVEL,
    simultaneous: bool = True,
) -> PitHistogram:
    """Return the histogram of the randomised PIT as a density, with the band that contains a calibrated ensemble.

    The bars are expectations over the randomisation, so that it adds no noise, and a calibrated ensemble is flat for any n_bin up to M + 1
    (if n_bin divides M + 1, a bin is a number of whole ranks; this is the default where it is possible).
    The band: the variance of each bin under calibration, (1/K)(1 - 1/K)/n, times its design effect, the long-run variance of the bar
    divided by the variance for n independent elements, and at least 1. Simultaneous: wide enough for the largest standardised bar.
    Student's t allows for a small number of effective cases. The band is NaN where fewer than 2 blocks have a case.

    weights: broadcasts to *event.   Returns PitHistogram; densities have no units.

    >>> x = torch.randn(20, 500, generator=torch.Generator().manual_seed(0))
    >>> histogram = pit_histogram(Statistics.of(x[1:], x[0], x[0], torch.arange(500) % 50, 50))
    >>> len(histogram.density), bool(np.all((histogram.low < histogram.density) & (histogram.density < histogram.high)))
    (10, True)
    """
    pooled = statistics.pooled(weights).used()
    k = default_bins(pooled.n_member) if n_bin is None else n_bin
    share = rebin(pooled.rank.sum(0), k)
    n = float(statistics.n.sum())
    half, effective = np.full(k, np.nan), math.nan
    n_block = len(pooled.rank)
    if n_block > 1:
        counts = pooled.rank.sum(1)
        inside = (rebin(pooled.rank.T, k) * counts).nan_to_num()  # (bin, block)
        influence = ((inside - share[:, None] * counts) / counts.mean()).T.numpy()
        varied = dependence(influence)
        # The variance of a bar over that of n independent elements: elements of one block may depend, and blocks on one another.
        independent = (share * (1 - share)).numpy() / n
        with np.errstate(invalid="ignore", divide="ignore"):
            effect = np.maximum(np.where(independent > 0, varied.variance / n_block / independent, 1.0), 1.0)
        effective = n / float(effect.mean())
        reach = float(student(level, varied.n_effective.mean(keepdims=True))[0])
        if simultaneous:
            reach *= _simultaneous(influence, int(varied.block_length.max()), level)
        half = reach * np.sqrt((1 / k) * (1 - 1 / k) / n * effect)
    return PitHistogram(
        edges=np.linspace(0, 1, k + 1),
        density=(share * k).numpy(),
        low=np.maximum(1 - half * k, 0),
        high=1 + half * k,
        level=level,
        simultaneous=simultaneous,
        n=round(n),
        n_effective=effective,
        n_case=round(float(pooled.n_case.sum())),
        n_member=pooled.n_member,
    )


def _simultaneous(influence: np.ndarray, length: int, level: float, n_draw: int = 500) -> float:
    """Return by how much a band for all columns (block, column) together is wider than a band for each of them, at least 1.

    Sums over blocks of cases with random normal factors have the correlations of the columns.
    """
    sums = block_sums(influence, max(min(length, len(influence) // 10), 1))
    size = np.sqrt(np.square(sums).sum(0))
    draws = np.abs(np.random.default_rng(0).standard_normal((n_draw, len(sums))) @ sums) / np.where(size > 0, size, 1.0)
    return max(float(np.quantile(draws.max(1), level)) / NormalDist().inv_cdf((1 + level) / 2), 1.0)


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Shares without units, and widths in the units of the target; each (level,)."""

    nominal: np.ndarray
    observed: np.ndarray
    low: np.ndarray  # band of `observed`
    high: np.ndarray
    attainable: np.ndarray  # coverage of a perfect ensemble of this many members
    width: np.ndarray


def coverage_curve(statistics: Statistics, *, weights: Tensor | None = None, level: float = LEVEL) -> CoverageCurve:
    """Return observed and nominal coverage of the central intervals at 5%, 10%, ..., 95%, and their mean widths.

    Observed below nominal means that the ensemble is too narrow. (low, high) is the interval of each point; NaN for one block.

    >>> x = torch.randn(50, 500, generator=torch.Generator().manual_seed(0))
    >>> curve = coverage_curve(Statistics.of(x[1:], x[0], x[0], torch.arange(500) % 50, 50))
    >>> bool(np.abs(curve.observed - curve.nominal).max() < 0.06)
    True
    """
    pooled = statistics.pooled(weights)
    n, rest = pooled.n.sum(), pooled.without_each()
    found = infer((pooled.covered.sum(0) / n).numpy(), (rest.covered / rest.n[:, None]).numpy(), level=level, scale="share")
    return CoverageCurve(
        nominal=np.array(LEVELS),
        observed=found.estimate,
        low=found.low,
        high=found.high,
        attainable=attainable_coverage(pooled.n_member).numpy(),
        width=(pooled.width.sum(0) / n).numpy(),
    )


@dataclass(frozen=True, eq=False)
class SpreadError:
    """Spread and error in bins of ascending spread, each (bin,); empty for one member. Calibrated: error = spread, on the diagonal."""

    spread: np.ndarray  # sqrt((M + 1) / M mean member variance), units of the target
    error: np.ndarray  # RMSE of the ensemble mean, same units
    low: np.ndarray  # band of `error`
    high: np.ndarray
    n: np.ndarray  # elements in the bin; weighted if the sums were


def binned_spread_error(statistics: Statistics, n_bin: int = 10, *, level: float = LEVEL) -> SpreadError:
    """Return the RMSE of the ensemble mean among elements of similar spread: does the ensemble know when it is wrong?

    The statistics count elements in narrow fixed bins of spread, 8 an octave. This function merges them, in order, into at most n_bin bins
    of nearly equal counts; into fewer if one narrow bin has more than its part. The spread of M members is noisy itself, by about a share of
    1 / sqrt(2M), and this flattens the curve around its middle: 49 members of the same law have spreads that differ by 10%, and equal errors.

    >>> x = torch.randn(50, 500, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 9, 500)
    >>> bins = binned_spread_error(Statistics.of(x[1:], x[0], x[0], torch.arange(500) % 50, 50), 5)
    >>> bool(np.all(np.diff(bins.spread) > 0) and bins.error[-1] > 2 * bins.error[0])
    True
    """
    pooled = statistics.pooled().used()
    weight = pooled.bin_weight.sum(0)
    group = ((weight.cumsum(0) - weight / 2) / weight.sum() * n_bin).floor().long().clamp(0, n_bin - 1)
    groups, group = torch.unique(group, return_inverse=True)

    def merge(values: Tensor) -> Tensor:
        return torch.zeros(values.shape[0], len(groups), dtype=torch.float64).index_add_(1, group, values)

    n, error_sq, variance = merge(pooled.bin_weight), merge(pooled.bin_error_sq), merge(pooled.bin_variance)
    without = (error_sq.sum(0) - error_sq) / (n.sum(0) - n)
    found = infer((error_sq.sum(0) / n.sum(0)).sqrt().numpy(), without.sqrt().numpy(), level=level, scale="log")
    return SpreadError(
        spread=(variance_factor(pooled.n_member) * variance.sum(0) / n.sum(0)).sqrt().numpy(),
        error=found.estimate,
        low=found.low,
        high=found.high,
        n=n.sum(0).numpy(),
    )
