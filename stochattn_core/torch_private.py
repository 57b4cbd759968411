"""Every name that this project uses of torch, or of transformers, although its authors do not promise to keep it.

They are gathered here so that a new version of either library is checked in one place: tests/test_torch_private.py names the versions of
torch for which each of them was found to exist and to do what is needed.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

# TorchDispatchMode sees every operation below torch's Python surface: the guard needs it to refuse attention that the patch cannot answer.
# tree_leaves and tree_map reach the tensors inside whatever containers a model takes and returns, transformers' outputs among them.
__all__ = [
    "TorchDispatchMode",
    "causal_mask",
    "default_generators",
    "function_modes",
    "has_bfloat16_products",
    "is_compiled",
    "is_composite",
    "is_functorch_tensor",
    "is_operator",
    "modules_of",
    "move_towards",
    "multi_head_attention_forward",
    "opaque_attention_configs",
    "tree_leaves",
    "tree_map",
]

# The code of torch's function for nn.MultiheadAttention, with globals of its own in which no tensor asks to be handed the call. Under an
# active TorchFunctionMode the original hands itself to the mode as a whole, and the attention inside it would never be seen.
multi_head_attention_forward = types.FunctionType(
    F.multi_head_attention_forward.__code__,
    {**vars(F), "has_torch_function": lambda *_: False},
    argdefs=F.multi_head_attention_forward.__defaults__,
)
multi_head_attention_forward.__kwdefaults__ = F.multi_head_attention_forward.__kwdefaults__


class AttentionConfig(Protocol):
    """The part of a transformers configuration that chooses how its model computes attention."""

    _attn_implementation: str


def default_generators() -> Sequence[torch.Generator]:
    """Return the generators that torch's random functions use when they are given none: the CPU's, and those of CUDA once it is in use."""
    return (torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ()))


def function_modes() -> Sequence[TorchFunctionMode]:
    """Return the TorchFunctionModes active in this thread: two blocks of the same model must not be nested."""
    return _get_current_function_mode_stack()


def is_functorch_tensor(x: Tensor) -> bool:
    """Is this tensor wrapped by vmap, grad or another transform of torch.func? Its numbers must then not be looked at."""
    return torch._C._functorch.is_functorch_wrapped_tensor(x)


def is_compiled(module: nn.Module) -> bool:
    """Was this module made by torch.compile, or has it a compiled call? Its attention is then inside a graph that no mode sees."""
    return type(module).__name__ == "OptimizedModule" or getattr(module, "_compiled_call_impl", None) is not None


def has_bfloat16_products() -> bool:
    """Does this processor multiply bfloat16 natively? Training small networks is then twice as fast."""
    is_supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(is_supported is not None and is_supported())


def move_towards(averages: list[Tensor], values: list[Tensor], share: float) -> None:
    """Replace each average by average + share * (value - average), in place: all tensors in one call, for the running mean of weights."""
    torch._foreach_lerp_(averages, values, share)


def opaque_attention_configs(model: nn.Module) -> Mapping[int, tuple[AttentionConfig, str]]:
    """Return the transformers configurations of a model whose attention runs in a kernel that the patch cannot see, by their id.

    With each stands the implementation to use instead: "sdpa" calls torch's scaled_dot_product_attention, and "eager" computes attention with
    softmax, for models that say `_supports_sdpa = False`.
    """
    opaque: dict[int, tuple[Any, str]] = {}
    for module in modules_of(model):
        config = vars(module).get("config")  # getattr is slow where a module has no such attribute, and this runs before every pass
        name = None if config is None else getattr(config, "_attn_implementation", None)
        if isinstance(name, str) and name.startswith(("flash", "flex", "kernels")):
            is_eager = getattr(module, "_supports_sdpa", True) is False or opaque.get(id(config), (None, ""))[1] == "eager"
            opaque[id(config)] = (config, "eager" if is_eager else "sdpa")
    return opaque


def modules_of(model: nn.Module) -> list[nn.Module]:
    """Return the modules of a model, each once, the model first: model.modules() in a fraction of its time, which is spent before every pass."""
    modules, seen = [model], {id(model)}
    for module in modules:
        for child in module._modules.values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                modules.append(child)
    return modules


def is_composite(func: Any) -> bool:
    """Is this operation made of others, as matmul and einsum are? A dispatch mode sees it whole only in inference mode."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def is_operator(func: object) -> bool:
    """Is this an operator with a schema, and not one of higher order, as flex_attention is?"""
    return isinstance(func, torch._ops.OpOverload)


def causal_mask(bias: Any, device: torch.device) -> Tensor | None:
    """Return the mask (L, S), True where a key is attended, that an object of torch.nn.attention.bias stands for; None for any other mask.

    Such an object is a tensor by its class alone and holds no numbers. Its module is not imported here: it takes long to load.
    """
    module = sys.modules.get("torch.nn.attention.bias")
    if module is None or not isinstance(bias, module.CausalBias):
        return None
    shift = bias.seq_len_kv - bias.seq_len_q if bias.variant is module.CausalVariant.LOWER_RIGHT else 0
    return torch.ones(bias.seq_len_q, bias.seq_len_kv, dtype=torch.bool, device=device).tril(shift)
