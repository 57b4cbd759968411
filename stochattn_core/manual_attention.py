"""The classes and functions that compute attention by hand, with softmax and matmul instead of torch's attention functions.

A class is named by its module and qualified name, so it is recognised without being imported; never by a part of its name, because a gate
called "...GatedAttention" is not attention. Every entry was checked: each softmax in it makes attention rows.
"""

from __future__ import annotations

from collections.abc import Sequence

AttentionClass = type | str

BY_HAND_CLASSES = frozenset(
    {
        "rtdl_revisiting_models.MultiheadAttention",  # FT-Transformer
        "transformers.models.informer.modeling_informer.InformerProbSparseAttention",
        "transformers.models.swinv2.modeling_swinv2.Swinv2SelfAttention",  # also Poseidon
        "transformers.models.timesformer.modeling_timesformer.TimesformerSelfAttention",
        "aurora.model.swin3d.WindowAttention",
        "aurora.model.perceiver.PerceiverAttention",
        "geoarches.backbones.archesweather_layers.EarthAttention3D",
    }
)

# Hugging Face models set to "eager" share one function name for softmax and matmul; every modeling file holds a copy of it.
BY_HAND_FUNCTION, BY_HAND_PACKAGE = "eager_attention_forward", "transformers."


def is_manual_class(cls: type, also: Sequence[AttentionClass] = ()) -> bool:
    """Is this class, or one that it derives from, registered here or named in `also` (classes, or their qualified names)?"""
    for base in cls.__mro__:
        name = f"{base.__module__}.{base.__qualname__}"
        if base in also or name in also or name in BY_HAND_CLASSES:
            return True
    return False


def is_manual_function(function: str, module: str) -> bool:
    """Is this the function in which an eager Hugging Face model computes attention?"""
    return function == BY_HAND_FUNCTION and module.startswith(BY_HAND_PACKAGE)
