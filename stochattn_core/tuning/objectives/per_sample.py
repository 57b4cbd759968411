"""Per-sample dispersion: in each case, a pass strays from the plain output as far as the plain output errs in that case."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.dispersion import PerSample
from stochattn_core.tuning.points import Point


def curve(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """E[(d_i - d0_i)^2] over passes and cases i: (replicate, point). The other way to read the paper's objective; biased low, see `bias`."""
    return _mean(points, counts, lambda sums: sums.cost.mean(1))


def averaged(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """E[(mean over passes of d_i, minus d0_i)^2] over cases: (replicate, point).

    With M passes of a Gaussian output, its optimum is at a^2 / (a^2 + (1 - a^2) / M) of the right spread, a = sqrt(2 / pi): .98 for 32 passes.
    """
    return _mean(points, counts, lambda sums: sums.averaged)


def bias(n_output: int) -> float:
    """The share of the right spread at the optimum of `curve`, for n_output independent Gaussian outputs in each case: E[chi_k]^2 / k.

    >>> round(bias(1), 3), round(bias(20), 3)
    (0.637, 0.975)
    """
    k = n_output
    return 2 / k * math.exp(2 * (math.lgamma((k + 1) / 2) - math.lgamma(k / 2)))


def _mean(points: Sequence[Point], counts: Tensor, sum_of: Callable[[PerSample], Tensor]) -> np.ndarray:
    """The mean over cases of a sum by block: (replicate, point)."""
    counts = counts.to(torch.float64)
    means = []
    for point in points:
        if point.per_sample is None:
            raise ValueError(f"expected points with sums for each case, got none at concentration {point.concentration}; use Point.of")
        means.append(counts @ sum_of(point.per_sample) / (counts @ point.per_sample.n))
    return torch.stack(means, 1).numpy()
