"""How sure is nu*? Two answers that know nothing of one another: cases drawn again, and the posterior of the power law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stochattn_core.metrics.significance import block_counts
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import Curve
from stochattn_core.tuning.points import Point

LEVEL = 0.9
N_REPLICATE = 1000
Ends = tuple[float, float]


def resampled_optima(points: Sequence[Point], curve: Curve, *, n_replicate: int = N_REPLICATE, seed: int = 0) -> np.ndarray:
    """nu* again and again, with the blocks of the calibration part drawn with replacement: (replicate,).

    Passes are drawn independently in every case, so that drawing cases again draws their passes again too: both the finite calibration part
    and the finite number of passes are in it. Percentiles of this are short by about 1 / n_block.
    """
    counts = block_counts(points[0].statistics, n_replicate, seed)
    return minimum(np.array([point.concentration for point in points]), curve(points, counts))


def ends(draws: np.ndarray, low: float, high: float) -> Ends:
    """The central interval of LEVEL, within the range that was searched; all of it where nothing is known."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return low, high
    found = np.clip(np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]), low, high)
    return float(found[0]), float(found[1])


def wider(intervals: Mapping[str, Ends]) -> Ends:
    """The interval that spans the larger factor: what is exported."""
    return max(intervals.values(), key=lambda one: one[1] / one[0])
