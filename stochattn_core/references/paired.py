"""The ratio of the sums of two methods over the same cases, with an interval: what is hard for one is hard for the other."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

LEVEL = 0.9


class PairedRatio(NamedTuple):
    """A ratio with its interval.   n_effective: the number of independent cases that would give an interval as wide.

    The estimate is NaN where there is nothing to compare; the ends alone are NaN where there are too few cases for an interval.
    """

    estimate: float
    low: float
    high: float
    n_effective: float


UNKNOWN = PairedRatio(math.nan, math.nan, math.nan, math.nan)


def paired_ratio(method: np.ndarray, reference: np.ndarray, *, root: bool = False, level: float = LEVEL) -> PairedRatio:
    """Return the sum of method over the sum of reference, or the square root of it, with its interval at this level.

    method, reference: (block,), sums of a score over the same blocks of cases, 0 or more, in the order of time.   root: for squared errors.
    A ratio to 0 is infinite, with an interval as infinite where there are two blocks or more; 0 to 0 is NaN.
    """
    total, of_reference, n = float(method.sum()), float(reference.sum()), len(method)
    if not (math.isfinite(total) and math.isfinite(of_reference)) or (total == 0 and of_reference == 0):
        return UNKNOWN
    power = 0.5 if root else 1.0
    if total == 0 or of_reference == 0:
        estimate = 0.0 if total == 0 else math.inf
        return PairedRatio(estimate, estimate, estimate, n) if n > 1 else PairedRatio(estimate, math.nan, math.nan, n)
    estimate = (total / of_reference) ** power
    from scipy import special  # imported late: it takes long, and the first map of the app does without it

    influence = power * n * (method / total - reference / of_reference)
    reach = special.stdtrit(max(n - 1, 1), (1 + level) / 2) * influence.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    return PairedRatio(estimate, estimate * math.exp(-reach), estimate * math.exp(reach), float(n))
