"""Sampled attention on a GPU by Triton kernels that never hold a row of weights: memory grows with the rows, not with rows times keys."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from stochattn_core.sampling import eager

WIDEST = 256
RUN = 256
SCRATCH = 1 << 25
SORTED_AT_ONCE = 2048


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
) -> Tensor:
    import triton

    from stochattn_core.sampling import gpu_kernels

    n_head, n_row, width = query.shape
    n_key, width_value = value.shape[-2:]
    out = torch.empty(n_head, n_row, width_value, device=value.device, dtype=value.dtype)
    run = min(RUN, triton.next_power_of_2(concentration))
    rows, warps = (64, 4) if n_row > 32 else (16, 1)
    if mask is None:
        kind, of_head, mask, mask_row, mask_col = 0, keys, query, 0, 0
    else:
        kind = 1 if mask.dtype == torch.bool else 2
        where = torch.unravel_index(torch.arange(n_head, device=query.device), tuple(mask.shape[:-2]) or (1,))
        of_head = sum((i * s for i, s in zip(where, mask.stride(), strict=False)), torch.zeros(n_head, dtype=torch.int64, device=query.device))
        mask_row, mask_col = mask.stride()[-2:]
        mask = mask.view(torch.uint8) if kind == 1 else mask
    step = max(1, SCRATCH // (n_row * concentration))
    for first in range(0, n_head, step):
        keys_here = keys[first : first + step].reshape(-1)
        uniforms = torch.empty(len(keys_here), concentration, device=query.device, dtype=torch.float64)
        at_once = SORTED_AT_ONCE // run
        grid = (triton.cdiv(len(keys_here), at_once), triton.cdiv(concentration, run))
        gpu_kernels.sort_uniforms[grid](keys_here, uniforms, len(keys_here), concentration, ROWS=at_once, RUN=run)
        grid = (triton.cdiv(n_row, rows) * (len(keys_here) // n_row),)
        gpu_kernels.sampled_attention[grid](
            query, key, value, mask, of_head, uniforms, out, first, n_row, n_key, concentration, n_head_per_key, width, width_value,
            scale * math.log2(math.e), *query.stride(), *key.stride(), *value.stride(), mask_row, mask_col,
            IS_CAUSAL=is_causal, MASK=kind, ROWS=rows, KEYS=32, WIDTH=max(16, triton.next_power_of_2(width)),
            WIDTH_VALUE=max(16, triton.next_power_of_2(width_value)), RUN=run, num_warps=warps,
        )
    return out
