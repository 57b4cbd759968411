"""How the tensors of an attention call lie in memory: plain or not, leading dims, heads, and the folds of dim 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def by_head(x: Tensor, lead: Sequence[int]) -> Tensor:
    """Anything that broadcasts to (*lead, L, E) as (batch, head, L, E)."""
    n_head = lead[-1] if len(lead) > 1 else 1
    return x.expand(*lead, *x.shape[-2:]).reshape(math.prod(lead) // n_head, n_head, *x.shape[-2:])


def grouped(key: Tensor, value: Tensor, n_head: int) -> tuple[Tensor, Tensor]:
    """Keys and values with one number of heads between them, which divides that of the queries."""
    for x in (key, value):
        if n_head % x.shape[-3]:
            raise ValueError(f"expected a number of key and value heads that divides the {n_head} query heads, got {x.shape[-3]}")
    if key.shape[-3] == value.shape[-3]:
        return key, value
    return tuple(x.repeat_interleave(n_head // x.shape[-3], -3) for x in (key, value))


def is_plain(x: object) -> bool:
    """Whether this is a tensor and no more: numbers with strides in memory, and no subclass, vmapped, nested, sparse or meta tensor."""
    is_of_numbers = type(x) is Tensor and x.layout is torch.strided and not x.is_nested and not x.is_meta
    return is_of_numbers and not torch._C._functorch.is_functorch_wrapped_tensor(x)


def folds_are_equal(x: Tensor, n_fold: int, dim: int = 0) -> bool:
    """Whether a dim of a plain tensor holds n_fold blocks of the same numbers; of any other tensor it is not known to, so False.

    The first difference ends the comparison; NaN differs from itself. On a device the answer is waited for.
    """
    if n_fold == 1 or x.shape[dim] % n_fold or not x.numel():
        return n_fold == 1
    if not is_plain(x):
        return False
    if x.stride(dim) == 0:
        return True
    folds = x.unflatten(dim, (n_fold, -1)).movedim(dim, 0)
    return torch.equal(folds[:1].expand_as(folds[1:]), folds[1:])


def empty_in_memory_order_of(query: Tensor, n_feature: int, dtype: torch.dtype) -> Tensor:
    order = sorted(range(query.ndim), key=lambda d: -query.stride(d))
    shape = (*query.shape[:-1], n_feature)
    return query.new_empty([shape[d] for d in order], dtype=dtype).permute([order.index(d) for d in range(query.ndim)])


def in_memory_order_of(out: Tensor, query: Tensor) -> Tensor:
    """The same values, with the dims in memory in the order in which query's are: models call .view on the result."""
    if out.ndim != query.ndim:
        return out
    order = sorted(range(query.ndim), key=lambda d: -query.stride(d))
    back = [order.index(d) for d in range(query.ndim)]
    return out.permute(order).contiguous().permute(back)
