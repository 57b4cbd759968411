"""Answers: what stands in for a function of torch at a place where attention is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stochattn_core.attention import Observer, attend, sampled_rows, sampled_weights
from stochattn_core.draw import Draw
from stochattn_core.recognition.findings import Finding
from stochattn_core.recognition.sources import TOLERANCE
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
    dtype: torch.dtype | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Answer torch.softmax, whose signature follows draw and observe."""
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1  # torch's own choice, which it warns of
    if dtype is None:
        # Under autocast torch's softmax returns float32, because it is on the list of functions that need the range.
        dtype = torch.float32 if torch.is_autocast_enabled(input.device.type) and input.dtype != torch.float64 else input.dtype
    rows = sampled_rows(input.movedim(dim, -1), draw, observe=observe).movedim(-1, dim).to(dtype)
    return rows if out is None else out.copy_(rows)


def answer_functional_softmax(
    draw: Draw,
    observe: Observer | None,
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Answer torch.nn.functional.softmax, whose signature follows draw and observe."""
    return answer_softmax(draw, observe, input, dim, dtype)


def answer_weights_of(func: Callable[..., Any], finding: Finding) -> Callable[..., Tensor]:
    """Return an answer for a function other than softmax, whose result holds weights that sum to one along the finding's dim."""

    def answer(draw: Draw, observe: Observer | None, *args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = func(*args, **kwargs)
        if not sum_to_one(output, finding.dim):
            raise OtherWeightsError
        weights = sampled_weights(output.movedim(finding.dim, -1), draw, observe=observe).movedim(-1, finding.dim).to(output.dtype)
        return output.copy_(weights) if args and output is args[0] else weights

    return answer


class OtherWeightsError(Exception):
    """A function that made weights when its module was looked at has made other numbers."""


def sum_to_one(x: Tensor, dim: int) -> bool:
    """Do the entries of x along dim sum to one, but for rows without any weight?"""
    if not x.is_floating_point() or not -x.ndim <= dim < x.ndim:
        return False
    sums = x.detach().sum(dim, dtype=torch.promote_types(x.dtype, torch.float32))
    return bool((((sums - 1).abs() < 10 * TOLERANCE.get(x.itemsize, 2e-2)) | (sums == 0) | sums.isnan()).all()) and not bool((x < 0).any())
