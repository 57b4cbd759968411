"""Forecasters in packages of their own: TimesFM, Chronos and Aurora."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from functools import partial
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


AIR = (normal(N_CASE, 2, 2, 8, 16), normal(N_CASE, 2, 2, 3, 8, 16, seed=1))
AURORA = "8 layers of window attention, one aggregation of levels in the encoder and one of them in the decoder"

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
    "Aurora": Entry(made(AuroraOnTensors, *AIR), 10, AURORA, package="microsoft-aurora"),
    "Aurora, softmax by hand": Entry(
        made(partial(AuroraOnTensors, use_fp16_safe_attention=True), *AIR), 10, AURORA, package="microsoft-aurora"
    ),
}
