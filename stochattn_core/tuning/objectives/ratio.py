"""Spread-skill ratio: the spread of the ensemble equals the error of its mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from stochattn_core.metrics.spread_skill import variance_factor
from stochattn_core.tuning.points import Point


def curve(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """(ratio - 1)^2: (replicate, point). Fair in the number of passes M; Fortin et al. (2014), JHM 15, 1708."""
    return np.square(ratio(points, counts) - 1)


def ratio(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """The spread-skill ratio, sqrt((M + 1) / M) spread / rmse: (replicate, point); NaN where the mean has no error."""
    ratios = []
    for point in points:
        sums, factor = point.statistics, variance_factor(point.statistics.n_member)
        ratios.append(np.sqrt(factor * (counts @ sums.variance).numpy() / _or_nan((counts @ sums.error_sq).numpy())))
    return np.stack(ratios, 1)


def _or_nan(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, math.nan)
