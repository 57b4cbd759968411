"""Implementations of attention: for the time of a pass, compiled modules and fused kernels are exchanged for code that can be seen into."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import torch
from torch import nn

from stochattn_core.torch_private import opaque_attention_configs


@contextlib.contextmanager
def through_torch_functions(model: nn.Module, *, is_fused: bool = True) -> Iterator[None]:
    """Inside the block, compiled modules and functions run eagerly, and Hugging Face models on flex or flash attention use functions of torch.

    Those models are set to "sdpa", or to "eager" where they say that they do not support it: sinks and soft caps have no place in
    scaled_dot_product_attention, and would be lost without a word. is_fused: may the model be set to flex or flash attention?
    """
    opaque = opaque_attention_configs(model) if is_fused else {}
    chosen = {key: config._attn_implementation for key, (config, _) in opaque.items()}
    try:
        for config, implementation in opaque.values():
            config._attn_implementation = implementation
        is_eager = "torch._dynamo" in sys.modules  # without it nothing was compiled
        with torch.compiler.set_stance("force_eager") if is_eager else contextlib.nullcontext():
            yield
    finally:
        for key, name in chosen.items():
            opaque[key][0]._attn_implementation = name
