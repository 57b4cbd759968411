"""The registry of places that compute attention by hand, softmax and matmul, rather than through torch's attention functions.

A class is named by module and qualified name, so that nothing has to be imported to be known. Never by a part of a name: a gate called
"...GatedAttention" is no attention. Each entry was checked: every softmax in it makes attention rows.
"""

from __future__ import annotations

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

# Hugging Face models set to "eager" share one function name for softmax and matmul, one copy in every modeling file.
BY_HAND_FUNCTION, BY_HAND_PACKAGE = "eager_attention_forward", "transformers."


def is_by_hand_class(cls: type, also: tuple[AttentionClass, ...] = ()) -> bool:
    """Whether a class, or one it derives from, is registered or named in `also` (classes, or their qualified names)."""
    for base in cls.__mro__:
        name = f"{base.__module__}.{base.__qualname__}"
        if base in also or name in also or name in BY_HAND_CLASSES:
            return True
    return False


def is_by_hand_function(function: str, module: str) -> bool:
    return function == BY_HAND_FUNCTION and module.startswith(BY_HAND_PACKAGE)
