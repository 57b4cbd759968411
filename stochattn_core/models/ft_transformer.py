"""FT-Transformer for tables: the class of the package rtdl_revisiting_models, one token a column and one to read out.

Its attention is softmax by hand in rtdl_revisiting_models.MultiheadAttention. Source: Gorishniy et al. (2021), "Revisiting
Deep Learning Models for Tabular Data", NeurIPS, arXiv 2106.11959.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.device import resolve_device
from stochattn_core.models import weights
from stochattn_core.models.base import Model
from stochattn_core.models.table_training import RECIPE, train_table

MAX_FEATURE = 256  # columns: attention cost grows with the square of them


class TableNetwork(nn.Module):
    """Raw columns in, target units out: the standardisation of the train part is part of the network.

    **Shape**: inputs (case, feature) -> (case,)
    """

    def __init__(self, n_feature: int, width: int, n_block: int, dropout: float = 0.0) -> None:
        super().__init__()
        from rtdl_revisiting_models import FTTransformer

        self.network = FTTransformer(
            n_cont_features=n_feature,
            cat_cardinalities=[],
            d_out=1,
            n_blocks=n_block,
            d_block=width,
            attention_n_heads=4,
            attention_dropout=0.0,  # it would train the network to shrug off the very noise that is sampled here
            ffn_d_hidden=None,
            ffn_d_hidden_multiplier=4 / 3,
            ffn_dropout=dropout,
            residual_dropout=0.0,
        )
        self.register_buffer("feature_mean", torch.zeros(n_feature))
        self.register_buffer("feature_scale", torch.ones(n_feature))
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_scale", torch.ones(()))

    @classmethod
    def for_train(cls, train: Split) -> TableNetwork:
        """Untrained, of a size that fits the data, with the means and standard deviations of train."""
        n_case, n_feature = train.inputs.shape
        network = cls(n_feature, width=32, n_block=2, dropout=0.1 if n_case < 1000 else 0.0)  # few rows are soon known by heart
        features, target = train.inputs.double(), train.target.double()
        network.feature_mean.copy_(features.mean(0))
        spread = features.std(0)
        network.feature_scale.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        network.target_mean.copy_(target.mean())
        network.target_scale.copy_(target.std())
        return network

    @classmethod
    def from_state(cls, state: dict[str, torch.Tensor]) -> TableNetwork:
        """The size is read off the weights themselves."""
        n_feature, width = state["network.cont_embeddings.weight"].shape
        n_block = 1 + max(int(name.split(".")[3]) for name in state if name.startswith("network.backbone.blocks."))
        with torch.random.fork_rng(devices=[]):  # building draws numbers that loading throws away
            network = cls(n_feature, width, n_block)
        network.load_state_dict(state)
        return network.eval()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        standard = (inputs - self.feature_mean) / self.feature_scale
        return self.network(standard, None).squeeze(-1) * self.target_scale + self.target_mean


class FtTransformer(Model):
    name = "ft_transformer"
    task = "table"
    title = "FT-Transformer"
    source = "Gorishniy et al. (2021), arXiv 2106.11959; weights trained by this project"
    licence = "Apache-2.0, the class and the weights"

    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        self.check(dataset)
        place = resolve_device(device)
        if dataset.train.inputs.shape[1] > MAX_FEATURE:
            raise ValueError(
                f"expected a table of at most {MAX_FEATURE} columns, {dataset.name!r} has {dataset.train.inputs.shape[1]}; "
                "keep the columns that matter"
            )
        for path in (*sorted(weights.EMBEDDED.glob(f"{self.name}_*.safetensors")), cached_path(dataset)):
            if weights.about(path).get("dataset_sha256") == dataset.sha256:  # the weights of another dataset are never served
                return TableNetwork.from_state(weights.load(path)).to(place)
        network = train_table(TableNetwork.for_train, dataset.train, progress=progress)
        try:
            save(network, dataset, cached_path(dataset))
        except OSError as error:
            warnings.warn(f"the trained weights could not be kept ({error}): the next session trains them again", stacklevel=2)
        return network.to(place)


def cached_path(dataset: Dataset) -> Path:
    return weights.cache_folder() / f"{FtTransformer.name}_{dataset.sha256[:16]}_recipe{RECIPE}.safetensors"


def save(network: nn.Module, dataset: Dataset, path: Path) -> None:
    weights.save(
        path,
        network.state_dict(),
        {"model": FtTransformer.name, "dataset": dataset.name, "dataset_sha256": dataset.sha256, "recipe": RECIPE},
    )
