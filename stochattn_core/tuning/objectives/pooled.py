"""Pooled dispersion: a pass strays from the plain output as far as the plain output errs, over all outputs together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from stochattn_core.tuning.points import Point


def curve(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """E[(d - d0)^2] over the passes, d and d0 pooled over all outputs: (replicate, point).

    counts: (replicate, block), how often each block of cases is taken. For k independent Gaussian outputs, its optimum is at E[chi_k]^2 / k
    of the right spread. Source: Yadav, Adebiyi, Zhang (2026), arXiv 2604.19530; the authors pool each norm over all calibration outputs.
    """
    costs = []
    for point in points:
        deviation, error = point.pooled(counts)
        costs.append(np.square(deviation - error[:, None]).mean(1))
    return np.stack(costs, 1)
