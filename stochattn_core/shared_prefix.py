"""What is equal in all folds is computed for one of them, and repeated.

Before the first sampled attention of a pass all members are the same numbers. Only functions are answered here that treat the entries of
a dim alone, each as if the others were not there: then equal blocks of entries give equal blocks, whatever a model means by the dim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from stochattn_core.layout import folds_are_equal, is_plain

LINEAR = (F.linear, torch.matmul, Tensor.matmul)
CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)


def compute_shared(func: Callable, args: tuple, kwargs: dict, n_fold: int) -> Tensor | None:
    """The result of a torch function for one of n_fold equal folds, repeated for all; None where it is to be called as it is.

    Under grad it always is, as every fold is to receive a gradient of its own.
    """
    if n_fold == 1 or torch.is_grad_enabled():
        return None
    moving, dims = _moving(func, args, kwargs)
    if not all(map(is_plain, moving.values())):
        return None
    for dim in dims:
        sizes = {x.shape[dim] for x in moving.values()}
        if len(sizes) == 1 and all(folds_are_equal(x, n_fold, dim) for x in moving.values()):
            n_entry = sizes.pop() // n_fold
            of_one = {place: x.narrow(dim, 0, n_entry) for place, x in moving.items()}
            some, named = [of_one.get(i, x) for i, x in enumerate(args)], {name: of_one.get(name, x) for name, x in kwargs.items()}
            return _repeated(func(*some, **named), n_fold, dim)
    return None


def _moving(func: Callable, args: tuple, kwargs: dict) -> tuple[dict[int | str, Any], Sequence[int]]:
    """The arguments, by place or name, that hold the entries of a dim, and the dims of which no entry sees another."""
    n_dim = [x.ndim for x in args[:4] if isinstance(x, Tensor)]
    if func in LINEAR and n_dim[1:2] == [2] and "out" not in kwargs:
        return {0: args[0]}, range(min(2, n_dim[0] - 1))  # the batch is first, or after the tokens
    if func in CONVOLUTIONS and n_dim[:1] == n_dim[1:2]:
        return {0: args[0]}, (0,)
    if func is F.scaled_dot_product_attention and len(args) in (3, 4) and not kwargs.get("dropout_p"):
        place, mask = (3, args[3]) if len(args) == 4 else ("attn_mask", kwargs.get("attn_mask"))
        if n_dim[0] > 2 and len(set(n_dim[:3])) == 1 and (mask is None or mask.ndim <= n_dim[0]):
            is_of_cases = mask is not None and mask.ndim == n_dim[0] and len(mask) > 1
            return {**dict(enumerate(args[:3])), **({place: mask} if is_of_cases else {})}, (0,)
    return {}, ()


def _repeated(x: Tensor, n_fold: int, dim: int) -> Tensor:
    """The folds one after another along a dim, with the dims in memory in the order in which those of x are."""
    order = sorted(range(x.ndim), key=lambda d: -x.stride(d))
    return torch.cat([x.permute(order)] * n_fold, order.index(dim)).permute([order.index(d) for d in range(x.ndim)])
