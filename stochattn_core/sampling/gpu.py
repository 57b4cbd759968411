"""Sampled attention on a CUDA device that reads the keys twice and keeps no row of weights in memory; `gpu_kernels.py` holds the kernels.

The first reading finds the total mass of every row. The second goes through the keys block by block: it finds the draws of the row that
fall into the block, counts them for each key and adds counts times values, as flash attention adds weights times values. Besides the
output, it needs eight bytes per draw, for at most DRAWS_AT_ONCE draws or those of one head: memory grows with the rows, not with rows
times keys.

Law: that of `eager.search`. The numbers of the stream are the same, and so are the draws, except for those that rounding moves over the
edge of a cell. Points have 52 bits and are float64; the probability of a block has the relative error of float32 sums, that of a key the
error of float32 `exp`, and a key as small as 2^-52 of the largest in its block keeps its share.
A single reading with a reservoir would be faster for a few draws. But it learns the total last, so it cannot use the same numbers, and
an ensemble would then depend on the device.
Concentrations for which `eager.draws_by_search` is False are left to the Poisson chain of `eager`, a chunk of rows at a time.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import warnings

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from stochattn_core.sampling import eager, stream

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
WIDEST = 512  # bytes of one head's features; a tile of queries and blocks of keys and values then take 80 KiB, which every device has
DRAWS_AT_ONCE = 1 << 25
RUN = 256  # draws that are sorted and counted together: the largest count that bfloat16 holds exactly
SORTED_TOGETHER = 2048  # draws that one program sorts, from as many rows as that takes
TILE, SMALL_TILE = (64, 32, 4), (16, 32, 1)  # rows, keys and warps of a program
CAPABILITY = (8, 0)  # the oldest compute capability for which the kernels have been compiled


def usable(query: Tensor, key: Tensor, value: Tensor, concentration: int | float) -> bool:
    """Can `attend` answer for these (..., row, width) tensors? If not, `eager` does."""
    tensors = (query, key, value)
    return (
        query.is_cuda
        and query.dtype in DTYPES
        and all(x.dtype == query.dtype and x.shape[-1] * x.dtype.itemsize <= WIDEST for x in tensors)
        and not (torch.is_grad_enabled() and value.requires_grad)
        and concentration != math.inf
        and eager.draws_by_search(int(concentration), key.shape[-2])
        and _works(query.device, query.dtype)
    )


def attend(
    query: Float[Tensor, "head row width"],
    key: Float[Tensor, "key_head key width"],
    value: Float[Tensor, "key_head key feature"],
    keys: Int64[Tensor, "head row"],
    concentration: int,
    scale: float,
    *,
    is_causal: bool = False,
    mask: Bool[Tensor, "*lead row key"] | Float[Tensor, "*lead row key"] | None = None,
    n_head_per_key: int = 1,
    tile: tuple[int, int, int] | None = None,
) -> Float[Tensor, "head row feature"]:
    """Return the mean of `concentration` values drawn for every row: (head, L, Ev) in value's dtype.

    query: (head, L, E), key: (head / n_head_per_key, S, E), value: (head / n_head_per_key, S, Ev), with any strides. keys: (head, L) int64,
    the keys of the rows in the stream. mask: (*lead, L, S), where the product of lead is head; bool (True is attended) or float (added).
    A row with every key masked gives zeros; a row with a score that is NaN or +inf gives NaN. tile: rows, keys and warps of a program.
    """
    import triton

    from stochattn_core.sampling import gpu_kernels

    n_head, n_row, width = query.shape
    n_key, width_value = value.shape[-2:]
    n_tile_row, n_tile_key, n_warp = tile or (TILE if n_row > SMALL_TILE[0] else SMALL_TILE)
    run = min(RUN, triton.next_power_of_2(concentration))
    kind, pointer, of_head, mask_strides = _mask(mask, query)
    out = torch.empty(n_head, n_row, width_value, device=value.device, dtype=value.dtype)
    step = max(1, DRAWS_AT_ONCE // (n_row * concentration))
    with torch.cuda.device_of(query):  # Triton launches on the current device
        for first in range(0, n_head, step):
            row_keys = keys[first : first + step].reshape(-1)
            uniforms = torch.empty(len(row_keys), concentration, device=query.device, dtype=torch.float64)
            grid = (triton.cdiv(len(row_keys), SORTED_TOGETHER // run), triton.cdiv(concentration, run))
            gpu_kernels.sort_uniforms[grid](row_keys, uniforms, len(row_keys), concentration, ROWS=SORTED_TOGETHER // run, RUN=run)
            gpu_kernels.sampled_attention[(len(row_keys) // n_row * triton.cdiv(n_row, n_tile_row),)](
                *(query, key, value, pointer, of_head, uniforms, out),
                *(first, n_row, n_key, concentration, n_head_per_key, width, width_value, scale * math.log2(math.e)),
                *(*query.stride(), *key.stride(), *value.stride(), *mask_strides),
                IS_CAUSAL=is_causal,
                MASK=kind,
                ROWS=n_tile_row,
                KEYS=n_tile_key,
                WIDTH=max(16, triton.next_power_of_2(width)),
                WIDTH_VALUE=max(16, triton.next_power_of_2(width_value)),
                RUN=RUN,
                num_warps=n_warp,
            )
    return out


def _mask(mask: Tensor | None, query: Tensor) -> tuple[int, Tensor, Tensor, tuple[int, ...]]:
    """Return the kind of mask, its memory, the start of each head's part in it, and the strides of a part. Nothing is copied."""
    if mask is None:
        return 0, query, query, (0, 0)  # without a mask the kernel reads none of these
    of_head = torch.zeros(len(query), device=query.device, dtype=torch.int64)
    if mask.ndim > 2:
        place = torch.unravel_index(torch.arange(len(query), device=query.device), mask.shape[:-2])
        for index, stride in zip(place, mask.stride(), strict=False):
            of_head += index * stride
    return (1, mask.view(torch.uint8), of_head, mask.stride()[-2:]) if mask.dtype == torch.bool else (2, mask, of_head, mask.stride()[-2:])


@functools.cache
def _works(device: torch.device, dtype: torch.dtype) -> bool:
    """Do the kernels compile on this device, and draw there what the eager sampler draws? Tried once for each dtype."""
    if importlib.util.find_spec("triton") is None or torch.cuda.get_device_capability(device) < CAPABILITY:
        return False
    try:
        moved = max(moved_draws(device, dtype, tile) for tile in (TILE, SMALL_TILE))
    except Exception as error:  # compilers, drivers and missing tools raise errors of any kind
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
    else:
        if moved < 1e-3:
            return True
        reason = f"{moved:.2%} of its draws differ from the eager sampler's"
    warnings.warn(f"the attention kernel is not used on {torch.cuda.get_device_name(device)}, which is slower ({reason})", stacklevel=4)
    return False


def moved_draws(device: torch.device, dtype: torch.dtype, tile: tuple[int, int, int] = TILE) -> float:
    """Return the share of draws, in a small case, that differ from the eager sampler's; rounding moves about one in a million."""
    n_head, n_row, n_key, width, concentration = 2, 70, 70, 32, 32
    with torch.device("cpu"):
        generator = torch.Generator().manual_seed(0)
        query, key = (3 * torch.randn(n_head, n, width, generator=generator).to(dtype) for n in (n_row, n_key))
        keys = stream.row_keys(0, (0,), 0, 0, n_head * n_row, query.device).view(n_head, n_row)
        scores = torch.bmm(query.double(), key.double().mT) * width**-0.5
        scores.masked_fill_(torch.ones(n_row, n_key).triu(1).bool(), -math.inf)
        expected = eager.counts_by_search(scores.softmax(-1).view(-1, n_key), keys.view(-1), concentration).view(scores.shape)
        value = torch.eye(n_key, dtype=dtype).expand(n_head, -1, -1)
    query, key, value, keys = (x.to(device) for x in (query, key, value, keys))
    drawn = attend(query, key, value, keys, concentration, width**-0.5, is_causal=True, tile=tile).cpu()
    return float((drawn.double() * concentration - expected).abs().sum() / (2 * concentration * n_head * n_row))
