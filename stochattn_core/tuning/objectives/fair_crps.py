"""Fair CRPS: the score that the ensemble would have with infinitely many members, as a probabilistic forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stochattn_core.tuning.points import Point


def curve(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """Mean fair CRPS, in the units of the target: (replicate, point). Ferro (2014), QJRMS 140, 1917."""
    return torch.stack([counts @ point.statistics.crps_fair / (counts @ point.statistics.n) for point in points], 1).numpy()
