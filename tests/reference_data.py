"""Small tables, series and grids whose best forecasts are known."""

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.datasets.series_parts import series_dataset
from stochattn_core.datasets.table_parts import table_dataset

ABOUT = {"name": "n", "title": "t", "target_name": "y", "units": "", "source": "s", "licence": "l"}


def a_table(n_row=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_row, 3)) * [1, 10, 0.1]
    return table_dataset(x, x @ [1.0, 0.2, 5.0] + rng.normal(size=n_row), **ABOUT)


def a_series(values, *, context=24, horizon=3, period=1, unit="h", times=None):
    times = pd.date_range("2000-01-01", periods=len(values), freq="h") if times is None else times
    return series_dataset(values, times, context=context, horizon=horizon, period=period, lead_unit=unit, **ABOUT)


def an_autoregression(n_time=6000, slope=0.8, seed=0):
    noise, values = np.random.default_rng(seed).normal(size=n_time), np.zeros(n_time)
    for t in range(1, n_time):
        values[t] = slope * values[t - 1] + noise[t]
    return values


def a_grid(n_case=60, seed=0, slope=0.5, **changes):
    """Fields with the target variable second; its value ahead is 3 plus `slope` of its present anomaly plus noise."""
    latitude, longitude = (-60.0, 0.0, 60.0), (0.0, 90.0, 180.0, 270.0)

    def part(seed):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n_case, 2, 3, 4)).astype(np.float32)
        y = 3 + slope * x[:, 1] + 0.3 * rng.normal(size=(n_case, 3, 4)).astype(np.float32)
        return Split(torch.from_numpy(x), torch.from_numpy(y.astype(np.float32)))

    fields = {"feature_names": ("other", "y"), "lead_time": (24,), "latitude": latitude, "longitude": longitude}
    return Dataset(
        **(ABOUT | {"task": "grid"} | fields | {"train": part(seed), "calibration": part(seed + 1), "test": part(seed + 2)} | changes)
    )
