"""PIT distance W1 under a CRPS bound: the flattest rank histogram among concentrations whose fair CRPS is nearly the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.ranks import w1
from stochattn_core.tuning.objectives import fair_crps
from stochattn_core.tuning.points import Point

BOUND = 1.05  # times the least fair CRPS: by W1 alone, climatology would win


def curve(points: Sequence[Point], counts: Tensor) -> np.ndarray:
    """W1, inf where the fair CRPS exceeds BOUND times its least value over the points: (replicate, point)."""
    crps = fair_crps.curve(points, counts)
    distance = torch.stack([w1((counts @ point.statistics.rank).T) for point in points], 1).numpy()
    return np.where(crps <= BOUND * np.nanmin(crps, 1, keepdims=True), distance, np.inf)
