"""The sums of `sums` for one tile of elements after another, compiled by Numba: each member is read once.

A tile is as many neighbouring elements as have their members in the nearest cache. They are sorted side by side, by a network whose every
step compares two members of all elements, which the processor does for a vector at a time; then each element adds its errors, in float64.
Only sums of gaps between sorted errors are kept: CRPS and widths are weighted sums of those (`cpu`), no term of which is negative.
Constants of other modules are compiled in, and Numba looks at this file alone: after changing one of theirs, edit this file.
"""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.compiled import compiled
from stochattn_core.metrics.statistics import BIN_PER_OCTAVE, BIN_SLACK, LEAST_SPREAD

TILE_NUMBERS = 8192  # members x elements of a tile: 32 or 64 KB
TILE = 64  # elements of a tile of the energy score
VECTOR = 16  # numbers that a loop takes at once at the most
# What is kept of an element, one number each; rank, alpha, beta and coverage follow.
N, PLAIN_SQ, PLAIN_ABS, ERROR, ERROR_SQ, VARIANCE, DRIFT_SQ, CLIMATE_CRPS, CLIMATE_VARIANCE, N_MOMENT = range(10)
_LEAST_VARIANCE = LEAST_SPREAD**2
_BIN_PER_DOUBLING = 0.5 * BIN_PER_OCTAVE  # of the variance
LOWEST_BIN = int(_BIN_PER_DOUBLING * math.log2(_LEAST_VARIANCE))
N_BIN = int(_BIN_PER_DOUBLING * 1024) - LOWEST_BIN + 1


@compiled
def sorting_network(n):
    """Pairs (low, high) to compare in turn: Batcher's merge exchange, for any n. Source: Knuth, TAOCP 3, algorithm 5.2.2M."""
    pairs = np.empty((n * n // 2 + 1, 2), np.int64)
    n_pair = 0
    top = 1
    while 2 * top < n:
        top *= 2
    p = top
    while p > 0 and n > 1:
        q, r, d = top, 0, p
        while True:
            for i in range(n - d):
                if i & p == r:
                    pairs[n_pair, 0], pairs[n_pair, 1] = i, i + d
                    n_pair += 1
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return pairs[:n_pair].copy()


@compiled
def _load(members, first, x, width):
    """Members of a tile, and how many are not finite."""
    wrong = 0
    for j in range(x.shape[0]):
        for t in range(width):
            value = members[j, first + t]
            x[j, t] = value
            wrong += not (abs(value) < np.inf)
    return wrong


@compiled
def _moments(x, width, mean, variance):
    """Mean and variance (ddof 1) over the members of each element; with one member the variance is 0 and for nobody."""
    m = x.shape[0]
    mean[:width] = 0.0
    variance[:width] = 0.0
    for j in range(m):
        for t in range(width):
            mean[t] += x[j, t]
    for t in range(width):
        mean[t] /= m
    for j in range(m):
        for t in range(width):
            deviation = x[j, t] - mean[t]
            variance[t] += deviation * deviation
    for t in range(width):
        variance[t] /= max(m - 1, 1)


@compiled
def _sort(x, pairs, width):
    for pair in range(len(pairs)):
        low, high = x[pairs[pair, 0]], x[pairs[pair, 1]]
        for t in range(width):
            a, b = low[t], high[t]
            low[t] = a if a < b else b
            high[t] = b if a < b else a


@compiled
def _holds(error, covered, below, equal, low, part, certain):
    """Adds to `covered` at each level whose interval holds the target, and at n_level + l when it and all wider ones surely do.

    error: sorted errors, of which `below` are under 0 and `equal` are 0.   low, part: (2, level), the order statistic below each end and
    how far beyond it the end lies.   certain: (2, member + 1), the first level whose end is surely beyond 0, when it has so many to go.
    """
    n_level = low.shape[1]
    m = len(error)
    first = max(certain[0, below + equal], certain[1, below])
    covered[n_level + first] += 1.0
    for level in range(first - 1, -1, -1):
        i, k = low[0, level], low[1, level]
        if i > below + equal - 1 or k < below - 1:
            break  # surely not, nor any narrower
        lower = error[i] + part[0, level] * (error[min(i + 1, m - 1)] - error[i])
        upper = error[k] + part[1, level] * (error[min(k + 1, m - 1)] - error[k])
        if lower <= 0 and upper >= 0:
            covered[level] += 1.0


@compiled
def _distance(reference, y):
    """Sum over the reference of its distance from y; four sums, so that none waits for the one before."""
    a = b = c = d = 0.0
    n = len(reference)
    for k in range(0, n - 3, 4):
        a += abs(reference[k] - y)
        b += abs(reference[k + 1] - y)
        c += abs(reference[k + 2] - y)
        d += abs(reference[k + 3] - y)
    for k in range(n - n % 4, n):
        a += abs(reference[k] - y)
    return (a + b) + (c + d)


@compiled
def add_cases(
    members,  # (member, element) float32 or float64, element = case * n_event + place in the event
    first,  # element of the first case there
    target,  # (case, event) float64, NaN where missing
    plain,  # (case, event) float64
    block,  # (case,) int64
    weights,  # (event,) float64
    pairs,  # sorting_network
    low,  # (2, level), see _holds
    part,
    certain,
    reference,  # (event, reference) float64; none: (event, 0)
    reference_distance,  # (event,) E|X - X'| / 2 of the reference
    climate_sd,  # (1 or case, event) float64
    by_element,  # (block, event, ...) float64, added to: N_MOMENT numbers, rank, alpha, beta, covered, surely covered from here on
    by_head,  # (block, head, 2 + member), added to: weight, squared error of plain, squared deviation of each member from plain
    variance,  # (case, event), written
    error_sq,  # (case, event), written
    bins,  # (case, event) int64, written: bin of the spread above the lowest, -1 where there is none
):
    """Adds the cases of a chunk to the sums. Returns how many members, plain values and targets are not finite."""
    m = members.shape[0]
    n_case, n_event = target.shape
    if n_case * n_event == 0:
        return 0, 0, 0
    per_head = n_event // by_head.shape[1]
    tile = max(16, TILE_NUMBERS // m)
    width = min(n_event, tile)
    n_together = max(1, tile // n_event)  # cases of a tile
    x = np.empty((m, max(width, n_together * n_event)), members.dtype)
    mean, spread_sq = np.empty(x.shape[1]), np.empty(x.shape[1])
    error = np.empty(m)
    wrong_members = wrong_plain = wrong_target = 0
    end_rank = N_MOMENT + m + 1
    end_alpha = end_rank + m + 1
    end_beta = end_alpha + m + 1
    for place in range(0, n_event, width):
        for case in range(0, n_case, n_together):
            n = min(width, n_event - place) if n_together == 1 else min(n_together, n_case - case) * n_event
            wrong_members += _load(members, first + case * n_event + place, x, n)
            _moments(x, n, mean, spread_sq)
            for t in range(n):
                i, e = (case, place + t) if n_together == 1 else (case + t // n_event, t % n_event)
                f, y = plain[i, e], target[i, e]
                wrong_plain += not math.isfinite(f)
                wrong_target += math.isinf(y)
                bins[i, e] = -1
                if math.isnan(y):
                    continue
                head, weight = by_head[block[i], e // per_head], weights[e]
                head[0] += weight
                head[1] += weight * (f - y) ** 2
                for j in range(m):
                    deviation = x[j, t] - f
                    head[2 + j] += weight * (deviation * deviation)
            _sort(x, pairs, n)
            for t in range(n):
                i, e = (case, place + t) if n_together == 1 else (case + t // n_event, t % n_event)
                f, y = plain[i, e], target[i, e]
                if math.isnan(y):
                    continue
                below = equal = 0
                for j in range(m):
                    error[j] = x[j, t] - y
                    below += error[j] < 0
                    equal += error[j] == 0
                sums = by_element[block[i], e]
                sums[N] += 1.0
                sums[PLAIN_SQ] += (f - y) ** 2
                sums[PLAIN_ABS] += abs(f - y)
                sums[ERROR] += mean[t] - y
                sums[ERROR_SQ] += (mean[t] - y) ** 2
                sums[VARIANCE] += spread_sq[t]
                sums[DRIFT_SQ] += (mean[t] - f) ** 2
                if reference.shape[1]:
                    sums[CLIMATE_CRPS] += _distance(reference[e], y) / reference.shape[1] - reference_distance[e]
                sums[CLIMATE_VARIANCE] += climate_sd[i if len(climate_sd) > 1 else 0, e] ** 2
                rank, alpha, beta = sums[N_MOMENT:end_rank], sums[end_rank:end_alpha], sums[end_alpha:end_beta]
                for j in range(below, below + equal + 1):
                    rank[j] += 1 / (equal + 1)
                for j in range(1, below):
                    alpha[j] += error[j] - error[j - 1]
                for j in range(below + 1, m):
                    beta[j] += error[j] - error[j - 1]
                if below > 0:
                    alpha[below] -= error[below - 1]
                if below < m:
                    beta[below] += error[below]
                if m > 1:
                    _holds(error, sums[end_beta:], below, equal, low, part, certain)
                    bins[i, e] = math.floor(_BIN_PER_DOUBLING * math.log2(max(spread_sq[t], _LEAST_VARIANCE)) + BIN_SLACK) - LOWEST_BIN
                variance[i, e], error_sq[i, e] = spread_sq[t], (mean[t] - y) ** 2
    return wrong_members, wrong_plain, wrong_target


@compiled
def energy(members, first, target, weights, scores):
    """Fair energy score of each case, NaN for one member; arguments as those of add_cases.   scores: (case,), written.

    Squared distances of all pairs of members grow element by element: the pairs of one member with all others are one vector.
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
            _load(members, first + case * n_event + place, x, n)
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


@compiled
def add_bins(bins, place, variance, error_sq, block, weights, by_bin):
    """Adds a chunk to (block, bin, head, 3), weight, variance and squared error. place: (N_BIN,), index of each bin in by_bin."""
    n_case, n_event = bins.shape
    per_head = n_event // by_bin.shape[2]
    for i in range(n_case):
        for e in range(n_event):
            if bins[i, e] >= 0:
                sums = by_bin[block[i], place[bins[i, e]], e // per_head]
                sums[0] += weights[e]
                sums[1] += weights[e] * variance[i, e]
                sums[2] += weights[e] * error_sq[i, e]


def warm() -> None:
    """Call every kernel once on one case, which compiles it, or loads what was compiled."""
    one, whole, place = np.zeros((1, 1)), np.zeros(1, np.int64), np.zeros((1, 1), np.int64)
    for dtype in (np.float32, np.float64):
        by_element, by_head = np.zeros((1, 1, N_MOMENT + 3 * 3 + 3)), np.zeros((1, 1, 4))
        ends = np.zeros((2, 1), np.int64), np.zeros((2, 1)), np.zeros((2, 3), np.int64)
        members, scratch = np.zeros((2, 1), dtype), (np.zeros((1, 1)), np.zeros((1, 1)), place)
        add_cases(
            members, 0, one, one, whole, np.ones(1), sorting_network(2), *ends, one, np.zeros(1), one, by_element, by_head, *scratch
        )  # fmt: skip
        energy(members, 0, one, np.ones(1), np.zeros(1))
    add_bins(np.zeros((1, 1), np.int64), np.zeros(N_BIN, np.int64), one, one, whole, np.ones(1), np.zeros((1, 1, 1, 3)))
