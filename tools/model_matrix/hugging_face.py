"""How the entries of transformers are written: a class, its small configuration, the arguments of one pass, and the output to look at."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from tools.model_matrix.entry import Entry, Example, Picked, randomise

# Four heads of four numbers in two layers, under the names that most configurations share.
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
# The same for an encoder and a decoder, in the names of BART and its family.
PAIR = {
    **{"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
    **{"encoder_ffn_dim": 32, "decoder_ffn_dim": 32},
}
TWO_LAYERS = "2 layers"
PAIR_OF_TWO = "2 encoder layers, and 2 decoder layers with self- and cross-attention each"


def hugging_face(
    cls: str,
    n_call: int,
    because: str,
    config: dict[str, Any] | Callable[[], Any],
    inputs: dict[str, Any],
    *,
    pick: str | Callable[[Any], Any] = "last_hidden_state",
    noise: float = 0.05,
    plain_attention: str = "",
    **entry: Any,
) -> Entry:
    """Return the entry of a class of transformers.

    config: its keyword arguments, or a function that makes it. noise: see randomise. plain_attention: the implementation of attention that the
    plain pass uses, where the model's own does not run on a CPU or cannot be counted.
    """

    def build() -> Example:
        from tools.model_matrix import operators  # noqa: F401, I001  makes torchvision importable, which transformers imports where it is installed
        import transformers

        model_class = getattr(transformers, cls)

        def picked(settings: dict[str, Any]) -> Picked:
            model = model_class(config() if callable(config) else model_class.config_class(**settings))
            return Picked(randomise(model, noise), attrgetter(pick) if isinstance(pick, str) else pick)

        if not plain_attention or callable(config):
            return Example(picked({} if callable(config) else config), kwargs=inputs)
        model, plain = picked(config), picked({**config, "attn_implementation": plain_attention})
        plain.load_state_dict(model.state_dict())
        return Example(model, kwargs=inputs, plain=plain)

    return Entry(build, n_call, because, **entry)
