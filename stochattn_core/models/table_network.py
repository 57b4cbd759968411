"""The network of FT-Transformer for one table: raw columns in, forecasts in the units of the target out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Split


class TableNetwork(nn.Module):
    """FT-Transformer with the standardisation of the train part built in.

    **Shape**: inputs (case, feature) -> (case,)
    """

    feature_mean: Tensor
    feature_scale: Tensor
    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, n_feature: int, width: int, n_block: int, dropout: float = 0.0) -> None:
        super().__init__()
        from rtdl_revisiting_models import FTTransformer

        self.network: nn.Module = FTTransformer(
            n_cont_features=n_feature,
            cat_cardinalities=[],
            d_out=1,
            n_blocks=n_block,
            d_block=width,
            attention_n_heads=4,
            attention_dropout=0.0,  # it would train the network to ignore the very noise that is sampled here
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
        """Return an untrained network whose size fits the data, with the means and standard deviations of train."""
        n_case, n_feature = train.inputs.shape
        network = cls(n_feature, width=32, n_block=2, dropout=0.1 if n_case < 1000 else 0.0)  # a small table is soon overfitted
        features, target = train.inputs.double(), train.target.double()
        network.feature_mean.copy_(features.mean(0))
        spread = features.std(0)
        network.feature_scale.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        network.target_mean.copy_(target.mean())
        network.target_scale.copy_(target.std())
        return network

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> TableNetwork:
        """Return the network with these weights, in eval mode; its size is read off them."""
        n_feature, width = state["network.cont_embeddings.weight"].shape
        n_block = 1 + max(int(name.split(".")[3]) for name in state if name.startswith("network.backbone.blocks."))
        with torch.random.fork_rng(devices=[]):  # building the network draws initial weights, which loading replaces
            network = cls(n_feature, width, n_block)
        network.load_state_dict(state)
        return network.eval()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters in the groups of the paper, with and without weight decay."""
        make: Any = self.network.make_parameter_groups
        return make()

    def forward(self, inputs: Tensor) -> Tensor:
        standard = (inputs - self.feature_mean) / self.feature_scale
        return self.network(standard, None).squeeze(-1) * self.target_scale + self.target_mean
