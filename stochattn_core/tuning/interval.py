"""The interval of nu*, found in two independent ways: a block bootstrap, and the posterior of the power law and of the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.significance import block_counts

LEVEL = 0.9
N_REPLICATE = 1000
N_DRAW = 2000
Ends = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Resampled:
    """nu* of resampled cases.

    estimate: of the cases as they are.   replicates: (replicate,), blocks drawn with replacement.   without: (block,), each block left out once.
    """

    estimate: float
    replicates: np.ndarray
    without: np.ndarray

    def ends(self, low: float, high: float) -> Ends:
        """The central interval of LEVEL, within the range that was searched; the whole range where there is only one block.

        It is bias-corrected and accelerated: an error is a mean of squares, which is skewed, and plain percentiles lie above the truth too
        often. Student's t takes the place of the normal quantile, without which the percentiles of B blocks give too short an interval.
        Sources: Efron (1987), JASA 82, 171; Hesterberg (2015), American Statistician 69, 371, for the t.
        """
        from scipy import stats  # imported late: it takes long, and the first map of the app does without it

        without = self.without[np.isfinite(self.without)]
        n = len(without)
        known = self.replicates[np.isfinite(self.replicates)]
        if n < 2 or not len(known):
            return low, high
        # At an end of the range many replicates are equal: the smallest correction that they allow is taken.
        shares = np.clip([(known < self.estimate).mean(), (known <= self.estimate).mean()], 0.5 / len(known), 1 - 0.5 / len(known))
        shift = np.clip(0.0, *stats.norm.ppf(shares))
        influence = np.log(without).mean() - np.log(without)
        size = np.square(influence).sum()
        skew = (influence**3).sum() / (6 * size**1.5) if size > 0 else 0.0
        reach = shift + np.array([-1, 1]) * stats.t.ppf((1 + LEVEL) / 2, n - 1) * (n / (n - 1)) ** 0.5
        share = stats.norm.cdf(shift + reach / np.maximum(1 - skew * reach, 1e-9))
        bounds = np.clip(np.quantile(known, share), low, high)
        return float(bounds[0]), float(bounds[1])


def resampled(statistics: Statistics, optima: Callable[[Tensor], np.ndarray], *, seed: int = 0) -> Resampled:
    """nu* of resampled blocks. optima: from counts (replicate, block), how often each block is taken, to nu* (replicate,).

    Passes are drawn independently in every case, so that resampling cases resamples their passes too: the interval covers both the finite
    calibration part and the finite number of passes.
    """
    used = statistics.n_case > 0
    all_blocks = used.to(torch.float64)[None]
    left_out = (all_blocks - torch.eye(statistics.n_block, dtype=torch.float64))[used]
    estimate, *without = optima(torch.cat([all_blocks, left_out]) if len(left_out) > 1 else all_blocks)
    return Resampled(float(estimate), optima(block_counts(statistics, N_REPLICATE, seed)), np.array(without or [estimate]))


def error_draws(error_sq: np.ndarray, weight: np.ndarray, *, n_draw: int = N_DRAW, seed: int = 0) -> np.ndarray:
    """Draws of d0 from its posterior: (n_draw,). error_sq, weight: (block,) sums of squared errors of the plain model, and their weights.

    With k independent normal errors, the posterior of their mean square is a scaled inverse chi-square. k is the number of such errors that
    would vary as these blocks do: fewer than there are outputs where errors depend on one another or have long tails. k is itself an
    estimate, and is drawn too.
    """
    used = weight > 0
    error_sq, weight = error_sq[used], weight[used]
    error, n = (error_sq.sum() / weight.sum()) ** 0.5, len(weight)
    if n < 2 or not error > 0:
        return np.full(n_draw, np.nan if n < 2 else 0.0)
    rng = np.random.default_rng([seed, 1])  # another stream than the draws of the power law
    variance = n / (n - 1) * np.square(error_sq / error_sq.sum() - weight / weight.sum()).sum()
    worth = np.minimum(2 / max(variance, 1e-300) * rng.chisquare(n - 1, n_draw) / (n - 1), weight.sum())
    return error * (worth / np.maximum(rng.chisquare(worth), 1e-300)) ** 0.5


def ends(draws: np.ndarray, low: float, high: float) -> Ends:
    """The central interval of LEVEL of draws of nu*, within the range that was searched; the whole range where no draw is finite."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return low, high
    bounds = np.clip(np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]), low, high)
    return float(bounds[0]), float(bounds[1])


def wider(intervals: Mapping[str, Ends]) -> Ends:
    """The interval that spans the larger factor; it is the one that is exported."""
    return max(intervals.values(), key=lambda interval: interval[1] / interval[0])
