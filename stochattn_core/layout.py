"""How the tensors of an attention call lie in memory: leading dims, heads, the folds of dim 0, and the order of the strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stochattn_core.torch_private import is_functorch_tensor


@dataclass(frozen=True)
class Layout:
    """The sizes of one attention call.

    lead: leading dims of the output, the last of them the heads. n_row, n_key: queries and keys of a head.
    n_head_per_key: query heads that read the same head of keys and values (1 unless queries are grouped).
    """

    lead: tuple[int, ...]
    n_row: int
    n_key: int
    n_head_per_key: int = 1

    @classmethod
    def of(cls, query: Tensor, key: Tensor, *, enable_gqa: bool) -> Layout:
        """query: (*lead, L, E), key: (*lead, S, E), with fewer heads when enable_gqa."""
        n_head_per_key = query.shape[-3] // key.shape[-3] if enable_gqa else 1
        lead_key = key.shape[:-2] if n_head_per_key == 1 else (*key.shape[:-3], query.shape[-3])
        lead = torch.broadcast_shapes(query.shape[:-2], lead_key)
        return cls(tuple(lead), query.shape[-2], key.shape[-2], n_head_per_key)

    @property
    def is_empty(self) -> bool:
        """Is there no case, no query, or no key to attend?"""
        return not math.prod(self.lead) * self.n_row * self.n_key

    @property
    def lead_key(self) -> tuple[int, ...]:
        """Leading dims of keys and values."""
        return self.lead if self.n_head_per_key == 1 else (*self.lead[:-1], self.lead[-1] // self.n_head_per_key)


def by_head(x: Tensor, lead: Sequence[int]) -> Tensor:
    """Return anything that broadcasts to (*lead, L, E) as (batch, head, L, E)."""
    n_head = lead[-1] if len(lead) > 1 else 1
    return x.expand(*lead, *x.shape[-2:]).reshape(math.prod(lead) // n_head, n_head, *x.shape[-2:])


def grouped(key: Tensor, value: Tensor, n_head: int) -> tuple[Tensor, Tensor]:
    """Return keys and values with the same number of heads, which divides that of the queries. Raises ValueError where none does."""
    for x in (key, value):
        if n_head % x.shape[-3]:
            raise ValueError(f"expected a number of key and value heads that divides the {n_head} query heads, got {x.shape[-3]}")
    if key.shape[-3] == value.shape[-3]:
        return key, value
    return key.repeat_interleave(n_head // key.shape[-3], -3), value.repeat_interleave(n_head // value.shape[-3], -3)


def is_plain(x: object) -> bool:
    """Is this a tensor of numbers with strides in memory, and not a subclass or a vmapped, nested, sparse or meta tensor?"""
    if not isinstance(x, Tensor) or type(x) is not Tensor:
        return False
    return x.layout is torch.strided and not x.is_nested and not x.is_meta and not is_functorch_tensor(x)


def folds_are_equal(x: Tensor, n_fold: int, dim: int = 0) -> bool:
    """Does a dim of a plain tensor hold n_fold blocks of the same numbers? False for any tensor that is not plain.

    The comparison ends at the first difference; NaN differs from itself. On a GPU this waits for the device.
    """
    if n_fold == 1 or x.shape[dim] % n_fold or not x.numel():
        return n_fold == 1
    if not is_plain(x):
        return False
    if x.stride(dim) == 0:
        return True
    folds = x.unflatten(dim, (n_fold, -1)).movedim(dim, 0)
    return torch.equal(folds[:1].expand_as(folds[1:]), folds[1:])


def memory_order(x: Tensor) -> tuple[list[int], list[int]]:
    """Return the dims of x from the slowest in memory to the fastest, and the permutation that undoes this order."""
    strides = x.stride()
    order = sorted(range(x.ndim), key=lambda dim: -strides[dim])
    return order, [order.index(dim) for dim in range(x.ndim)]


def empty_in_memory_order_of(query: Tensor, n_feature: int, dtype: torch.dtype) -> Tensor:
    """Return an empty tensor of shape (*query.shape[:-1], n_feature) whose dims lie in memory in the order of query's."""
    order, back = memory_order(query)
    shape = (*query.shape[:-1], n_feature)
    return query.new_empty([shape[dim] for dim in order], dtype=dtype).permute(back)


def in_memory_order_of(out: Tensor, query: Tensor) -> Tensor:
    """Return the same values with the dims in memory in the order of query's, because models call .view on the result."""
    if out.ndim != query.ndim:
        return out
    order, back = memory_order(query)
    return out.permute(order).contiguous().permute(back)
