"""The sums of `sums`, computed tile by tile of elements and compiled by Numba: each member is read once.

A tile is a group of neighbouring elements of one block, so many that their members and their sums fit into the nearest cache. Every step is
one loop over the LANES of the tile, without a branch, so that the processor works on a vector of elements. A sorting network sorts the
members: each of its steps compares two of them. Each element has sums of its own, in float64, until the block changes. Missing elements, and
lanes without an element, are 0 throughout and add 0.
Only sums of gaps between sorted errors are stored: CRPS and widths are weighted sums of these gaps (`compiled_sums`), and no term of them is
negative.
Numba compiles in the constants of other modules and looks for changes in this file only: after a change of such a constant, edit this file.
For the same reason all steps are in one file with the loop that calls them: Numba would not see a change in another file.
"""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.compiled import compiled
from stochattn_core.metrics.bins import BIN_PER_OCTAVE, BIN_SLACK, LEAST_SPREAD

LANES = 64  # elements of a tile; a constant, so that the compiler can unroll the loops
# The sums of an element that are one number each; deviation_sq, rank, alpha, beta and coverage follow them.
N, PLAIN_SQ, PLAIN_ABS, ERROR, ERROR_SQ, VARIANCE, DRIFT_SQ, CLIMATE_CRPS, CLIMATE_VARIANCE, N_MOMENT = range(10)
_LEAST_VARIANCE = LEAST_SPREAD**2
_BIN_PER_DOUBLING = BIN_PER_OCTAVE // 2  # of the variance
LOWEST_BIN = int(_BIN_PER_DOUBLING * math.log2(_LEAST_VARIANCE))
N_BIN = _BIN_PER_DOUBLING * 1024 - LOWEST_BIN + 1
_MANTISSA_BITS = 52
_MANTISSA = 2**_MANTISSA_BITS - 1
_BIN_ENDS = tuple(int(np.float64(2 ** (i / _BIN_PER_DOUBLING)).view(np.int64)) & _MANTISSA for i in range(1, _BIN_PER_DOUBLING))
_BIN_SLACK = 2 ** (BIN_SLACK / _BIN_PER_DOUBLING)


@compiled
def sorting_network(n: int) -> np.ndarray:
    """Return the pairs (low, high) to compare in turn, (pair, 2) int64: Batcher's merge exchange, for any n. Source: Knuth, TAOCP 3, algorithm 5.2.2M."""
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
def _load(members: np.ndarray, column: int, n: int, x: np.ndarray, mean: np.ndarray) -> int:
    """Write the members of the n elements from `column` on, 0 in the lanes after them, and their mean. Return how many are not finite."""
    m = len(x)
    mean[:] = 0.0
    for j in range(m):
        if n == LANES:
            for t in range(LANES):
                x[j, t] = members[j, column + t]
        else:
            for t in range(LANES):
                x[j, t] = members[j, column + t] if t < n else 0.0
        for t in range(LANES):
            mean[t] += x[j, t]
    suspect = False
    for t in range(LANES):
        mean[t] /= m
        suspect |= not (abs(mean[t]) < np.inf)
    wrong = 0
    if suspect:
        for j in range(m):
            for t in range(LANES):
                wrong += not (abs(x[j, t]) < np.inf)
    return wrong


@compiled
def _squares(x: np.ndarray, mean: np.ndarray, plain: np.ndarray, variance: np.ndarray, deviation_sq: np.ndarray) -> None:
    """Write the variance (ddof = 1; 0 for one member, where it is not used), and add the squared deviations from `plain`: (member, LANES)."""
    m = len(x)
    variance[:] = 0.0
    for j in range(m):
        for t in range(LANES):
            variance[t] += (x[j, t] - mean[t]) ** 2
            deviation_sq[j, t] += (x[j, t] - plain[t]) ** 2
    for t in range(LANES):
        variance[t] /= max(m - 1, 1)


@compiled
def _moments(seen: np.ndarray, target: np.ndarray, plain: np.ndarray, mean: np.ndarray, variance: np.ndarray, sums: np.ndarray) -> None:
    """Add the counts, errors and squares of one tile: (N_MOMENT, LANES)."""
    for t in range(LANES):
        sums[N, t] += seen[t]
        sums[PLAIN_SQ, t] += (plain[t] - target[t]) ** 2
        sums[PLAIN_ABS, t] += abs(plain[t] - target[t])
    for t in range(LANES):
        sums[ERROR, t] += mean[t] - target[t]
        sums[ERROR_SQ, t] += (mean[t] - target[t]) ** 2
    for t in range(LANES):
        sums[VARIANCE, t] += variance[t]
        sums[DRIFT_SQ, t] += (mean[t] - plain[t]) ** 2


@compiled
def _sort(x: np.ndarray, pairs: np.ndarray) -> None:
    """Sort the members of every lane in place."""
    for pair in range(len(pairs)):
        low, high = x[pairs[pair, 0]], x[pairs[pair, 1]]
        for t in range(LANES):
            a, b = low[t], high[t]
            low[t] = a if a < b else b
            high[t] = b if a < b else a


@compiled
def _errors(x: np.ndarray, target: np.ndarray, seen: np.ndarray, error: np.ndarray, share: np.ndarray) -> None:
    """Write the errors of the sorted members, and the probability of each possible rank of the target: 1, or 1 / (e + 1) for e errors of 0."""
    share[:] = 1.0
    for j in range(len(x)):
        for t in range(LANES):
            e = x[j, t] - target[t]
            error[j, t] = e
            share[t] += e == 0
    for t in range(LANES):
        share[t] = seen[t] / share[t]


@compiled
def _ranks(error: np.ndarray, share: np.ndarray, rank: np.ndarray) -> None:
    """Add to (member + 1, LANES): the target has rank j when error j - 1 is at most 0 and error j at least 0."""
    m = len(error)
    for t in range(LANES):
        rank[0, t] += share[t] * (error[0, t] >= 0)
        rank[m, t] += share[t] * (error[m - 1, t] <= 0)
    for j in range(1, m):
        for t in range(LANES):
            rank[j, t] += share[t] * ((error[j - 1, t] <= 0) & (error[j, t] >= 0))


@compiled
def _gaps(error: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> None:
    """Add to (member + 1, LANES) the part of each gap between sorted errors that lies below 0, and the part above 0."""
    m = len(error)
    for t in range(LANES):
        beta[0, t] += max(error[0, t], 0.0)
        alpha[m, t] -= min(error[m - 1, t], 0.0)
    for j in range(1, m):
        for t in range(LANES):
            alpha[j, t] += min(error[j, t], 0.0) - min(error[j - 1, t], 0.0)
            beta[j, t] += max(error[j, t], 0.0) - max(error[j - 1, t], 0.0)


@compiled
def _covered(error: np.ndarray, seen: np.ndarray, low: np.ndarray, part: np.ndarray, covered: np.ndarray) -> None:
    """Add 1 to (level, LANES) where the interval contains the target.

    low, part: (2, level), the order statistic below each end of the interval, and the share of the gap between it and the end.
    """
    last = len(error) - 1
    for level in range(low.shape[1]):
        a, b = error[low[0, level]], error[min(low[0, level] + 1, last)]
        c, d = error[low[1, level]], error[min(low[1, level] + 1, last)]
        below, above = part[0, level], part[1, level]
        for t in range(LANES):
            lower = a[t] + below * (b[t] - a[t])
            upper = c[t] + above * (d[t] - c[t])
            covered[level, t] += seen[t] * ((lower <= 0) & (upper >= 0))


@compiled
def _spread_bins(variance: np.ndarray, raised: np.ndarray, bins: np.ndarray) -> None:
    """Write floor(_BIN_PER_DOUBLING log2 variance) - LOWEST_BIN, found from the exponent and the mantissa of the number."""
    for t in range(LANES):
        raised[t] = max(variance[t], _LEAST_VARIANCE) * _BIN_SLACK
    bits = raised.view(np.int64)
    for t in range(LANES):
        inside = 0
        for end in _BIN_ENDS:
            inside += (bits[t] & _MANTISSA) >= end
        bins[t] = ((bits[t] >> _MANTISSA_BITS) - 1023) * _BIN_PER_DOUBLING + inside - LOWEST_BIN


@compiled
def _add_tile(
    x: np.ndarray, seen: np.ndarray, target: np.ndarray, plain: np.ndarray, pairs: np.ndarray, low: np.ndarray, part: np.ndarray,
    mean: np.ndarray, variance: np.ndarray, error: np.ndarray, share: np.ndarray, raised: np.ndarray, bins: np.ndarray,
    moments: np.ndarray, deviation_sq: np.ndarray, rank: np.ndarray, alpha: np.ndarray, beta: np.ndarray, covered: np.ndarray,
) -> None:  # fmt: skip
    """Make every step for one tile.

    A function of its own, because the compiler assumes that the arrays given by a caller do not overlap, or checks it once a loop.
    """
    _squares(x, mean, plain, variance, deviation_sq)
    _moments(seen, target, plain, mean, variance, moments)
    _sort(x, pairs)
    _errors(x, target, seen, error, share)
    _ranks(error, share, rank)
    _gaps(error, alpha, beta)
    _covered(error, seen, low, part, covered)
    _spread_bins(variance, raised, bins)


@compiled
def _distance(reference: np.ndarray, y: float) -> float:
    """Return the sum of the distances of the reference values from y; four partial sums, so that no addition waits for the one before."""
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
def _fold(sums: np.ndarray, place: int, width: int, n_together: int, by_element: np.ndarray) -> None:
    """Add the sums of a tile to those of a block, (..., event), and set them to 0.

    The tile holds `width` elements of the event, from `place` on, of each of n_together cases.
    """
    for row in range(len(sums)):
        for case in range(n_together):
            for t in range(width):
                by_element[row, place + t] += sums[row, case * width + t]
    sums[:] = 0.0


@compiled
def add_cases(
    members: np.ndarray,  # (member, element) float32 or float64, element = case * n_event + place in the event
    first: int,  # element of the first case there
    target: np.ndarray,  # (case, event) float64, NaN where missing
    plain: np.ndarray,  # (case, event) float64
    block: np.ndarray,  # (case,) int64, ascending or nearly: at each change the sums of a tile are added to their block
    pairs: np.ndarray,  # sorting_network
    low: np.ndarray,  # (2, level), see _covered
    part: np.ndarray,
    reference: np.ndarray,  # (event, reference) float64; none: (event, 0)
    reference_distance: np.ndarray,  # (event,) E|X - X'| / 2 of the reference
    climate_sd: np.ndarray,  # (0, 1 or case, event) float64
    by_element: np.ndarray,  # (block, ..., event) float64, added to: N_MOMENT numbers, deviation_sq, rank, alpha, beta, covered
    variance: np.ndarray,  # (case, event), written
    error_sq: np.ndarray,  # (case, event), written
    bins: np.ndarray,  # (case, event) int64, written: bin of the spread above the lowest, -1 where there is none
    used: np.ndarray,  # (N_BIN,) bool, True where there is a spread
) -> tuple[int, int, int]:
    """Add the cases of a chunk to the sums. Return how many members, plain values and targets are not finite."""
    m = len(members)
    n_case, n_event = target.shape
    flat_target, flat_plain = target.reshape(-1), plain.reshape(-1)
    flat_variance, flat_error_sq, flat_bins = variance.reshape(-1), error_sq.reshape(-1), bins.reshape(-1)
    x, error = np.empty((m, LANES), members.dtype), np.empty((m, LANES))
    seen, y, f, mean = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    spread_sq, share, raised = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    bin_of = np.empty(LANES, np.int64)
    sums = np.zeros((by_element.shape[1], LANES))
    after_rank = N_MOMENT + m + m + 1
    kinds = (
        sums[:N_MOMENT], sums[N_MOMENT : N_MOMENT + m], sums[N_MOMENT + m : after_rank], sums[after_rank : after_rank + m + 1],
        sums[after_rank + m + 1 : after_rank + 2 * m + 2], sums[after_rank + 2 * m + 2 :],
    )  # fmt: skip
    wrong_members = wrong_plain = wrong_target = 0
    for place in range(0, n_event, LANES):
        width = min(n_event - place, LANES)
        n_together = LANES // width if width == n_event else 1
        case = 0
        while case < n_case:
            end = min(case + n_together, n_case)
            while block[end - 1] != block[case]:
                end -= 1
            start, n = case * n_event + place, (end - case) * width
            wrong_members += _load(members, first + start, n, x, mean)
            for t in range(LANES):
                seen[t] = y[t] = f[t] = 0.0
            for t in range(n):
                y_t, f_t = flat_target[start + t], flat_plain[start + t]
                wrong_plain += not (abs(f_t) < np.inf)
                wrong_target += abs(y_t) == np.inf
                if y_t == y_t:
                    seen[t], y[t], f[t] = 1.0, y_t, f_t
                else:
                    x[:, t] = 0.0
                    mean[t] = 0.0
            _add_tile(x, seen, y, f, pairs, low, part, mean, spread_sq, error, share, raised, bin_of, *kinds)
            for t in range(n):
                flat_variance[start + t], flat_error_sq[start + t] = spread_sq[t], (mean[t] - y[t]) ** 2
                flat_bins[start + t] = -1
                if seen[t] > 0 and m > 1:
                    flat_bins[start + t] = bin_of[t]
                    used[bin_of[t]] = True
            if reference.shape[1] or len(climate_sd):
                for t in range(n):
                    i, e = case + t // width, place + t % width
                    if seen[t] > 0 and reference.shape[1]:
                        sums[CLIMATE_CRPS, t] += _distance(reference[e], y[t]) / reference.shape[1] - reference_distance[e]
                    if seen[t] > 0 and len(climate_sd):
                        sums[CLIMATE_VARIANCE, t] += climate_sd[i if len(climate_sd) > 1 else 0, e] ** 2
            if end == n_case or block[end] != block[case]:
                _fold(sums, place, width, n_together, by_element[block[case]])
            case = end
    return wrong_members, wrong_plain, wrong_target


@compiled
def add_bins(
    bins: np.ndarray,
    place: np.ndarray,
    variance: np.ndarray,
    error_sq: np.ndarray,
    block: np.ndarray,
    weights: np.ndarray,
    by_bin: np.ndarray,
) -> None:
    """Add the weights, variances and squared errors of a chunk to by_bin, (block, bin, head, 3).

    place: (N_BIN,), the index of each bin in by_bin.   The other arguments as add_cases writes them.
    """
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
    """Call every kernel once on one case, which compiles it, or loads its machine code."""
    number, block, place = np.zeros((1, 1)), np.zeros(1, np.int64), np.zeros((1, 1), np.int64)
    for dtype in (np.float32, np.float64):
        by_element, used = np.zeros((1, N_MOMENT + 2 + 3 * 3 + 1, 1)), np.zeros(N_BIN, np.bool_)
        ends = np.zeros((2, 1), np.int64), np.zeros((2, 1))
        members = np.zeros((2, 1), dtype)
        add_cases(
            members,
            0,
            number,
            number,
            block,
            sorting_network(2),
            *ends,
            number,
            np.zeros(1),
            number,
            by_element,
            number,
            number,
            place,
            used,
        )
    add_bins(np.zeros((1, 1), np.int64), np.zeros(N_BIN, np.int64), number, number, block, np.ones(1), np.zeros((1, 1, 1, 3)))
