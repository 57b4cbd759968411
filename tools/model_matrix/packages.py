"""torch's own layers, and models of packages for tables, graphs, text and images beside transformers and timm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn

from tools.model_matrix.entry import N_CASE, Entry, Example, Picked, made, normal, randomise, tokens
from tools.model_matrix.hugging_face import PAIR_OF_TWO, TWO_LAYERS


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
}
