"""The numbers behind the plots, as arrays computed from Statistics: PIT histogram, coverage curve, spread against error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.intervals import LEVELS, attainable_coverage
from stochattn_core.metrics.ranks import rebin
from stochattn_core.metrics.significance import block_counts, central_interval, n_used
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
    level: float = 0.9,
    simultaneous: bool = True,
    n_replicate: int = 500,
    seed: int = 0,
) -> PitHistogram:
    """Return the histogram of the randomised PIT as a density, with the band that contains a calibrated ensemble.

    The bars are expectations over the randomisation, so that it adds no noise, and a calibrated ensemble is flat for any n_bin up to M + 1
    (if n_bin divides M + 1, a bin is a number of whole ranks; this is the default where it is possible).
    The band: the variance of each bin under calibration, (1/K)(1 - 1/K)/n, times its design effect. The design effect is the variance over
    block-bootstrap replicates divided by that of n independent elements, and at least 1. Simultaneous: wide enough for the largest
    standardised bar. Student's t with B - 1 degrees of freedom allows for a small number B of blocks. The band is NaN where fewer than 2
    blocks have a case.

    weights: broadcasts to *event.   Returns PitHistogram; densities have no units.

    >>> x = torch.randn(20, 500, generator=torch.Generator().manual_seed(0))
    >>> histogram = pit_histogram(Statistics.of(x[1:], x[0], x[0], torch.arange(500) % 50, 50))
    >>> len(histogram.density), bool(np.all((histogram.low < histogram.density) & (histogram.density < histogram.high)))
    (10, True)
    """
    pooled = statistics.pooled(weights)
    k = default_bins(pooled.n_member) if n_bin is None else n_bin
    share = rebin(pooled.rank.sum(0), k)
    n = float(statistics.n.sum())
    n_block = int((pooled.n_case > 0).sum())
    half, effect = torch.full_like(share, torch.nan), torch.full_like(share, torch.nan)
    if n_block > 1:
        from scipy import stats  # slow to import, and the app's first map does not need it

        counts = block_counts(pooled, n_replicate, seed)
        moved = rebin((counts @ pooled.rank).movedim(1, 0), k) - share[:, None]  # (bin, replicate)
        variance = moved.square().mean(1) * n_block / (n_block - 1)
        independent = share * (1 - share) / n
        effect = torch.where(independent > 0, variance / independent, 1.0).clamp(min=1)
        normal, student = stats.norm.ppf((1 + level) / 2), stats.t.ppf((1 + level) / 2, n_block - 1)
        reach = student
        if simultaneous:
            standard = moved.abs() / moved.square().mean(1, keepdim=True).sqrt().clamp(min=1e-300)
            reach = max(float(standard.amax(0).quantile(level)), normal) * student / normal
        half = reach * ((1 / k) * (1 - 1 / k) / n * effect).sqrt()
    return PitHistogram(
        edges=np.linspace(0, 1, k + 1),
        density=(share * k).numpy(),
        low=(1 - half * k).clamp(min=0).numpy(),
        high=(1 + half * k).numpy(),
        level=level,
        simultaneous=simultaneous,
        n=round(n),
        n_effective=n / float(effect.mean()),
        n_case=round(float(pooled.n_case.sum())),
        n_member=pooled.n_member,
    )


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Shares without units, and widths in the units of the target; each (level,)."""

    nominal: np.ndarray
    observed: np.ndarray
    low: np.ndarray  # band of `observed`, by block bootstrap
    high: np.ndarray
    attainable: np.ndarray  # coverage of a perfect ensemble of this many members
    width: np.ndarray


def coverage_curve(
    statistics: Statistics, *, weights: Tensor | None = None, level: float = 0.9, n_replicate: int = 500, seed: int = 0
) -> CoverageCurve:
    """Return observed and nominal coverage of the central intervals at 5%, 10%, ..., 95%, and their mean widths.

    Observed below nominal means that the ensemble is too narrow. (low, high) is a percentile interval of each point; NaN for one block.

    >>> x = torch.randn(50, 500, generator=torch.Generator().manual_seed(0))
    >>> curve = coverage_curve(Statistics.of(x[1:], x[0], x[0], torch.arange(500) % 50, 50))
    >>> bool(np.abs(curve.observed - curve.nominal).max() < 0.06)
    True
    """
    pooled = statistics.pooled(weights)
    n = pooled.n.sum()
    counts = block_counts(pooled, n_replicate, seed)
    replicates = (counts @ pooled.covered) / (counts @ pooled.n)[:, None]
    low, high = _band(replicates, level, pooled)
    return CoverageCurve(
        nominal=np.array(LEVELS),
        observed=(pooled.covered.sum(0) / n).numpy(),
        low=low,
        high=high,
        attainable=attainable_coverage(pooled.n_member).numpy(),
        width=(pooled.width.sum(0) / n).numpy(),
    )


@dataclass(frozen=True, eq=False)
class SpreadError:
    """Spread and error in bins of ascending spread, each (bin,); empty for one member. Calibrated: error = spread, on the diagonal."""

    spread: np.ndarray  # sqrt((M + 1) / M mean member variance), units of the target
    error: np.ndarray  # RMSE of the ensemble mean, same units
    low: np.ndarray  # band of `error`, by block bootstrap
    high: np.ndarray
    n: np.ndarray  # elements in the bin; weighted if the sums were


def binned_spread_error(
    statistics: Statistics, n_bin: int = 10, *, level: float = 0.9, n_replicate: int = 500, seed: int = 0
) -> SpreadError:
    """Return the RMSE of the ensemble mean among elements of similar spread: does the ensemble know when it is wrong?

    The statistics count elements in narrow fixed bins of spread, 8 an octave. This function merges them, in order, into at most n_bin bins
    of nearly equal counts; into fewer if one narrow bin has more than its part. The spread of M members is noisy itself, by about a share of
    1 / sqrt(2M), and this flattens the curve around its middle: 49 members of the same law have spreads that differ by 10%, and equal errors.

    >>> x = torch.randn(50, 500, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 9, 500)
    >>> bins = binned_spread_error(Statistics.of(x[1:], x[0], x[0], torch.arange(500) % 50, 50), 5)
    >>> bool(np.all(np.diff(bins.spread) > 0) and bins.error[-1] > 2 * bins.error[0])
    True
    """
    pooled = statistics.pooled()
    weight = pooled.bin_weight.sum(0)
    group = ((weight.cumsum(0) - weight / 2) / weight.sum() * n_bin).floor().long().clamp(0, n_bin - 1)
    groups, group = torch.unique(group, return_inverse=True)

    def merge(values: Tensor) -> Tensor:
        return torch.zeros(values.shape[0], len(groups), dtype=torch.float64).index_add_(1, group, values)

    n, error_sq, variance = merge(pooled.bin_weight), merge(pooled.bin_error_sq), merge(pooled.bin_variance)
    counts = block_counts(pooled, n_replicate, seed)
    low, high = _band(((counts @ error_sq) / (counts @ n)).sqrt(), level, pooled)
    return SpreadError(
        spread=(variance_factor(pooled.n_member) * variance.sum(0) / n.sum(0)).sqrt().numpy(),
        error=(error_sq.sum(0) / n.sum(0)).sqrt().numpy(),
        low=low,
        high=high,
        n=n.sum(0).numpy(),
    )


def _band(replicates: Tensor, level: float, statistics: Statistics) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the central interval over axis 0; NaN where fewer than 2 blocks have a case."""
    if not replicates.numel():
        unknown = np.full(replicates.shape[1:], np.nan)
        return unknown, unknown
    low, high = central_interval(replicates, level, enough=n_used(statistics) > 1)
    return low.numpy(), high.numpy()
