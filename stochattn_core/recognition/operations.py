"""What the operations below torch's Python surface do with entries: copy them, change each alone, add them up, or multiply matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from stochattn_core.torch_private import tree_leaves, tree_map

SOFTMAX = {"_softmax", "_safe_softmax", "softmax"}
# Each entry of the result is a copy of one entry, or a filling. The number is the place of the filling among the arguments.
COPIES: Mapping[str, int | None] = {
    "clone": None, "_to_copy": None, "contiguous": None, "copy": None, "cat": None, "stack": None, "index": None, "index_select": None, "gather": None,
    "constant_pad_nd": 2, "pad": None, "roll": None, "flip": None, "masked_fill": 2, "where": None, "repeat": None, "tril": None, "triu": None,
    "index_put": None, "_index_put_impl": None, "scatter": 3, "slice_scatter": None, "select_scatter": None, "im2col": None, "unfold_copy": None,
    "_unsafe_view": None, "take": None, "masked_select": None, "masked_scatter": None, "index_copy": None, "fill": 1, "zero": None,
    "_unsafe_index": None, "_reshape_copy": None, "repeat_interleave": None, "reflection_pad1d": None, "reflection_pad2d": None,
    "replication_pad1d": None, "replication_pad2d": None, "rot90": None, "new_empty_strided": None, "diagonal_scatter": None,
    "view_copy": None, "expand_copy": None, "transpose_copy": None, "permute_copy": None, "slice_copy": None, "_reshape_alias": None,
    "channel_shuffle": None, "pixel_shuffle": None, "pixel_unshuffle": None, "upsample_nearest1d": None, "upsample_nearest2d": None,
}  # fmt: skip
WIDTH_ONLY = {"clone", "_to_copy", "contiguous", "lift_fresh"}  # copies whose arguments choose a dtype or an order in memory
SELECTIONS = {"topk", "sort"}  # (values, indices): which entries are copied depends on the entries
# Numbers about the weights, which are no weights themselves.
SUMMARIES = {
    "amax", "amin", "max", "min", "argmax", "argmin", "logsumexp", "var", "std", "norm", "linalg_vector_norm", "prod", "multinomial", "nonzero",
}  # fmt: skip
SUMS = {"sum", "mean", "nansum"}
LINEAR_ALONE = {"mul", "add", "sub", "rsub", "neg", "div", "where", "masked_fill", "lerp", "addcmul", "positive", "true_divide"}
SAME_PLACE_MIXTURES = {"cumsum"}  # linear, and each entry stays beside its place
ACCUMULATIONS = {"index_add", "scatter_add", "scatter_reduce", "index_reduce", "_index_reduce"}
CONVOLUTIONS = {"convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution"}
# Changes of each entry that torch does not mark as such, the normalisations among them: not linear, but each entry stays at its place.
CHANGES = {
    "div", "mul", "add", "sub", "native_layer_norm", "native_group_norm", "native_batch_norm", "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training", "_batch_norm_with_update", "cudnn_batch_norm", "_fused_rms_norm", "instance_norm",
}  # fmt: skip
CONTRACTIONS = {"mm", "bmm", "addmm", "baddbmm", "mv", "addmv", "dot", "vdot", "linear", "addbmm", "_grouped_mm"}
OWN_NAMESPACES = {"", "aten", "prim", "prims", "profiler", "quantized", "mkldnn", "onednn", "inductor", "torchvision"}  # operators of torch
# Operators that read several places of a map (case, channel, *place) for each place of the result, with the same numbers in each channel.
RESAMPLINGS = (
    "grid_sampler", "upsample_", "_upsample", "avg_pool", "_adaptive_avg_pool", "adaptive_avg_pool", "max_pool", "adaptive_max_pool", "cudnn_grid_sampler",
)  # fmt: skip
FUSED = (
    "scaled_dot_product", "flash_attn", "flash_attention", "fmha", "efficient_attention", "flex_attention", "attention_forward",
    "native_multi_head_attention", "transformer_encoder_layer_fwd",
)  # fmt: skip


def factors(op: str, args: tuple[Any, ...], result: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return the factors (*batch, row, entry) and (*batch, entry, column) of a matrix product, and the product as (*batch, row, column).

    None where they cannot be told.
    """
    if op in ("mm", "bmm"):
        return args[0], args[1], result
    if op in ("addmm", "baddbmm"):
        return args[1], args[2], result
    if op == "mv":
        return args[0], args[1][:, None], result[:, None]
    if op == "addmv":
        return args[1], args[2][:, None], result[:, None]
    if op in ("dot", "vdot"):
        return args[0][None], args[1][:, None], result[None, None]
    if op == "linear" and args[1].ndim == 2:
        return args[0], args[1].mT, result
    return None


def is_identity_on_weights(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], carrier: Tensor) -> bool | None:
    """Is a function of one tensor affine for numbers from 0 to 1? None where it cannot be tried.

    Functions such as nan_to_num or clamp(0, 1) change no attention weight, although they are no linear functions.
    """
    grid = torch.linspace(0, 1, 33, dtype=torch.float64, device=carrier.device)
    try:
        values = func(*[grid if x is carrier else x for x in args], **kwargs)
    except (RuntimeError, TypeError, ValueError):
        return None
    if not isinstance(values, Tensor) or values.shape != grid.shape or not values.is_floating_point():
        return None
    line = values[0] + (values[-1] - values[0]) * grid
    return bool(torch.allclose(values, line, atol=1e-12)) and bool(values.isfinite().all())


def has_overlap(x: Tensor) -> bool:
    """Does a view hold the same entry of memory several times, as windows that overlap do? Repeated dims (stride 0) do not count."""
    steps = [(size, stride) for size, stride in zip(x.shape, x.stride(), strict=True) if stride and size > 1]
    return math.prod(size for size, _ in steps) > 1 + sum((size - 1) * stride for size, stride in steps)


def weighs(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Does an operator of which only the name is seen weigh one of its arguments with weights that sum to one? Ones then give ones."""
    floats = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.is_floating_point() and x.ndim > 1]
    if len(floats) < 2:
        return False
    for values in floats:
        ones = torch.ones_like(values)
        try:
            changed = tree_map(
                lambda x, values=values, ones=ones: ones if x is values else x.clone() if isinstance(x, Tensor) else x, (args, dict(kwargs))
            )
            output = func(*changed[0], **changed[1])
        except (RuntimeError, TypeError, ValueError):
            continue
        if isinstance(output, Tensor) and output.numel() and bool(((output.float() - 1).abs() < 1e-3).all()):
            return True
    return False
