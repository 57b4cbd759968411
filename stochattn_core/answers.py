"""Answers: what stands in for a function of torch at a place where attention is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stochattn_core.attention import Observer, attend, sampled_rows, sampled_weights
from stochattn_core.draw import Draw
from stochattn_core.recognition.findings import Finding
from stochattn_core.torch_private import causal_mask


def answer_attention(
    draw: Draw,
    observe: Observer | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Answer torch's scaled_dot_product_attention, whose signature follows draw and observe."""
    return attend(
        query,
        key,
        value,
        draw,
        attn_mask=mask if (mask := causal_mask(attn_mask, query.device)) is not None else attn_mask,
        dropout_p=dropout_p,
        is_causal=is_causal,
        scale=scale,
        enable_gqa=enable_gqa,
        observe=observe,
    )


def answer_softmax(
    draw: Draw,
    observe: Observer | None,
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Answer torch's softmax, whose signature follows draw and observe."""
    if dim is None:
        raise ValueError("softmax without a dim cannot be taken for attention: its rows are ambiguous; give it dim=-1")
    if dtype is None:
        # Under autocast torch's softmax returns float32, because it is on the list of functions that need the range.
        dtype = torch.float32 if torch.is_autocast_enabled(input.device.type) and input.dtype != torch.float64 else input.dtype
    rows = sampled_rows(input.movedim(dim, -1), draw, observe=observe).movedim(-1, dim).to(dtype)
    return rows if out is None else out.copy_(rows)


def answer_weights_of(func: Callable[..., Any], finding: Finding) -> Callable[..., Tensor]:
    """Return an answer for a function other than softmax, whose result holds weights that sum to one along the finding's dim."""

    def answer(draw: Draw, observe: Observer | None, *args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = func(*args, **kwargs)
        weights = sampled_weights(output.movedim(finding.dim, -1), draw, observe=observe).movedim(-1, finding.dim).to(output.dtype)
        return output.copy_(weights) if args and output is args[0] else weights

    return answer
