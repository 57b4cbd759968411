"""The arithmetic of `eager.py`, one row after another, compiled by Numba: the same stream, the same sums, the same draws.

The numbers of the stream and the points in the cumulated row have the same bits as in `eager`, so every drawn key is the same, however it
is searched; values are added in the order of the draws. Only exp and log, in the Poisson chain, may differ in the last bit, which changes
a count with a probability of about 1e-15. Rows are independent, so any part of them can be handed to any thread.
Constants of other modules are compiled in, and Numba recognises stored code by the content of this file alone: after changing such a
constant, edit this file. All samplers stand in one file, with the stream and the search that they call, for the same reason.
"""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.compiled import compiled
from stochattn_core.sampling import eager, stream

GAMMA = np.uint64(stream.GAMMA)
_MULTIPLY_1, _MULTIPLY_2 = (np.uint64(multiplier) for multiplier in stream.MULTIPLIERS)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = (np.uint64(shift) for shift in stream.SHIFTS)
_MANTISSA = np.uint64(12)
_DRAW, _POISSON, _REJECTION, _TOP_UP = (
    np.uint64((1 + purpose) * stream.GAMMA & stream.WORD) for purpose in (stream.DRAW, stream.POISSON, stream.REJECTION, stream.TOP_UP)
)
_ATTEMPT = np.uint64(16 * stream.GAMMA & stream.WORD)
_ONE = np.uint64(1)
_TOGETHER = 4  # rows cumulated side by side: each sum waits for the one before it in its row, but not for those of the other rows
_LEFT_TO_SEARCH = eager.LEFT_TO_SEARCH
_HALF_LOG_2PI = eager.HALF_LOG_2PI
_STIRLING_BELOW_10 = np.array(eager.STIRLING_BELOW_10)


@compiled
def mix(word: np.uint64) -> np.uint64:
    """Return the word of the stream for an address, 64 bits to 64. As in stream."""
    word ^= word >> _SHIFT_1
    word *= _MULTIPLY_1
    word ^= word >> _SHIFT_2
    word *= _MULTIPLY_2
    return word ^ (word >> _SHIFT_3)


@compiled
def _uniform(key: np.uint64, draw: np.uint64) -> float:
    return (np.float64(mix(key + (draw + _ONE) * GAMMA) >> _MANTISSA) + 0.5) * 2.0**-52


@compiled
def _points(key: np.uint64, n_draw: int, total: float, points: np.ndarray) -> None:
    """Write n_draw points of a row, below its total. As in eager._points."""
    below = np.nextafter(total, 0.0)
    for draw in range(n_draw):
        points[draw] = min(_uniform(key, np.uint64(draw)) * total, below)


@compiled
def _levels(n_key: int) -> int:
    """Return how many halvings find one of n_key keys."""
    levels = 0
    while (1 << levels) < n_key:
        levels += 1
    return levels


@compiled
def _search(cumulated: np.ndarray, points: np.ndarray, n_draw: int, levels: int, drawn: np.ndarray) -> None:
    """Write how many entries are at most the point. Both are given as the bits of positive floats, which have the order of the floats.

    All draws take one step before any takes the next: a loop over the steps of one draw would compile to branches, ten times slower.
    """
    drawn[:n_draw] = 0
    half = np.int64(1) << levels
    for _ in range(levels):
        half >>= 1
        for draw in range(n_draw):
            below = drawn[draw]
            drawn[draw] = below + (((cumulated[np.uint64(below + half - 1)] - points[draw] - 1) >> 63) & half)


@compiled
def _cumulate(mass: np.ndarray, row: int, n_row: int, cumulated: np.ndarray) -> None:
    """Write the sums of n_row rows, from this one on, in the order of the keys."""
    n_key = mass.shape[1]
    if n_row == _TOGETHER:
        a = b = c = d = 0.0
        for key in range(n_key):
            a += mass[row, key]
            b += mass[row + 1, key]
            c += mass[row + 2, key]
            d += mass[row + 3, key]
            cumulated[0, key] = a
            cumulated[1, key] = b
            cumulated[2, key] = c
            cumulated[3, key] = d
    else:
        for i in range(n_row):
            a = 0.0
            for key in range(n_key):
                a += mass[row + i, key]
                cumulated[i, key] = a


@compiled
def mean_of_draws(mass: np.ndarray, keys: np.ndarray, n_draw: int, values: np.ndarray, out: np.ndarray, first: int, last: int) -> None:
    """As eager.mean_of_draws, for the rows from first to last.

    mass: (head * row, key) float32, keys: (fold, head * row) uint64, values: (head, key, feature) float32
    -> out, (fold, head * row, feature) float32.
    """
    n_key, n_feature = values.shape[1:]
    n_fold = keys.shape[0]
    row_per_head = mass.shape[0] // values.shape[0]
    levels = _levels(n_key)
    cumulated = np.full((_TOGETHER, 1 << levels), np.inf)
    bits = cumulated.view(np.int64)
    points = np.empty(n_fold * n_draw)
    drawn = np.zeros((_TOGETHER, n_fold * n_draw), np.int64)
    n_draw32 = np.float32(n_draw)
    for start in range(first, last, _TOGETHER):
        n_row = min(_TOGETHER, last - start)
        _cumulate(mass, start, n_row, cumulated)
        for i in range(n_row):
            total = cumulated[i, n_key - 1]
            if math.isfinite(total) and total > 0:
                for fold in range(n_fold):
                    _points(mix(keys[fold, start + i] + _DRAW), n_draw, total, points[fold * n_draw : (fold + 1) * n_draw])
                _search(bits[i], points.view(np.int64), n_fold * n_draw, levels, drawn[i])
        for i in range(n_row):
            head, row = np.uint64((start + i) // row_per_head), start + i
            for fold in range(n_fold):
                end = (fold + 1) * n_draw
                out[fold, row] = 0.0
                for draw in range(
                    fold * n_draw, end - 3, 4
                ):  # four at a time, in their order, so that the sum is read and written less often
                    a, b = np.uint64(drawn[i, draw]), np.uint64(drawn[i, draw + 1])
                    c, d = np.uint64(drawn[i, draw + 2]), np.uint64(drawn[i, draw + 3])
                    for feature in range(n_feature):
                        so_far = out[fold, row, feature] + values[head, a, feature] + values[head, b, feature]
                        out[fold, row, feature] = so_far + values[head, c, feature] + values[head, d, feature]
                for draw in range(end - n_draw % 4, end):
                    a = np.uint64(drawn[i, draw])
                    for feature in range(n_feature):
                        out[fold, row, feature] += values[head, a, feature]
                total = cumulated[i, n_key - 1]
                if math.isfinite(total) and total > 0:
                    for feature in range(n_feature):
                        out[fold, row, feature] /= n_draw32
                else:
                    out[fold, row] = 0.0 if math.isfinite(total) else np.nan


@compiled
def counts_by_search(mass: np.ndarray, keys: np.ndarray, n_draw: int, out: np.ndarray, first: int, last: int) -> None:
    """As eager.counts_by_search, for the rows from first to last: (row, key) float32 mass, (row,) uint64 keys -> out, (row, key) float32."""
    n_key = mass.shape[1]
    levels = _levels(n_key)
    cumulated = np.full((_TOGETHER, 1 << levels), np.inf)
    bits = cumulated.view(np.int64)
    points = np.empty(n_draw)
    drawn = np.empty(n_draw, np.int64)
    for start in range(first, last, _TOGETHER):
        n_row = min(_TOGETHER, last - start)
        _cumulate(mass, start, n_row, cumulated)
        for i in range(n_row):
            total = cumulated[i, n_key - 1]
            if math.isfinite(total) and total > 0:
                _points(mix(keys[start + i] + _DRAW), n_draw, total, points)
                _search(bits[i], points.view(np.int64), n_draw, levels, drawn)
                out[start + i] = 0.0
                for draw in range(n_draw):
                    out[start + i, np.uint64(drawn[draw])] += np.float32(1.0)
            else:
                out[start + i] = 0.0 if math.isfinite(total) else np.nan


@compiled
def _poisson_small(
    key: np.uint64,
    mean: np.ndarray,
    counts: np.ndarray,
    running: np.ndarray,
    term: np.ndarray,
    cumulated: np.ndarray,
    uniform: np.ndarray,
) -> None:
    """Write Poisson counts of the keys whose mean is below 10, as eager._poisson_inversion; the last four arrays are scratch."""
    n_running = 0
    for j in range(len(mean)):
        running[np.uint64(n_running)] = j
        n_running += (mean[j] > 0) & (mean[j] < 10)
        if mean[j] < 10:
            counts[j] = 0.0
            term[j] = cumulated[j] = math.exp(-mean[j])
            uniform[j] = _uniform(key, np.uint64(j))
    # One step for all keys that still count up, then the next: key by key, the end of each key would be a mispredicted branch.
    for count in range(1, 200):
        if not n_running:
            break
        reciprocal = 1.0 / count
        n_left = 0
        for i in range(n_running):
            place = np.uint64(running[np.uint64(i)])
            above = uniform[place] >= cumulated[place]
            counts[place] += above
            term[place] *= mean[place] * reciprocal
            cumulated[place] += term[place]
            running[np.uint64(n_left)] = place
            n_left += above
        n_running = n_left


@compiled
def _candidate(mean: float, u: float) -> tuple[float, float, float, float]:
    """Return Hoermann's transformed uniform and the inputs of his squeeze and of his test: (count, us, a, b)."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    us = 0.5 - abs(u)
    return np.floor((2 * a / us + b) * u + mean + 0.43), us, a, b


@compiled
def _poisson_large(
    key: np.uint64,
    mean: np.ndarray,
    counts: np.ndarray,
    doubtful: np.ndarray,
    tried: np.ndarray,
    ratio: np.ndarray,
    fraction: np.ndarray,
    rest: np.ndarray,
) -> None:
    """Write Poisson counts of the keys whose mean is 10 or more, as eager.poisson; the last five arrays are scratch.

    Hoermann's squeeze accepts most candidates at once. The others are listed and tested. The loop over all keys has neither a branch
    nor a logarithm, either of which would prevent the processor from working on several keys at once.
    """
    u_key, v_key = mix(key + _REJECTION + np.uint64(2) * _ATTEMPT), mix(key + _REJECTION + np.uint64(3) * _ATTEMPT)
    for j in range(len(mean)):
        count, us, _, b = _candidate(mean[j], _uniform(u_key, np.uint64(j)) - 0.5)
        sure = (us >= 0.07) & (_uniform(v_key, np.uint64(j)) <= 0.9277 - 3.6224 / (b - 2))
        counts[j] = count if sure else -1.0
    n_doubtful = 0
    for j in range(len(mean)):
        doubtful[np.uint64(n_doubtful)] = j
        n_doubtful += (counts[j] < 0) & (mean[j] >= 10)
    attempt = np.uint64(2)
    while n_doubtful:
        u_key, v_key = mix(key + _REJECTION + attempt * _ATTEMPT), mix(key + _REJECTION + (attempt + _ONE) * _ATTEMPT)
        for i in range(n_doubtful):
            rest[i] = mean[np.uint64(doubtful[i])]
        for i in range(n_doubtful):
            mu, place = rest[i], np.uint64(doubtful[i])
            v = _uniform(v_key, place)
            count, us, a, b = _candidate(mu, _uniform(u_key, place) - 0.5)
            tried[i] = -1.0 if (us < 0.013) & (v > us) else count
            ratio[i] = v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b) * math.sqrt(max(count, 1.0))
        for i in range(n_doubtful):
            mu, count_1 = rest[i], max(tried[i], 1.0)
            inverse = 1 / count_1
            square = inverse * inverse
            series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
            fraction[i] = mu / count_1
            rest[i] = (tried[i] - mu) - (_HALF_LOG_2PI + series)
        n_left = 0
        for i in range(n_doubtful):
            place = np.uint64(doubtful[i])
            count = tried[i]
            if 0 <= count < 10:
                rest[i] = (count - mean[place]) - _STIRLING_BELOW_10[np.uint64(count)]
            accepted = (count >= 0) & (math.log(ratio[i]) <= count * math.log(fraction[i]) + rest[i])
            counts[place] = count
            doubtful[np.uint64(n_left)] = place
            n_left += not accepted
        n_doubtful = n_left
        attempt += np.uint64(2)


@compiled
def counts_by_chain(mass: np.ndarray, keys: np.ndarray, n_draw: int, out: np.ndarray, first: int, last: int) -> None:
    """As eager.counts_by_chain, for the rows from first to last: (row, key) float32 mass, (row,) uint64 keys -> out, (row, key) float32."""
    n_key = mass.shape[1]
    levels = _levels(n_key)
    cumulated = np.full((_TOGETHER, 1 << levels), np.inf)
    bits = cumulated.view(np.int64)
    most = max(2 * n_key, _LEFT_TO_SEARCH)
    points = np.empty(most)
    drawn = np.empty(most, np.int64)
    mean, batch, counts, listed = np.empty(n_key), np.empty(n_key), np.empty(n_key), np.empty(n_key + 1, np.int64)
    scratch = np.empty(n_key), np.empty(n_key), np.empty(n_key), np.empty(n_key)
    for start in range(first, last, _TOGETHER):
        n_row = min(_TOGETHER, last - start)
        _cumulate(mass, start, n_row, cumulated)
        for i in range(n_row):
            row, total = start + i, cumulated[i, n_key - 1]
            if not (math.isfinite(total) and total > 0):
                out[row] = 0.0 if math.isfinite(total) else np.nan
                continue
            counts[:] = 0.0
            left = n_draw
            attempt = np.uint64(0)
            while left > most:
                wanted = max(left - 2.5 * math.sqrt(left), 1.0)
                for j in range(n_key):
                    mean[j] = wanted * (mass[row, j] / total)
                batch_key = mix(keys[row] + _POISSON + attempt * _ATTEMPT)
                _poisson_large(batch_key, mean, batch, listed, *scratch)
                _poisson_small(batch_key, mean, batch, listed, *scratch[:3])
                n_drawn = 0
                for j in range(n_key):
                    n_drawn += int(batch[j])
                if n_drawn <= left:
                    left -= n_drawn
                    for j in range(n_key):
                        counts[j] += batch[j]
                attempt += _ONE
            if left > 0:
                _points(mix(keys[row] + _TOP_UP), left, total, points)
                _search(bits[i], points.view(np.int64), left, levels, drawn)
                for draw in range(left):
                    counts[np.uint64(drawn[draw])] += 1.0
            for j in range(n_key):
                out[row, j] = counts[j]


def warm() -> None:
    """Call every kernel once on one row, which compiles it or loads its compiled code."""
    mass, keys, out = np.ones((1, 2), np.float32), np.zeros(1, np.uint64), np.empty((1, 2), np.float32)
    mean_of_draws(mass, keys[None], 1, np.ones((1, 2, 2), np.float32), out[None], 0, 1)
    counts_by_search(mass, keys, 1, out, 0, 1)
    counts_by_chain(mass, keys, 1, out, 0, 1)
