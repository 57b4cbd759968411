"""A ClimaX with random weights on a coarse grid, and data for it."""

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.models.climax import ClimaX

NAMES = ("land_sea_mask", "geopotential_500", "temperature_850", "u_component_of_wind_500", "v_component_of_wind_500")
TINY = {"patch_size": 2, "embed_dim": 16, "depth": 2, "n_head": 2}
LATITUDE = (-60.0, -36.0, -12.0, 12.0, 36.0, 60.0, 72.0, 84.0)


def tiny(variables=NAMES, grid=(8, 16), kind=ClimaX, seed=0, **changes):
    """Every tensor has random weights, biases and embeddings included, so that each of them matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        network = kind(variables, grid=grid, **{**TINY, **changes}).eval()
    with torch.no_grad():
        for values in network.parameters():
            values.copy_(torch.randn(values.shape, generator=generator) * 0.3)
    return network


def fields(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def grid_dataset(n_case=12, variables=NAMES[1:], lead_time=24, lead_unit="h", target="geopotential_500", n_column=16):
    """Fields whose target is the same field, shifted by one cell to the east."""
    values = fields(n_case, len(variables), len(LATITUDE), n_column) * 10 + 300
    target_map = values[:, variables.index(target) if target in variables else 0].roll(1, -1)
    parts = {}
    for i, part in enumerate(("train", "calibration", "test")):
        index = pd.date_range(f"20{10 + i}-01-01", periods=n_case, freq="D", name="init_time")
        parts[part] = Split(inputs=values, target=target_map, index=index, block=np.arange(n_case))
    return Dataset(
        name="made up", task="grid", title="", target_name=target, units="m2 s-2", source="", licence="", feature_names=tuple(variables),
        lead_time=(lead_time,), lead_unit=lead_unit, latitude=LATITUDE, longitude=tuple(np.arange(n_column) * 360 / n_column),
        constants={"land_sea_mask": np.eye(8, n_column, dtype=np.float32)}, **parts,
    )  # fmt: skip
