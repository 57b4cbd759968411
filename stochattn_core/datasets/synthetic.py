"""Two datasets whose truth is known: target = g(inputs) + sigma * standard normal noise.

The error of a well-trained model is the noise alone, so a calibrated ensemble has the spread sigma: Dataset.true_spread.
Values are rounded to 1e-4, far below sigma: the last bit of a sine differs between machines, and the digest must not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.series_parts import series_dataset
from stochattn_core.datasets.table_parts import table_dataset

TABLE_SIGMA = 0.2
TABLE_FORMULA = "y = sin(2 x1) + x2 x3 + x4^2 / 2 + x5 + 0.2 noise, x uniform on [-1.5, 1.5]; x6 does not matter."
SERIES_SIGMA = 0.15
SERIES_FORMULA = "y = 20 + 5 sin(2 pi t / 12) + 2 cos(2 pi t / 6) + 0.15 noise, t in hours, as a tide; 12 hours ahead from 96 hours."


def load_table(seed: int = 0) -> Dataset:
    """Return 17,500 rows of TABLE_FORMULA."""
    rng = np.random.default_rng(seed)
    sizes = (16000, 500, 1000)
    x = rng.uniform(-1.5, 1.5, (sum(sizes), 6)).round(4)
    signal = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 3] ** 2 / 2 + x[:, 4]
    y = (signal + TABLE_SIGMA * rng.standard_normal(len(x))).round(4)
    return table_dataset(
        x,
        y,
        sizes=sizes,
        name="synthetic-table",
        title="Synthetic table whose true spread is known",
        target_name="y",
        units="",
        source=f"made here: {TABLE_FORMULA}",
        licence="Apache-2.0",
        feature_names=tuple(f"x{i}" for i in range(1, 7)),
        true_spread=TABLE_SIGMA,
    )


def load_series(seed: int = 0) -> Dataset:
    """Return windows of 6,000 hours of SERIES_FORMULA."""
    rng = np.random.default_rng(seed)
    t = np.arange(6000)
    signal = 20 + 5 * np.sin(2 * np.pi * t / 12) + 2 * np.cos(2 * np.pi * t / 6)
    y = (signal + SERIES_SIGMA * rng.standard_normal(len(t))).round(4)
    return series_dataset(
        y,
        pd.date_range("2000-01-01", periods=len(t), freq="h"),
        context=96,
        horizon=12,
        period=12,
        name="synthetic-series",
        title="Synthetic tide whose true spread is known",
        target_name="y",
        units="",
        source=f"made here: {SERIES_FORMULA}",
        licence="Apache-2.0",
        lead_unit="h",
        true_spread=SERIES_SIGMA,
    )
