"""Models of packages beside transformers and timm: forecasters, tables, graphs, and torch's own layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import torch
from torch import Tensor, nn

from tools.model_matrix.entry import N_CASE, Entry, Example, Picked, normal, randomise, tokens
from tools.model_matrix.hugging_face import PAIR_OF_TWO, TWO_LAYERS


def made(make: Callable[[], nn.Module], *inputs: Any, pick: Callable[[Any], Tensor] | None = None) -> Callable[[], Example]:
    """Return a function that builds the example of a module and its positional arguments."""
    return lambda: Example(Picked(randomise(make()), pick or (lambda output: output)), inputs)


def ft_transformer() -> nn.Module:
    from rtdl_revisiting_models import FTTransformer

    return FTTransformer(
        n_cont_features=5, cat_cardinalities=[3], d_out=1, n_blocks=2, d_block=16, attention_n_heads=4, attention_dropout=0.0,
        ffn_d_hidden_multiplier=2.0, ffn_dropout=0.0, residual_dropout=0.0,
    )  # fmt: skip


def tab_transformer() -> nn.Module:
    from tab_transformer_pytorch import TabTransformer

    return TabTransformer(categories=(4, 5, 6), num_continuous=5, dim=16, dim_out=1, depth=2, heads=4, dim_head=4, mlp_act=nn.ReLU())


def tab_ft_transformer() -> nn.Module:
    from tab_transformer_pytorch import FTTransformer

    return FTTransformer(categories=(4, 5, 6), num_continuous=5, dim=16, dim_out=1, depth=2, heads=4, dim_head=4)


def perceiver() -> nn.Module:
    from perceiver_pytorch import Perceiver

    return Perceiver(
        num_freq_bands=2, depth=2, max_freq=4.0, input_channels=3, input_axis=2, num_latents=6, latent_dim=16, cross_dim_head=8,
        latent_heads=2, latent_dim_head=8, num_classes=5,
    )  # fmt: skip


def perceiver_io() -> nn.Module:
    from perceiver_pytorch import PerceiverIO

    return PerceiverIO(
        depth=2, dim=16, queries_dim=8, logits_dim=4, num_latents=6, latent_dim=16, cross_dim_head=8, latent_heads=2, latent_dim_head=8
    )


def x_transformer(**options: Any) -> nn.Module:
    from x_transformers import Decoder, TransformerWrapper

    return TransformerWrapper(num_tokens=50, max_seq_len=16, attn_layers=Decoder(dim=16, depth=2, heads=4, attn_dim_head=4, **options))


def graph(kind: str) -> nn.Module:
    """Return a layer of torch_geometric on rings of 6 nodes: from (case, node, feature) to the same shape."""
    from torch_geometric.nn import GATConv, GPSConv, TransformerConv

    layers = {
        "GATConv": lambda: GATConv(16, 4, heads=4),
        "GPSConv": lambda: GPSConv(16, GATConv(16, 4, heads=4), heads=4, norm=None),
        "TransformerConv": lambda: TransformerConv(16, 4, heads=4),
    }
    return Rings(layers[kind]())


class Rings(nn.Module):
    """A graph layer on one ring of nodes for each case; the edges run to the next node, to the one after it, and back."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        n_case, n_node, _ = x.shape
        node = torch.arange(n_node)
        ring = torch.cat([torch.stack([node, (node + step) % n_node]) for step in (1, 2, -1)], dim=1)
        edges = torch.cat([ring + case * n_node for case in range(n_case)], dim=1)
        batch = {"batch": torch.arange(n_case).repeat_interleave(n_node)} if type(self.layer).__name__ == "GPSConv" else {}
        return self.layer(x.flatten(0, 1), edges, **batch).unflatten(0, (n_case, n_node))


def timesfm() -> nn.Module:
    import dataclasses

    from timesfm.timesfm_2p5 import timesfm_2p5_torch as package

    full = package.TimesFM_2p5_200M_torch_module.config
    layer = dataclasses.replace(full.stacked_transformers.transformer, model_dims=16, hidden_dims=16, num_heads=4)
    blocks = {
        name: dataclasses.replace(
            getattr(full, name),
            hidden_dims=16,
            **({"output_dims": 16} if name == "tokenizer" else {"input_dims": 16}),
        )
        for name in ("tokenizer", "output_projection_point", "output_projection_quantiles")
    }
    small = dataclasses.replace(
        full, stacked_transformers=dataclasses.replace(full.stacked_transformers, num_layers=2, transformer=layer), **blocks
    )
    module_class = type("SmallTimesFM", (package.TimesFM_2p5_200M_torch_module,), {"config": small})
    return module_class()


def chronos_bolt() -> nn.Module:
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    config = T5Config(
        d_model=16, d_kv=4, d_ff=32, num_layers=2, num_decoder_layers=2, num_heads=4, pad_token_id=0, decoder_start_token_id=0
    )
    config.chronos_config = {
        **{"context_length": 128, "prediction_length": 8, "input_patch_size": 8, "input_patch_stride": 8},
        **{"quantiles": [0.1, 0.5, 0.9], "use_reg_token": True},
    }
    return ChronosBoltModelForForecasting(config)


def chronos_2() -> nn.Module:
    from chronos.chronos2.config import Chronos2CoreConfig
    from chronos.chronos2.model import Chronos2Model

    config = Chronos2CoreConfig(d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4)
    config.chronos_config = {
        **{"context_length": 128, "output_patch_size": 8, "input_patch_size": 8, "input_patch_stride": 8, "max_output_patches": 2},
        **{"quantiles": [0.1, 0.5, 0.9], "use_reg_token": True, "use_arcsinh": True, "time_encoding_scale": 128},
    }
    return Chronos2Model(config)


QUANTILES = attrgetter("quantile_preds")


def chronos_2_lengths() -> dict[str, Example]:
    """Return one pass of one model for every context length from 64 to 128."""
    torch.manual_seed(0)
    model = Picked(randomise(chronos_2()), QUANTILES)
    return {f"context {n}": Example(model, (normal(N_CASE, n),)) for n in range(64, 129)}


class AuroraOnTensors(nn.Module):
    """Aurora as a function of surface (case, time, variable, latitude, longitude) and upper-air (..., level, latitude, longitude) tensors."""

    def __init__(self, **options: Any):
        super().__init__()
        from tools.model_matrix import operators  # noqa: F401, I001  makes aurora importable
        from aurora import Aurora

        self.model = Aurora(
            surf_vars=("2t", "msl"), static_vars=("lsm",), atmos_vars=("z", "t"), window_size=(2, 2, 4), encoder_depths=(2, 2),
            encoder_num_heads=(2, 4), decoder_depths=(2, 2), decoder_num_heads=(4, 2), latent_levels=4, patch_size=4, embed_dim=16,
            num_heads=2, use_lora=False, **options,
        )  # fmt: skip

    def forward(self, surface: Tensor, upper: Tensor) -> Tensor:
        from datetime import datetime

        from aurora import Batch, Metadata

        n_latitude, n_longitude = surface.shape[-2:]
        batch = Batch(
            surf_vars={name: surface[:, :, place] for place, name in enumerate(("2t", "msl"))},
            static_vars={"lsm": torch.zeros(n_latitude, n_longitude)},
            atmos_vars={name: upper[:, :, place] for place, name in enumerate(("z", "t"))},
            metadata=Metadata(
                lat=torch.linspace(90, -90, n_latitude),
                lon=torch.linspace(0, 360, n_longitude + 1)[:-1],
                time=(datetime(2020, 6, 1),) * len(surface),
                atmos_levels=(100, 500, 850),
            ),
        )
        prediction = self.model(batch).normalise(surf_stats=self.model.surf_stats)
        return torch.cat([x.flatten(1) for x in (*prediction.surf_vars.values(), *prediction.atmos_vars.values())], dim=1)


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)


def padded_encoder() -> Example:
    padding = torch.zeros(N_CASE, 7, dtype=torch.bool)
    padding[1, 5:] = True
    return Example(Picked(randomise(encoder()), lambda x: x), (normal(N_CASE, 7, 16),), {"src_key_padding_mask": padding})


def self_attention(need_weights: bool) -> Callable[[], Example]:
    def build() -> Example:
        layer = randomise(nn.MultiheadAttention(16, 4, batch_first=True))
        return Example(Picked(layer, itemgetter(0)), 3 * (normal(N_CASE, 7, 16),), {"need_weights": need_weights})

    return build


TABLE = (torch.tensor([[0, 1, 2], [3, 4, 5], [1, 0, 3]]), normal(N_CASE, 5))
AIR = (normal(N_CASE, 2, 2, 8, 16), normal(N_CASE, 2, 2, 3, 8, 16, seed=1))
AURORA = "8 layers of window attention, one aggregation of levels in the encoder and one of them in the decoder"
EDGES = "its rows are kept as one weight for each edge"

MODELS: dict[str, Entry] = {
    "nn.MultiheadAttention, weights": Entry(self_attention(True), 1, "one layer", package="torch"),
    "nn.MultiheadAttention, no weights": Entry(self_attention(False), 1, "one layer", package="torch"),
    "nn.TransformerEncoder": Entry(made(encoder, normal(N_CASE, 7, 16)), 2, TWO_LAYERS, package="torch"),
    "nn.TransformerEncoder, padded": Entry(padded_encoder, 2, TWO_LAYERS, package="torch"),
    "nn.Transformer": Entry(
        made(partial(nn.Transformer, 16, 4, 2, 2, 32, batch_first=True), normal(N_CASE, 7, 16), normal(N_CASE, 5, 16, seed=1)),
        6,
        PAIR_OF_TWO,
        package="torch",
    ),
    "FTTransformer": Entry(
        made(ft_transformer, normal(N_CASE, 5), torch.tensor([[0], [1], [2]])), 2, "2 blocks", package="rtdl_revisiting_models"
    ),
    "TabTransformer": Entry(made(tab_transformer, *TABLE), 2, TWO_LAYERS, package="tab-transformer-pytorch"),
    "FTTransformer, tab-transformer": Entry(made(tab_ft_transformer, *TABLE), 2, TWO_LAYERS, package="tab-transformer-pytorch"),
    "Perceiver": Entry(
        made(perceiver, normal(N_CASE, 4, 4, 3)), 4, "2 blocks of one cross-attention and one layer of latents", package="perceiver-pytorch"
    ),
    "PerceiverIO": Entry(
        made(perceiver_io, normal(N_CASE, 5, 16)), 3, "one cross-attention and 2 layers of latents", package="perceiver-pytorch"
    ),
    "x-transformers": Entry(made(x_transformer, tokens(9)), 2, TWO_LAYERS, package="x-transformers"),
    "x-transformers, flash": Entry(made(partial(x_transformer, attn_flash=True), tokens(9)), 2, TWO_LAYERS, package="x-transformers"),
    "x-transformers, talking heads": Entry(
        made(partial(x_transformer, attn_pre_talking_heads=True, attn_post_talking_heads=True), tokens(9)),
        2,
        TWO_LAYERS,
        package="x-transformers",
    ),
    "x-transformers, top 3 keys": Entry(
        made(partial(x_transformer, attn_sparse_topk=3), tokens(9)), 2, TWO_LAYERS, package="x-transformers"
    ),
    "GATConv": Entry(
        made(partial(graph, "GATConv"), normal(N_CASE, 6, 16)),
        1,
        "one layer",
        package="torch_geometric",
        attention_modules=("GATConv",),
        refusable=EDGES,
    ),
    "GPSConv with GATConv": Entry(
        made(partial(graph, "GPSConv"), normal(N_CASE, 6, 16)),
        2,
        "one layer on the edges and one over all nodes",
        package="torch_geometric",
        attention_modules=("GATConv", "MultiheadAttention"),
        refusable=EDGES,
    ),
    "TransformerConv": Entry(
        made(partial(graph, "TransformerConv"), normal(N_CASE, 6, 16)),
        1,
        "one layer",
        package="torch_geometric",
        attention_modules=("TransformerConv",),
        refusable=EDGES,
    ),
    "TimesFM 2.5, timesfm": Entry(
        made(timesfm, normal(N_CASE, 5, 32), torch.zeros(N_CASE, 5, 32, dtype=torch.bool), pick=lambda output: output[0][2]),
        2,
        TWO_LAYERS,
        package="timesfm",
    ),
    "Chronos-Bolt": Entry(made(chronos_bolt, normal(N_CASE, 64), pick=QUANTILES), 6, PAIR_OF_TWO, package="chronos-forecasting"),
    "Chronos-2": Entry(
        made(chronos_2, normal(N_CASE, 88), pick=QUANTILES),
        4,
        "2 layers, each over time and over the series of a group",
        package="chronos-forecasting",
        further=chronos_2_lengths,
    ),
    "Chronos-2, series of a group": Entry(
        lambda: Example(Picked(randomise(chronos_2()), QUANTILES), (normal(N_CASE, 88),), {"group_ids": torch.tensor([0, 0, 1])}),
        4,
        "2 layers, each over time and over the series of a group",
        package="chronos-forecasting",
    ),
    "Aurora": Entry(made(AuroraOnTensors, *AIR), 10, AURORA, package="microsoft-aurora"),
    "Aurora, softmax by hand": Entry(
        made(partial(AuroraOnTensors, use_fp16_safe_attention=True), *AIR), 10, AURORA, package="microsoft-aurora"
    ),
}
