"""Forecasters in packages of their own: TimesFM, Chronos, Moirai, Toto and TiRex."""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from tools.model_matrix.entry import N_CASE, Entry, Example, Picked, made, normal, randomise
from tools.model_matrix.hugging_face import PAIR_OF_TWO, TWO_LAYERS


def timesfm() -> nn.Module:
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

    config: Any = T5Config(d_model=16, d_kv=4, d_ff=32, num_layers=2, num_decoder_layers=2, num_heads=4, pad_token_id=0)
    config.decoder_start_token_id = 0
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


def moirai() -> nn.Module:
    from tools.model_matrix import operators  # noqa: F401, I001  makes lightning importable, which imports torchvision
    from uni2ts.distribution import StudentTOutput
    from uni2ts.model.moirai import MoiraiModule

    return MoiraiModule(StudentTOutput(), 128, 2, (8,), 64, 0.0, 0.0)


def moirai_2() -> nn.Module:
    from tools.model_matrix import operators  # noqa: F401, I001  makes lightning importable, which imports torchvision
    from uni2ts.model.moirai2 import Moirai2Module

    return Moirai2Module(128, 128, 2, 8, 64, 0.0, 0.0)


def patches(**further: Any) -> dict[str, Any]:
    """Return the arguments of Moirai for two variates of 5 patches each (case, patch, time), of which the last ones are to be predicted."""
    place = torch.arange(5).repeat(2)
    ids = {
        "sample_id": torch.ones(10, dtype=torch.long),
        "time_id": place,
        "variate_id": torch.arange(2).repeat_interleave(5),
        "prediction_mask": place == 4,
    }
    return {
        "target": normal(N_CASE, 10, 8),
        "observed_mask": torch.ones(N_CASE, 10, 8, dtype=torch.bool),
        **{name: row.expand(N_CASE, 10).clone() for name, row in (ids | further).items()},
    }


def toto() -> nn.Module:
    from toto.model.backbone import TotoBackbone

    return TotoBackbone(
        8, 8, 16, 2, 4, 32, 0.0, 2, "<class 'model.scaler.StdMeanScaler'>", ["<class 'model.distribution.StudentTOutput'>"],
        use_memory_efficient_attention=False, stabilize_with_global=False,
    )  # fmt: skip


class TiRex(nn.Module):
    """TiRex as a function from (case, time) to the quantiles of the next 8 steps."""

    def __init__(self) -> None:
        super().__init__()
        from tirex.models.tirex import TiRexZero

        blocks = {"embedding_dim": 16, "num_heads": 4, "num_blocks": 2}
        sizes = {"input_patch_size": 8, "output_patch_size": 8, "quantiles": [0.1, 0.5, 0.9], "input_ff_dim": 32, "block_kwargs": blocks}
        self.model = TiRexZero("torch", sizes, train_ctx_len=64)
        for parameter in self.model.parameters():  # some of them are made without values
            nn.init.normal_(parameter, std=0.1)

    def forward(self, context: Tensor) -> Tensor:
        return self.model._forecast_tensor(context, prediction_length=8)


SERVERS = (normal(N_CASE, 2, 40), torch.ones(N_CASE, 2, 40, dtype=torch.bool), torch.zeros(N_CASE, 2, 40))

MODELS: dict[str, Entry] = {
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
    "MoiraiModule": Entry(
        lambda: Example(
            Picked(randomise(moirai()), lambda distribution: distribution.mean), kwargs=patches(patch_size=torch.full((10,), 8))
        ),
        2,
        TWO_LAYERS,
        package="uni2ts",
    ),
    "Moirai2Module": Entry(
        lambda: Example(Picked(randomise(moirai_2()), lambda output: output), kwargs=patches() | {"training_mode": False}),
        2,
        TWO_LAYERS,
        package="uni2ts",
    ),
    "Toto": Entry(
        made(toto, *SERVERS, pick=lambda output: output.distribution.mean), 2, "1 layer over time and 1 over variates", package="toto-ts"
    ),
    "TiRex": Entry(made(TiRex, normal(N_CASE, 32)), 0, "recurrent sLSTM blocks", package="tirex-ts", refused="it holds no attention"),
}
