"""Weather models in packages of their own: Aurora, ArchesWeather and Prithvi WxC."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tools.model_matrix.entry import N_CASE, Entry, Example, Picked, made, normal, randomise


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


def arches_weather() -> nn.Module:
    from tools.model_matrix import operators  # noqa: F401, I001  makes timm importable
    from geoarches.backbones.archesweather import ArchesWeatherCondBackbone

    return ArchesWeatherCondBackbone(
        (8, 12, 20), emb_dim=16, cond_dim=8, num_heads=(2, 4, 4, 2), window_size=(1, 6, 10), depth_multiplier=1
    )


def prithvi() -> Example:
    from PrithviWxC.model import PrithviWxC

    n_channel, n_static = 3, 2
    model = PrithviWxC(
        in_channels=n_channel, input_size_time=2, in_channels_static=n_static, input_scalers_mu=torch.zeros(n_channel),
        input_scalers_sigma=torch.ones(n_channel), input_scalers_epsilon=0.0, static_input_scalers_mu=torch.zeros(n_static),
        static_input_scalers_sigma=torch.ones(n_static), static_input_scalers_epsilon=0.0, output_scalers=torch.ones(n_channel),
        n_lats_px=8, n_lons_px=16, patch_size_px=(2, 2), mask_unit_size_px=(4, 4), mask_ratio_inputs=0.0, mask_ratio_targets=0.0,
        embed_dim=16, n_blocks_encoder=1, n_blocks_decoder=1, mlp_multiplier=2, n_heads=4, dropout=0.0, drop_path=0.0,
        parameter_dropout=0.0, residual="none", masking_mode="global", positional_encoding="absolute",
    )  # fmt: skip
    batch = {
        "x": normal(N_CASE, 2, n_channel, 8, 16),
        "y": normal(N_CASE, n_channel, 8, 16, seed=1),
        "static": normal(N_CASE, n_static, 8, 16, seed=2),
        "input_time": torch.ones(N_CASE),
        "lead_time": torch.ones(N_CASE),
    }
    return Example(Picked(randomise(model), lambda output: output), (batch,))


AIR = (normal(N_CASE, 2, 2, 8, 16), normal(N_CASE, 2, 2, 3, 8, 16, seed=1))
AURORA = "8 layers of window attention, one aggregation of levels in the encoder and one of them in the decoder"

MODELS: dict[str, Entry] = {
    "Aurora": Entry(made(AuroraOnTensors, *AIR), 10, AURORA, package="microsoft-aurora"),
    "Aurora, softmax by hand": Entry(
        made(partial(AuroraOnTensors, use_fp16_safe_attention=True), *AIR), 10, AURORA, package="microsoft-aurora"
    ),
    "ArchesWeatherCondBackbone": Entry(
        made(arches_weather, normal(N_CASE, 16, 8, 12, 20), normal(N_CASE, 8, seed=1)),
        16,
        "4 stages of 2, 6, 6 and 2 layers of window attention",
        package="geoarches",
    ),
    "PrithviWxC": Entry(prithvi, 6, "an encoder and a decoder of 3 layers each: local, global, local", package="PrithviWxC"),
}
