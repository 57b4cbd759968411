"""The sums of `metrics.tails`, compiled by Numba: few members reach into a tail, so that no sort is needed."""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.compiled import compiled


@compiled
def add_tail(
    members: np.ndarray,
    first: int,
    target: np.ndarray,
    block: np.ndarray,
    threshold: np.ndarray,
    is_upper: bool,
    reference: np.ndarray,
    of_members: np.ndarray,
    of_climatology: np.ndarray,
) -> None:
    """Add the threshold-weighted CRPS of each case to the sums (block, event): fair for the members, plain for the climatology.

    members, first, target, block: as in sum_kernels.add_cases.   threshold: (event,).   reference: (event, reference), sorted; the same in
    all cases. Elements without a target add nothing; one member adds NaN.
    """
    m, n_event, n_reference = members.shape[0], target.shape[1], reference.shape[1]
    beyond = np.empty(m)
    excess = np.empty(n_reference)
    cumulated = np.empty((n_event, n_reference + 1))
    spread = np.empty(n_event)
    for t in range(n_event):
        cumulated[t, 0] = spread[t] = 0.0
        for r in range(n_reference):
            place = r if is_upper else n_reference - 1 - r  # so that the excess rises
            excess[r] = _excess(reference[t, place], threshold[t], is_upper)
            cumulated[t, r + 1] = cumulated[t, r] + excess[r]
            spread[t] += (2 * r + 1 - n_reference) * excess[r]
        spread[t] /= n_reference * n_reference
    for case in range(target.shape[0]):
        for t in range(n_event):
            y = target[case, t]
            if math.isnan(y):
                continue
            truth = _excess(y, threshold[t], is_upper)
            n_beyond = 0
            total = error = between = 0.0
            for j in range(m):
                value = _excess(members[j, first + case * n_event + t], threshold[t], is_upper)
                error += abs(value - truth)
                if value > 0.0:
                    for i in range(n_beyond):
                        between += abs(value - beyond[i])
                    beyond[n_beyond] = value
                    total += value
                    n_beyond += 1
            between += (m - n_beyond) * total  # each of the others is at the threshold
            of_members[block[case], t] += error / m - between / (m * (m - 1)) if m > 1 else np.nan
            below, above = 0, n_reference
            while below < above:  # how many values of the climatology have a smaller excess
                middle = (below + above) // 2
                if cumulated[t, middle + 1] - cumulated[t, middle] < truth:
                    below = middle + 1
                else:
                    above = middle
            lower = cumulated[t, below]
            distance = below * truth - lower + (cumulated[t, n_reference] - lower) - (n_reference - below) * truth
            of_climatology[block[case], t] += distance / n_reference - spread[t]


@compiled
def _excess(value: float, threshold: float, is_upper: bool) -> float:
    """Return how far a value lies beyond the threshold, 0 on the other side."""
    return max(value - threshold, 0.0) if is_upper else max(threshold - value, 0.0)


def warm() -> None:
    """Call the kernel once on one case, which compiles it, or loads its machine code."""
    for dtype in (np.float32, np.float64):
        sums = np.zeros((1, 1)), np.zeros((1, 1))
        add_tail(np.zeros((2, 1), dtype), 0, np.zeros((1, 1)), np.zeros(1, np.int64), np.zeros(1), True, np.zeros((1, 1)), *sums)
