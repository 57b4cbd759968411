"""What is equal in all folds is computed for one of them, and repeated.

Before the first sampled attention of a pass all members are the same numbers. Only functions are answered here that treat the entries of
a dim alone, each as if the others were not there: then equal blocks of entries give equal blocks, whatever a model means by the dim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from stochattn_core.layout import folds_are_equal

LINEAR = (F.linear, torch.matmul, Tensor.matmul, Tensor.__matmul__)
CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)


def once(func: Callable, args: tuple, kwargs: dict, n_fold: int) -> Tensor | None:
    """The result of a torch function for one of n_fold equal folds, repeated for all; None where it is to be called as it is."""
    if n_fold == 1 or torch.is_grad_enabled() or func not in HEAVY:
        return None
    for moving, dim in _entries(func, args, kwargs):
        tensors = [args[i] for i in moving]
        if all(x.shape[dim] == tensors[0].shape[dim] and folds_are_equal(x, n_fold, dim) for x in tensors):
            n_entry = tensors[0].shape[dim] // n_fold
            of_one = [x.narrow(dim, 0, n_entry) if i in moving else x for i, x in enumerate(args)]
            return _repeated(func(*of_one, **kwargs), n_fold, dim)
    return None


def _entries(func: Callable, args: tuple, kwargs: dict) -> Iterator[tuple[tuple[int, ...], int]]:
    """The arguments by place, and a dim of theirs whose entries do not see one another."""
    n_tensor = 3 if func is F.scaled_dot_product_attention else 2
    if len(args) < n_tensor or not all(isinstance(x, Tensor) for x in args[:n_tensor]) or "out" in kwargs:
        return
    first, second = args[:2]
    if func in LINEAR and second.ndim == 2:
        yield from (((0,), dim) for dim in range(min(2, first.ndim - 1)))  # the batch is first, or after the tokens
    elif func in CONVOLUTIONS and first.ndim == second.ndim:
        yield (0,), 0
    elif n_tensor == 3 and first.ndim >= 3 and not kwargs.get("dropout_p") and len(args) <= 4:
        mask = args[3] if len(args) == 4 else kwargs.get("attn_mask")
        if mask is None or mask.ndim < first.ndim or len(mask) == 1:
            yield (0, 1, 2), 0


def _repeated(x: Tensor, n_fold: int, dim: int) -> Tensor:
    """The folds one after another along a dim, with the dims in memory in the order in which those of x are."""
    order = sorted(range(x.ndim), key=lambda d: -x.stride(d))
    return torch.cat([x.permute(order)] * n_fold, order.index(dim)).permute([order.index(d) for d in range(x.ndim)])


HEAVY = {*LINEAR, *CONVOLUTIONS, F.scaled_dot_product_attention}
