"""The Triton kernels of `gpu.py`. Importing this module needs triton; the Python that runs on the device is only what is decorated.

Masses are 2^(score - level) with level the block's highest score, in units of log 2, rounded up. A block's sum is taken in whole units of
2^-24, and sums of masses in floating point change only by powers of two, so that the second reading meets the first one's total bit for bit,
in whatever order a device adds.
"""

import triton
import triton.language as tl

GAMMA = tl.constexpr(0x9E3779B97F4A7C15)
FIRST, SECOND = tl.constexpr(0xBF58476D1CE4E5B9), tl.constexpr(0x94D049BB133111EB)
DRAW = tl.constexpr(0)  # stream.DRAW
NONE, BOOL, FLOAT = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)  # kinds of mask


@triton.jit
def _mix(word):
    """SplitMix64's finaliser on uint64; see `stream`."""
    word = (word ^ (word >> 30)) * FIRST
    word = (word ^ (word >> 27)) * SECOND
    return word ^ (word >> 31)


@triton.jit
def sort_uniforms(keys, uniforms, n_row, n_draw, ROWS: tl.constexpr, RUN: tl.constexpr):
    """`stream.uniforms` of purpose DRAW, ascending within every run of RUN draws. keys: (n_row,) int64; uniforms: (n_row, n_draw) float64."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    draw = tl.program_id(1) * RUN + tl.arange(0, RUN)
    key = tl.load(keys + row, mask=row < n_row, other=0).to(tl.uint64, bitcast=True)
    key = _mix(key + GAMMA * (1 + DRAW))
    word = (_mix(key[:, None] + (draw + 1).to(tl.uint64)[None, :] * GAMMA) >> 12).to(tl.int64)
    word = tl.where((draw < n_draw)[None, :], word, 1 << 52)  # what is no draw comes after all draws
    if RUN > 1:
        word = tl.sort(word)
    uniform = (word.to(tl.float64) + 0.5) * (2.0**-52)
    tl.store(uniforms + row[:, None] * n_draw + draw[None, :], uniform, mask=(row < n_row)[:, None] & (draw < n_draw)[None, :])


@triton.jit
def _power_of_two(exponent):
    """2^exponent in float64 for whole numbers up to 0; 2^-1022 for all below."""
    return ((tl.maximum(exponent, -1022.0).to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _scores(q, key, mask, rows, cols, n_row, n_key, width, key_row, key_col, mask_row, mask_col, factor, IS_CAUSAL, MASK, WIDTH):
    """Scores of a block in units of log 2, (row, key); -inf for keys that are not attended."""
    feature = tl.arange(0, WIDTH)
    k = tl.load(
        key + cols[None, :].to(tl.int64) * key_row + feature[:, None] * key_col,
        mask=(cols < n_key)[None, :] & (feature < width)[:, None],
        other=0.0,
    )
    product = tl.dot(q, k, input_precision="ieee")
    attended = (rows < n_row)[:, None] & (cols < n_key)[None, :]
    if IS_CAUSAL:
        attended = attended & (cols[None, :] <= rows[:, None])
    # The rounding of what follows is written out: left to the compiler, the two readings of a block could differ.
    if MASK == NONE:
        scores = tl.fma(product, factor, tl.zeros_like(product))
    else:
        at = rows[:, None].to(tl.int64) * mask_row + cols[None, :].to(tl.int64) * mask_col
        if MASK == BOOL:
            scores = tl.fma(product, factor, tl.zeros_like(product))
            attended = attended & (tl.load(mask + at, mask=attended, other=0) != 0)
        else:
            added = tl.load(mask + at, mask=attended, other=0.0).to(tl.float32)
            scores = tl.fma(product, factor, added * 1.4426950408889634)
    return tl.where(attended, scores, float("-inf"))


@triton.jit
def _masses(scores):
    """Masses of a block, its level and its sum in units of 2^-24: the same bits whenever the scores are the same."""
    level = tl.ceil(tl.max(scores, 1))
    masses = tl.exp2(scores - tl.where(level == float("-inf"), 0.0, level)[:, None])
    units = tl.fma(masses, tl.full(masses.shape, 2.0**24, tl.float32), tl.full(masses.shape, 0.5, tl.float32)).to(tl.int32)
    return masses, level, tl.sum(units, 1).to(tl.float64)


@triton.jit
def _next(uniforms, at, end, total):
    """The point on the row that the next draw of a run marks; infinity when none is left or nothing can be drawn."""
    wanted = (at < end) & (total > 0)
    point = tl.load(uniforms + at, mask=wanted, other=0.0) * total
    return tl.where(wanted, tl.minimum(point, total * (1 - 2.0**-52)), float("inf"))


@triton.jit
def sampled_attention(
    query,
    key,
    value,
    mask,
    mask_of_head,
    uniforms,
    out,
    first_head,
    n_row,
    n_key,
    n_draw,
    width,
    width_value,
    n_head_per_key,
    factor,
    query_head,
    query_row,
    query_col,
    key_head,
    key_row,
    key_col,
    value_head,
    value_row,
    value_col,
    mask_row,
    mask_col,
    IS_CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    WIDTH: tl.constexpr,
    WIDTH_VALUE: tl.constexpr,
    RUN: tl.constexpr,
):
    """One tile of ROWS query rows of one head; out: (head, row, width_value), contiguous; uniforms: those of the heads from first_head on."""
    n_tile = tl.cdiv(n_row, ROWS)
    tile = tl.program_id(0) % n_tile
    place = (tl.program_id(0) // n_tile).to(tl.int64)
    head = first_head + place
    rows = tile * ROWS + tl.arange(0, ROWS)
    feature = tl.arange(0, WIDTH)
    feature_value = tl.arange(0, WIDTH_VALUE)
    q = tl.load(
        query + head * query_head + rows[:, None].to(tl.int64) * query_row + feature[None, :] * query_col,
        mask=(rows < n_row)[:, None] & (feature < width)[None, :],
        other=0.0,
    )
    key += head // n_head_per_key * key_head
    value += head // n_head_per_key * value_head
    if MASK != NONE:
        mask += tl.load(mask_of_head + head)
    uniforms += (place * n_row + rows) * n_draw
    stop = n_key
    if IS_CAUSAL:
        stop = tl.minimum(n_key, (tile + 1) * ROWS)

    top = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float64)
    is_bad = tl.zeros((ROWS,), tl.int32)
    for start in range(0, stop, KEYS):
        cols = start + tl.arange(0, KEYS)
        scores = _scores(
            q, key, mask, rows, cols, n_row, n_key, width, key_row, key_col, mask_row, mask_col, factor, IS_CAUSAL, MASK, WIDTH
        )
        masses, level, block = _masses(scores)
        is_bad = tl.maximum(is_bad, tl.max(tl.where(scores < float("inf"), 0, 1), 1))
        higher = tl.maximum(top, level)
        base = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * _power_of_two(top - base) + block * _power_of_two(level - base)
        top = higher
    total = tl.where(is_bad == 0, total, 0.0)
    top = tl.where((top > float("-inf")) & (is_bad == 0), top, 0.0)

    summed = tl.zeros((ROWS, WIDTH_VALUE), tl.float32)
    for run in range(0, n_draw, RUN):
        run_end = tl.minimum(run + RUN, n_draw)
        at = tl.zeros((ROWS,), tl.int32) + run
        at = tl.where(rows < n_row, at, run_end)
        point = _next(uniforms, at, run_end, total)
        before = tl.zeros((ROWS,), tl.float64)
        for start in range(0, stop, KEYS):
            cols = start + tl.arange(0, KEYS)
            scores = _scores(
                q, key, mask, rows, cols, n_row, n_key, width, key_row, key_col, mask_row, mask_col, factor, IS_CAUSAL, MASK, WIDTH
            )
            masses, level, block = _masses(scores)
            block *= _power_of_two(tl.minimum(level - top, 0.0))
            after = before + block
            is_here = point < after
            pending = tl.max(is_here.to(tl.int32))
            if pending > 0:
                # Whole units of 2^-52: no key is lost beside a large one, as it would be in float32, and every order of adding gives the same.
                cell = (masses * (2.0**52)).to(tl.int64)
                cell_end = tl.cumsum(cell, 1)
                whole = tl.sum(cell, 1)
                scale = tl.where(block > 0, whole.to(tl.float64) / block, 0.0)
                counts = tl.zeros((ROWS, KEYS), tl.int32)
                while pending > 0:
                    mark = tl.minimum(tl.where(is_here, (point - before) * scale, 0.0).to(tl.int64), whole - 1)
                    is_drawn = (mark[:, None] < cell_end) & (mark[:, None] >= cell_end - cell) & is_here[:, None]
                    counts += is_drawn.to(tl.int32)
                    at += is_here.to(tl.int32)
                    point = tl.where(is_here, _next(uniforms, at, run_end, total), point)
                    is_here = point < after
                    pending = tl.max(is_here.to(tl.int32))
                v = tl.load(
                    value + cols[:, None].to(tl.int64) * value_row + feature_value[None, :] * value_col,
                    mask=(cols < n_key)[:, None] & (feature_value < width_value)[None, :],
                    other=0.0,
                )
                summed += tl.dot(counts.to(v.dtype), v, input_precision="ieee")
            before = after
    result = tl.where(is_bad[:, None] == 0, summed / n_draw, float("nan"))
    tl.store(
        out + (head * n_row + rows)[:, None] * width_value + feature_value[None, :],
        result.to(out.dtype.element_ty),
        mask=(rows < n_row)[:, None] & (feature_value < width_value)[None, :],
    )
