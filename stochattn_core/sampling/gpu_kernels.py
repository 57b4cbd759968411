"""The Triton kernels of `gpu.py`. Importing this module needs triton.

The mass of a key is 2^(score - level), where level is the highest score of its block in units of log 2, rounded up: a change of level
shifts masses by whole powers of two and rounds nothing. Masses are added up as whole numbers. The second reading of a row therefore
meets the total of the first bit for bit, in whatever order a device adds.
"""

import triton
import triton.language as tl

from stochattn_core.sampling import stream

GAMMA, FIRST, SECOND = (tl.constexpr(word) for word in (stream.GAMMA, *stream.MULTIPLIERS))
DRAW = tl.constexpr(stream.DRAW)
NO_MASK, BOOL, FLOAT = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
LOG2_E = tl.constexpr(1.4426950408889634)
INFINITY = tl.constexpr(float("inf"))


@triton.jit
def _mix(word: tl.tensor) -> tl.tensor:
    """SplitMix64's finaliser on uint64; see `stream`."""
    word = (word ^ (word >> 30)) * FIRST
    word = (word ^ (word >> 27)) * SECOND
    return word ^ (word >> 31)


@triton.jit
def sort_uniforms(keys: tl.tensor, uniforms: tl.tensor, n_row: tl.tensor, n_draw: tl.tensor, ROWS: tl.constexpr, RUN: tl.constexpr) -> None:
    """Write `stream.uniforms` of purpose DRAW, ascending within every run of RUN draws.

    keys: (n_row,) int64; uniforms: (n_row, n_draw) float64.
    """
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    draw = tl.program_id(1) * RUN + tl.arange(0, RUN)
    key = tl.load(keys + row, mask=row < n_row, other=0).to(tl.uint64, bitcast=True)
    key = _mix(key + GAMMA * (1 + DRAW))
    word = (_mix(key[:, None] + (draw + 1).to(tl.uint64)[None, :] * GAMMA) >> 12).to(tl.int64)
    word = tl.where((draw < n_draw)[None, :], word, 1 << 52)  # beyond the last draw: sorted behind all draws
    if RUN > 1:
        word = tl.sort(word)
    uniform = (word.to(tl.float64) + 0.5) * (2.0**-52)
    tl.store(uniforms + row[:, None] * n_draw + draw[None, :], uniform, mask=(row < n_row)[:, None] & (draw < n_draw)[None, :])


@triton.jit
def _power_of_two(exponent: tl.tensor) -> tl.tensor:
    """Return 2^exponent in float64 for whole numbers up to 0; 2^-1022 for all below."""
    return ((tl.maximum(exponent, -1022.0).to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _scores(
    q: tl.tensor,
    k: tl.tensor,
    mask: tl.tensor,
    rows: tl.tensor,
    cols: tl.tensor,
    n_row: tl.tensor,
    n_key: tl.tensor,
    factor: tl.tensor,
    IS_CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
) -> tl.tensor:
    """Return the (row, key) scores of a block in units of log 2; -inf where a key is not attended. mask: pointers of the block, in its shape."""
    product = tl.dot(q, k, input_precision="ieee")
    added = tl.where(cols < n_key, 0.0, -INFINITY)[None, :].broadcast_to(product.shape)
    is_inside = (rows < n_row)[:, None] & (cols < n_key)[None, :]
    if MASK == FLOAT:
        added += tl.load(mask, mask=is_inside, other=0.0).to(tl.float32) * LOG2_E
    # An explicit fma fixes the rounding: left to the compiler, it could differ between the two readings of a block.
    scores = tl.fma(product, factor, added)
    if MASK == BOOL:
        scores = tl.where(tl.load(mask, mask=is_inside, other=0) != 0, scores, -INFINITY)
    if IS_CAUSAL:
        scores = tl.where(cols[None, :] <= rows[:, None], scores, -INFINITY)
    return scores


@triton.jit
def _larger(a: tl.tensor, b: tl.tensor) -> tl.tensor:
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _masses(scores: tl.tensor, UNITS: tl.constexpr) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Return the masses of a block, its level, and the sum of the masses in UNITS: equal scores give equal bits."""
    level = tl.ceil(tl.reduce(scores, 1, _larger))
    masses = tl.exp2(scores - tl.where(level == -INFINITY, 0.0, level)[:, None])
    whole = tl.fma(masses, tl.full(masses.shape, UNITS, tl.float32), tl.full(masses.shape, 0.5, tl.float32)).to(tl.int32)
    return masses, level, tl.sum(whole, 1).to(tl.float64)


@triton.jit
def _next(uniforms: tl.tensor, at: tl.tensor, end: tl.tensor, total: tl.tensor) -> tl.tensor:
    """Return the point of the next draw of a run, below the total of the row; infinity when no draw is left or nothing can be drawn."""
    wanted = (at < end) & (total > 0)
    point = tl.load(uniforms + at, mask=wanted, other=0.0) * total
    return tl.where(wanted, tl.minimum(point, total * (1 - 2.0**-52)), INFINITY)


# Triton would compile anew for sizes that change from call to call; these are kept out of the key of the compiled kernel.
@triton.jit(do_not_specialize=["first_head", "n_row", "n_key", "n_draw", "n_head_per_key"])
def sampled_attention(
    query: tl.tensor,
    key: tl.tensor,
    value: tl.tensor,
    mask: tl.tensor,
    mask_of_head: tl.tensor,
    uniforms: tl.tensor,
    out: tl.tensor,
    first_head: tl.tensor,
    n_row: tl.tensor,
    n_key: tl.tensor,
    n_draw: tl.tensor,
    n_head_per_key: tl.tensor,
    width: tl.tensor,
    width_value: tl.tensor,
    factor: tl.tensor,
    query_head: tl.tensor,
    query_row: tl.tensor,
    query_col: tl.tensor,
    key_head: tl.tensor,
    key_row: tl.tensor,
    key_col: tl.tensor,
    value_head: tl.tensor,
    value_row: tl.tensor,
    value_col: tl.tensor,
    mask_row: tl.tensor,
    mask_col: tl.tensor,
    IS_CAUSAL: tl.constexpr,
    MASK: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    WIDTH: tl.constexpr,
    WIDTH_VALUE: tl.constexpr,
    RUN: tl.constexpr,
) -> None:
    """Write the mean of the n_draw drawn values of each row, for one tile of ROWS rows of one head.

    query, key, value: (head, row, width) with the strides named after their dims; out: the same, contiguous. mask: (row, key), beginning
    at mask_of_head. uniforms: from `sort_uniforms`, beginning with the head first_head. factor: the scale in units of log 2.
    """
    n_tile = tl.cdiv(n_row, ROWS)
    tile = tl.program_id(0) % n_tile
    place = (tl.program_id(0) // n_tile).to(tl.int64)
    head = first_head + place
    of_row, of_key = tl.arange(0, ROWS), tl.arange(0, KEYS)
    rows = tile * ROWS + of_row
    feature, feature_value = tl.arange(0, WIDTH), tl.arange(0, WIDTH_VALUE)
    query += head * query_head + (tile * ROWS).to(tl.int64) * query_row
    q_mask = (rows < n_row)[:, None] & (feature < width)[None, :]
    q = tl.load(query + of_row[:, None] * query_row + feature[None, :] * query_col, mask=q_mask, other=0.0)
    keys = key + head // n_head_per_key * key_head + of_key[None, :] * key_row + feature[:, None] * key_col
    values = value + head // n_head_per_key * value_head + of_key[:, None] * value_row + feature_value[None, :] * value_col
    masks = mask
    if MASK != NO_MASK:
        masks = mask + tl.load(mask_of_head + head) + (tile * ROWS).to(tl.int64) * mask_row
        masks = masks + of_row[:, None] * mask_row + of_key[None, :] * mask_col
    uniforms += (place * n_row + rows) * n_draw
    stop = n_key
    if IS_CAUSAL:
        stop = tl.minimum(n_key, (tile + 1) * ROWS)

    # First reading: the highest level of a row and its total mass in units of that level.
    top = tl.full((ROWS,), -INFINITY, tl.float32)
    total = tl.zeros((ROWS,), tl.float64)
    is_bad = tl.zeros((ROWS,), tl.int32)
    for start in range(0, stop, KEYS):
        start = tl.cast(start, tl.int64)
        cols = start + of_key
        k = tl.load(keys + start * key_row, mask=(cols < n_key)[None, :] & (feature < width)[:, None], other=0.0)
        scores = _scores(q, k, masks + start * mask_col, rows, cols, n_row, n_key, factor, IS_CAUSAL, MASK)
        _, level, block = _masses(scores, 2.0**30 / KEYS)
        is_bad = tl.where(level < INFINITY, is_bad, 1)
        higher = tl.maximum(top, level)
        base = tl.where(higher == -INFINITY, 0.0, higher)
        total = total * _power_of_two(top - base) + block * _power_of_two(level - base)
        top = higher
    total = tl.where(is_bad == 0, total, 0.0)

    # Second reading, once for every run of draws: the count of a key is the number of points that fall into its cell.
    drawn = tl.zeros((ROWS, WIDTH_VALUE), tl.float32)
    for run in range(0, n_draw, RUN):
        end = tl.where(rows < n_row, tl.minimum(run + RUN, n_draw), 0)
        at = tl.zeros((ROWS,), tl.int32) + run
        point = _next(uniforms, at, end, total)
        before = tl.zeros((ROWS,), tl.float64)
        for start in range(0, stop, KEYS):
            start = tl.cast(start, tl.int64)
            cols = start + of_key
            k = tl.load(keys + start * key_row, mask=(cols < n_key)[None, :] & (feature < width)[:, None], other=0.0)
            scores = _scores(q, k, masks + start * mask_col, rows, cols, n_row, n_key, factor, IS_CAUSAL, MASK)
            masses, level, block = _masses(scores, 2.0**30 / KEYS)
            block *= _power_of_two(tl.minimum(level - tl.where(top == -INFINITY, 0.0, top), 0.0))
            after = before + block
            is_here = point < after
            pending = tl.max(is_here.to(tl.int32))
            while pending > 0:  # runs at most once; it stands for an `if`, in which Triton 3.7 cannot compile a `while`
                # Cells are whole numbers of 2^-52: a small key beside a large one keeps its cell, which it would lose in float32.
                cells = (masses * 2.0**52).to(tl.int64)
                cell_ends = tl.cumsum(cells, 1)
                last = tl.sum(cells, 1) - 1
                cells_per_mass = (last + 1).to(tl.float64) / tl.where(block > 0, block, 1.0)
                up_to = tl.zeros((ROWS, KEYS), tl.int32)  # draws of this key and those before it in the block
                while pending > 0:
                    mark = tl.minimum((tl.where(is_here, point - before, 0.0) * cells_per_mass).to(tl.int64), last)
                    up_to += (tl.where(is_here, mark, 1 << 62)[:, None] < cell_ends).to(tl.int32)
                    at += is_here.to(tl.int32)
                    point = tl.where(is_here, _next(uniforms, at, end, total), point)
                    is_here = point < after
                    pending = tl.max(is_here.to(tl.int32))
                key_before = tl.maximum(of_key - 1, 0)[None, :].broadcast_to(up_to.shape)
                counts = up_to - tl.where(of_key[None, :] > 0, tl.gather(up_to, key_before, 1), 0)
                v_mask = (cols < n_key)[:, None] & (feature_value < width_value)[None, :]
                v = tl.load(values + start * value_row, mask=v_mask, other=0.0)
                drawn += tl.dot(counts.to(tl.float32).to(v.dtype), v, input_precision="ieee")
            before = after
    means = tl.where(is_bad[:, None] == 0, drawn / n_draw, float("nan")).to(out.dtype.element_ty)
    out_mask = (rows < n_row)[:, None] & (feature_value < width_value)[None, :]
    tl.store(out + (head * n_row + rows)[:, None] * width_value + feature_value[None, :], means, mask=out_mask)
