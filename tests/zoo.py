"""Tiny models with random weights, one for each way in which real models compute attention."""

from collections.abc import Callable

import torch
from torch import nn


class Picked(nn.Module):
    """A model as a function from tensors to one tensor; `call` calls it and picks the output."""

    def __init__(self, model: nn.Module, call: Callable):
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *inputs):
        return self.call(self.model, *inputs)


class ByHand(nn.Module):
    """Attention with softmax and matmul."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.project = nn.Linear(width, 3 * width)

    def forward(self, x):
        query, key, value = self.project(x).chunk(3, -1)
        return torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1) @ value


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(kind, *args, **kwargs):
    """A module in eval mode, made with the seed 0; the global random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(*args, **kwargs).eval()


def _tokens(*shape):
    return torch.randint(0, 50, shape, generator=torch.Generator().manual_seed(0))


def multi_head(need_weights):
    def make():
        return Picked(nn.MultiheadAttention(16, 4, batch_first=True), lambda m, x: m(x, x, x, need_weights=need_weights)[0]), (
            normal(3, 7, 16),
        )

    return make


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2), (normal(3, 7, 16),)


def transformer():
    return nn.Transformer(16, 4, 2, 2, 32, batch_first=True), (normal(3, 7, 16), normal(3, 5, 16, seed=1))


_SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}


def timesfm():
    from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

    config = TimesFm2_5Config(
        patch_length=4, context_length=32, horizon_length=8, head_dim=4, num_key_value_heads=4, output_quantile_len=8, **_SIZES
    )
    call = lambda m, x: m(x, truncate_negative=False, forecast_context_len=32).mean_predictions  # noqa: E731
    return Picked(TimesFm2_5ModelForPrediction(config), call), (normal(3, 32),)


def patchtst():
    from transformers import PatchTSTConfig, PatchTSTForPrediction

    config = PatchTSTConfig(
        num_input_channels=2, context_length=32, patch_length=8, patch_stride=8, d_model=16, num_attention_heads=4, num_hidden_layers=2,
        ffn_dim=32, prediction_length=8, init_std=0.5,
    )  # fmt: skip
    return Picked(PatchTSTForPrediction(config), lambda m, x: m(x).prediction_outputs), (normal(3, 32, 2),)


def vit():
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(image_size=16, patch_size=4, **_SIZES)
    return Picked(ViTModel(config), lambda m, x: m(x).last_hidden_state), (normal(3, 3, 16, 16),)


def t5():
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4)
    return Picked(T5Model(config), lambda m, x: m(input_ids=x, decoder_input_ids=x).last_hidden_state), (_tokens(3, 9),)


def llama(attention="sdpa"):
    def make():
        from transformers import LlamaConfig, LlamaModel

        config = LlamaConfig(vocab_size=50, num_key_value_heads=2, attn_implementation=attention, initializer_range=0.5, **_SIZES)
        return Picked(LlamaModel(config), lambda m, x: m(x).last_hidden_state), (_tokens(3, 9),)

    return make


def time_series_transformer():
    from transformers import TimeSeriesTransformerConfig, TimeSeriesTransformerModel

    config = TimeSeriesTransformerConfig(
        prediction_length=4, context_length=8, lags_sequence=[1, 2], num_time_features=1, d_model=16, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=32, decoder_ffn_dim=32,
    )  # fmt: skip
    inputs = (normal(3, 10), normal(3, 10, 1), torch.ones(3, 10), normal(3, 4, seed=1), normal(3, 4, 1, seed=2))
    names = ("past_values", "past_time_features", "past_observed_mask", "future_values", "future_time_features")
    call = lambda m, *x: m(**dict(zip(names, x, strict=True))).last_hidden_state  # noqa: E731
    return Picked(TimeSeriesTransformerModel(config), call), inputs


def swinv2():
    from transformers import Swinv2Config, Swinv2Model

    config = Swinv2Config(image_size=32, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=4)
    return Picked(Swinv2Model(config), lambda m, x: m(x).last_hidden_state), (normal(3, 3, 32, 32),)


def ft_transformer():
    from rtdl_revisiting_models import FTTransformer

    model = FTTransformer(
        n_cont_features=5, cat_cardinalities=[], d_out=1, n_blocks=2, d_block=16, attention_n_heads=4, attention_dropout=0.0,
        ffn_d_hidden_multiplier=2.0, ffn_dropout=0.0, residual_dropout=0.0,
    )  # fmt: skip
    return Picked(model, lambda m, x: m(x, None)), (normal(3, 5),)


# name -> (function that makes it, attention calls in one pass)
ZOO = {
    "nn.MultiheadAttention, weights": (multi_head(True), 1),
    "nn.MultiheadAttention, no weights": (multi_head(False), 1),
    "nn.TransformerEncoder": (encoder, 2),
    "nn.Transformer": (transformer, 6),
    "TimesFM 2.5": (timesfm, 4),
    "PatchTST": (patchtst, 2),
    "ViT": (vit, 2),
    "T5": (t5, 6),
    "Llama": (llama(), 2),
    "Llama, eager": (llama("eager"), 2),
    "TimeSeriesTransformer": (time_series_transformer, 6),
    "Swinv2": (swinv2, 4),
    "FT-Transformer": (ft_transformer, 2),
}


def make(name: str, seed: int = 0) -> tuple[nn.Module, tuple]:
    """The model in eval mode and its inputs; the global random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, inputs = ZOO[name][0]()
    return model.eval(), inputs
