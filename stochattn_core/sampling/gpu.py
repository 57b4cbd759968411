"""Sampled attention on a CUDA device: two readings of the keys, no row of weights in memory. Triton writes the kernels (`gpu_kernels.py`).

The first reading finds every row's total mass; the second finds, block of keys by block, which of the row's draws fall there, counts them
for each key and adds counts times values, as flash attention adds weights times values. Beside the output, memory is eight bytes a draw
for at most DRAWS_AT_ONCE draws, or one head's: it grows with the rows and not with rows times keys.

Law: that of `eager.search`, from the same numbers of the stream, and so the same draws but for those that rounding moves over the edge of a
cell. Points have 52 bits and are float64; a block's probability has the relative error of float32 sums, a key's that of float32 `exp`, and
a key down to 2^-52 of the largest in its block keeps its share. A single reading with a reservoir would be quicker for a few draws. It
cannot use these numbers, as the total comes last, and then an ensemble would depend on the device; so there is none.
Concentrations above those that `eager.draws_by_search` names stay with the eager chain of Poisson counts, a chunk of rows at a time.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import warnings

import torch
from torch import Tensor

from stochattn_core.sampling import eager, stream

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
WIDEST = 512  # bytes of a head's features: a tile of queries and blocks of keys and values take 80 KiB then, which every device has
DRAWS_AT_ONCE = 1 << 25
RUN = 256  # draws that are sorted and counted together: the largest count that bfloat16 still holds exactly
SORTED_TOGETHER = 2048  # draws that one program sorts, of as many rows as that takes
TILE, SMALL_TILE = (64, 32, 4), (16, 32, 1)  # rows, keys and warps of a program
CAPABILITY = (8, 0)  # the oldest for which the kernels have been compiled


def usable(query: Tensor, key: Tensor, value: Tensor, concentration: int | float) -> bool:
    """Whether `attend` answers for these (head, row, width) tensors; if not, the eager samplers do."""
    tensors = (query, key, value)
    return (
        query.is_cuda
        and query.dtype in DTYPES
        and all(x.dtype == query.dtype and x.shape[-1] * x.dtype.itemsize <= WIDEST for x in tensors)
        and not (torch.is_grad_enabled() and value.requires_grad)
        and concentration != math.inf
        and eager.draws_by_search(concentration, key.shape[-2])
        and _works(query.device, query.dtype)
    )


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keys: Tensor,
    concentration: int,
    scale: float,
    *,
    is_causal: bool = False,
    mask: Tensor | None = None,
    n_head_per_key: int = 1,
    tile: tuple[int, int, int] | None = None,
) -> Tensor:
    """The mean of `concentration` values drawn for every row: (head, L, Ev) in value's dtype.

    query: (head, L, E), key: (head / n_head_per_key, S, E), value: (head / n_head_per_key, S, Ev), with any strides. keys: (head, L) int64,
    the rows' keys in the stream. mask: (*lead, L, S), the product of lead being head; bool (True is attended) or float (added).
    A row with every key masked gives zeros; one with a score that is NaN or +inf gives NaN. tile: rows, keys and warps of a program.
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
    with torch.cuda.device_of(query):  # where Triton launches
        for first in range(0, n_head, step):
            some = keys[first : first + step].reshape(-1)
            uniforms = torch.empty(len(some), concentration, device=query.device, dtype=torch.float64)
            grid = (triton.cdiv(len(some), SORTED_TOGETHER // run), triton.cdiv(concentration, run))
            gpu_kernels.sort_uniforms[grid](some, uniforms, len(some), concentration, ROWS=SORTED_TOGETHER // run, RUN=run)
            gpu_kernels.sampled_attention[(len(some) // n_row * triton.cdiv(n_row, n_tile_row),)](
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
    """The kind of mask, its memory, where each head's part begins in it, and the strides of a part: an expanded mask is not copied."""
    if mask is None:
        return 0, query, query, (0, 0)  # which are not read
    of_head = torch.zeros(len(query), device=query.device, dtype=torch.int64)
    if mask.ndim > 2:
        place = torch.unravel_index(torch.arange(len(query), device=query.device), mask.shape[:-2])
        for index, stride in zip(place, mask.stride(), strict=False):
            of_head += index * stride
    return (1, mask.view(torch.uint8), of_head, mask.stride()[-2:]) if mask.dtype == torch.bool else (2, mask, of_head, mask.stride()[-2:])


@functools.cache
def _works(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernels compile on this device and draw there what the eager sampler draws. Asked once for each."""
    if importlib.util.find_spec("triton") is None or torch.cuda.get_device_capability(device) < CAPABILITY:
        return False
    try:
        moved = max(moved_draws(device, dtype, tile) for tile in (TILE, SMALL_TILE))
    except Exception as error:  # whatever a compiler, a driver or a missing tool brings
        moved = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
    if isinstance(moved, float) and moved < 1e-3:
        return True
    said = f"{moved:.2%} of its draws differ from the eager sampler's" if isinstance(moved, float) else moved
    warnings.warn(f"the attention kernel is not used on {torch.cuda.get_device_name(device)}, which is slower ({said})", stacklevel=4)
    return False


def moved_draws(device: torch.device, dtype: torch.dtype, tile: tuple[int, int, int] = TILE) -> float:
    """The part of the draws of a small case that are not the eager sampler's; rounding moves about one in a million."""
    n_head, n_row, n_key, width, concentration = 2, 70, 70, 32, 32
    with torch.device("cpu"):
        generator = torch.Generator().manual_seed(0)
        query, key = (3 * torch.randn(n_head, n, width, generator=generator).to(dtype) for n in (n_row, n_key))
        keys = stream.row_keys(0, (0,), 0, 0, n_head * n_row, query.device).view(n_head, n_row)
        scores = torch.bmm(query.double(), key.double().mT) * width**-0.5
        scores.masked_fill_(torch.ones(n_row, n_key).triu(1).bool(), -math.inf)
        expected = eager.counts_by_search(scores.softmax(-1).view(-1, n_key), keys.view(-1), concentration).view(scores.shape)
        value = torch.eye(n_key, dtype=dtype).expand(n_head, -1, -1)
    drawn = attend(*(x.to(device) for x in (query, key, value, keys)), concentration, width**-0.5, is_causal=True, tile=tile).cpu()
    return float((drawn.double() * concentration - expected).abs().sum() / (2 * concentration * n_head * n_row))
