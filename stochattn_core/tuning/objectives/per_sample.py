"""Dispersion case by case: each pass strays in each case as far as the plain output errs in that case."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stochattn_core.tuning.points import Point


def curve(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """E[(d_i - d0_i)^2] over passes and cases i: (replicate, point). The other way to read the paper's objective; biased low, see `bias`."""
    return _mean(points, counts, lambda found: found.cost.mean(1))


def averaged(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """E[(mean over passes of d_i, minus d0_i)^2] over cases: (replicate, point).

    With M passes of a Gaussian output it settles at a^2 / (a^2 + (1 - a^2) / M) of the right spread, a = sqrt(2 / pi): .98 for 32 passes.
    """
    return _mean(points, counts, lambda found: found.averaged)


def bias(n_output: int) -> float:
    """The share of the right spread at which `curve` settles for n_output independent Gaussian outputs a case: E[chi_k]^2 / k.

    >>> round(bias(1), 3), round(bias(20), 3)
    (0.637, 0.975)
    """
    k = n_output
    return 2 / k * math.exp(2 * (math.lgamma((k + 1) / 2) - math.lgamma(k / 2)))


def _mean(points: Sequence[Point], counts: Tensor, of) -> np.ndarray:
    counts = counts.to(torch.float64)
    return torch.stack([counts @ of(point.per_sample) / (counts @ point.per_sample.n) for point in points], 1).numpy()
