"""The interval of nu*, by the method of every other interval: each block is left out once, and the dependence of neighbours is counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.significance import LEVEL, Estimate, Inference, infer

__all__ = ["LEVEL", "inference_of", "within"]


def inference_of(statistics: Statistics, optima: Callable[[Tensor], np.ndarray], level: float = LEVEL) -> Inference:
    """Return nu* with its interval, on the logarithmic scale.

    statistics: pooled, blocks in the order of time.   optima: from counts (replicate, block), how often each block is taken, to nu*
    (replicate,), not cut at the ends of the range that was searched: there an interval would collapse.
    Passes are drawn independently in every case, so that leaving cases out leaves their passes out too: the interval covers both the finite
    calibration part and the finite number of passes.
    """
    used = statistics.n_case > 0
    every = used.to(torch.float64)[None]
    without = (every - torch.eye(statistics.n_block, dtype=torch.float64))[used]
    estimate, *others = optima(torch.cat([every, without]) if len(without) > 1 else every)
    return infer(np.array([estimate]), np.array(others).reshape(-1, 1), level=level, scale="log")


def within(found: Estimate, first: float, last: float) -> tuple[float, float]:
    """Return the interval within the range that was searched; the whole range where it is not known."""
    if not (np.isfinite(found.low) and np.isfinite(found.high)):
        return first, last
    return float(np.clip(found.low, first, last)), float(np.clip(found.high, first, last))
