"""The fair energy score of `metrics.energy`, compiled by Numba."""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.compiled import compiled

TILE = 64  # elements whose members are read together
VECTOR = 16  # the most numbers on which one step of a loop works


@compiled
def energy(members: np.ndarray, first: int, target: np.ndarray, weights: np.ndarray, scores: np.ndarray) -> None:
    """Write the fair energy score of each case to `scores`, (case,); NaN for one member.

    members, first, target: as in sum_kernels.add_cases.   weights: (event,), inside the square.
    The squared distances of all pairs of members are summed element by element; the pairs of one member with all others are one vector.
    """
    m = members.shape[0]
    n_case, n_event = target.shape
    padded = -(-m // VECTOR) * VECTOR
    x = np.empty((m, min(n_event, TILE)), members.dtype)
    error, between = np.zeros(padded), np.empty((m, padded))
    norm = np.empty(m)
    root = np.sqrt(weights)
    for case in range(n_case):
        between[:] = 0.0
        norm[:] = 0.0
        for place in range(0, n_event, TILE):
            n = min(TILE, n_event - place)
            x[:, :n] = members[:, first + case * n_event + place : first + case * n_event + place + n]
            for t in range(n):
                y = target[case, place + t]
                if math.isnan(y):
                    continue
                for j in range(m):
                    error[j] = (x[j, t] - y) * root[place + t]
                for j in range(m):
                    norm[j] += error[j] * error[j]
                for i in range(m - 1):
                    a = error[i]
                    start = (i + 1) // VECTOR * VECTOR
                    b, row = error[start:], between[i, start:]
                    for j in range(len(b)):
                        row[j] += (b[j] - a) * (b[j] - a)
        to_target = distance = 0.0
        for i in range(m):
            to_target += math.sqrt(norm[i])
            row = between[i]
            for j in range(padded):
                row[j] = math.sqrt(row[j])
            for j in range(i + 1, m):
                distance += row[j]
        scores[case] = to_target / m - distance / (m * (m - 1)) if m > 1 else np.nan


def warm() -> None:
    """Call the kernel once on one case, which compiles it, or loads its machine code."""
    for dtype in (np.float32, np.float64):
        energy(np.zeros((2, 1), dtype), 0, np.zeros((1, 1)), np.ones(1), np.zeros(1))
