"""The shared prefix of a pass: what is equal for all members is computed for one of them and repeated.

Before the first sampled attention of a pass, all members hold the same numbers. The functions answered here treat the entries of one dim
independently of one another, so equal blocks of entries give equal blocks, whatever the dim means to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from stochattn_core.layout import folds_are_equal, is_plain, memory_order

LINEAR = (F.linear, torch.matmul, Tensor.matmul)
CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)


def compute_shared(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], n_fold: int) -> Tensor | None:
    """Return the result of a torch function, computed for one of n_fold equal folds and repeated; None where that is not possible.

    None also while gradients are recorded, because every fold must then receive its own.
    """
    if n_fold == 1 or torch.is_grad_enabled():
        return None
    folded, dims = _folded_arguments(func, args, kwargs)
    if not all(map(is_plain, folded.values())):
        return None
    for dim in dims:
        sizes = {x.shape[dim] for x in folded.values()}
        if len(sizes) == 1 and all(folds_are_equal(x, n_fold, dim) for x in folded.values()):
            n_entry = sizes.pop() // n_fold
            first_fold = {place: x.narrow(dim, 0, n_entry) for place, x in folded.items()}
            positional = [first_fold.get(i, x) for i, x in enumerate(args)]
            return _repeated(func(*positional, **{name: first_fold.get(name, x) for name, x in kwargs.items()}), n_fold, dim)
    return None


def _folded_arguments(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[dict[int | str, Tensor], Sequence[int]]:
    """Return the arguments that hold the members, by position or name, and the dims along which no entry depends on another."""
    n_dim = [x.ndim for x in args[:4] if isinstance(x, Tensor)]
    if func in LINEAR and n_dim[1:2] == [2] and "out" not in kwargs:
        return {0: args[0]}, range(min(2, n_dim[0] - 1))  # the batch is the first dim, or the second, after the tokens
    if func in CONVOLUTIONS and n_dim[:1] == n_dim[1:2]:
        return {0: args[0]}, (0,)
    if func is F.scaled_dot_product_attention and len(args) in (3, 4) and not kwargs.get("dropout_p"):
        place, mask = (3, args[3]) if len(args) == 4 else ("attn_mask", kwargs.get("attn_mask"))
        if n_dim[0] > 2 and len(set(n_dim[:3])) == 1 and (mask is None or mask.ndim <= n_dim[0]):
            folded: dict[int | str, Tensor] = dict(enumerate(args[:3]))
            if mask is not None and mask.ndim == n_dim[0] and len(mask) > 1:
                folded[place] = mask
            return folded, (0,)
    return {}, ()


def _repeated(x: Tensor, n_fold: int, dim: int) -> Tensor:
    """Return n_fold copies of x one after another along a dim, with the dims in memory in the order of x's."""
    order, back = memory_order(x)
    return torch.cat([x.permute(order)] * n_fold, order.index(dim)).permute(back)
