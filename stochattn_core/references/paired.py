"""The ratio of the sums of two methods over the same cases, with an interval: what is hard for one is hard for the other."""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.metrics.significance import LEVEL, Estimate, infer

UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def paired_ratio(method: np.ndarray, reference: np.ndarray, *, root: bool = False, level: float = LEVEL) -> Estimate:
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
        return Estimate(estimate, *((estimate, estimate) if n > 1 else (math.nan, math.nan)), n)
    estimate = (total / of_reference) ** power
    with np.errstate(divide="ignore", invalid="ignore"):  # one block may hold all of the errors
        without = (np.maximum(total - method, 0) / np.maximum(of_reference - reference, 0)) ** power
    return infer(np.array([estimate]), without[:, None], level=level, scale="log").at(0)
