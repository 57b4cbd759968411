"""Electricity Transformer Temperature: oil temperature of two transformers, hourly and every 15 minutes, two years.

The licence, CC BY-ND, lets us ship no copy or excerpt. The file is fetched from its authors' repository at one commit, checked by its
SHA-256 and kept in the cache folder. Source: Zhou et al. (2021), "Informer", AAAI, arXiv 2012.07436.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.download_folder import download_folder
from stochattn_core.datasets.series_parts import series_dataset

FOLDER = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/"
SHA256 = {
    "ETTh1": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "ETTh2": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    "ETTm1": "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    "ETTm2": "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
}
MONTH = 30 * 24  # hours; the literature trains on 12 months of 30 days, validates on 4 and tests on 4


def load(name: str) -> Dataset:
    return dataset_of(_downloaded(name), name)


def dataset_of(path: Path, name: str) -> Dataset:
    """Return the Dataset of a downloaded file: 24 hours ahead from 96 hours (ETTh), or 6 hours ahead from 2 days (ETTm).

    The parts are the 12, 4 and 4 months of the literature.
    """
    table = pd.read_csv(path, parse_dates=["date"])
    per_hour = 4 if name.startswith("ETTm") else 1
    ends = (12 * MONTH * per_hour, 16 * MONTH * per_hour, 20 * MONTH * per_hour)
    return series_dataset(
        table["OT"].to_numpy()[: ends[-1]],
        pd.DatetimeIndex(table["date"])[: ends[-1]],
        context=96 if per_hour == 1 else 192,
        horizon=24,
        period=24 * per_hour,
        ends=ends,
        name=name,
        title=f"Oil temperature of a transformer, {name}",
        target_name="oil temperature",
        units="degC",
        source="Zhou et al. (2021), arXiv 2012.07436; github.com/zhouhaoyi/ETDataset",
        licence="CC BY-ND 4.0",
        lead_unit="h" if per_hour == 1 else "15 min",
    )


def _downloaded(name: str) -> Path:
    import pooch

    try:
        return Path(pooch.retrieve(FOLDER + f"{name}.csv", known_hash=SHA256[name], fname=f"{name}.csv", path=download_folder("ett")))
    except Exception as error:  # requests raises a dozen kinds of error for a network that fails; a wrong hash is a ValueError
        raise ValueError(
            f"expected to fetch {name}.csv (SHA-256 {SHA256[name][:12]}...) from github.com, got {type(error).__name__}; connect to the internet "
            "once, or pick an embedded dataset or a CSV file of your own"
        ) from error
