"""How long a large file takes beside the library that reads its numbers: a table of five million rows, and 500 MB of maps.

python -m benchmarks.readers [--folder FOLDER] prints two ratios and the processor; it writes two files into a temporary folder and removes them.
Each ratio is the median of rounds in one process, of the computing time of its thread: series_from_csv beside pandas.read_csv and to_datetime,
and grid_from_file beside reading the same variable with xarray.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from benchmarks.timing import beside, processor
from stochattn_core.readers import grid_from_file, series_from_csv

N_ROW = 5_000_000
GRID = (2000, 181, 360)  # time, latitude, longitude: 521 MB in 32 bits
SPEND = 30  # s of computing for each ratio


def write_table(path: Path) -> None:
    times = pd.date_range("2010-01-01", periods=N_ROW, freq="min").strftime("%Y-%m-%d %H:%M:%S")
    values = np.sin(np.arange(N_ROW) * 2 * np.pi / 1440) + np.random.default_rng(0).normal(size=N_ROW)
    pd.DataFrame({"date": times, "v": values.round(3)}).to_csv(path, index=False)


def write_maps(path: Path) -> None:
    n_time, n_latitude, n_longitude = GRID
    values = 280 + np.random.default_rng(0).normal(size=GRID).astype("float32")
    coordinates = {
        "time": pd.date_range("2000-01-01", periods=n_time, freq="6h"),
        "latitude": ("latitude", np.linspace(-90, 90, n_latitude), {"units": "degrees_north"}),
        "longitude": ("longitude", np.arange(0.0, 360, 360 / n_longitude), {"units": "degrees_east"}),
    }
    xr.Dataset({"t": (("time", "latitude", "longitude"), values, {"units": "K"})}, coordinates).to_netcdf(path, engine="h5netcdf")


def read_with_pandas(path: Path) -> None:
    pd.to_datetime(pd.read_csv(path)["date"])


def read_with_xarray(path: Path) -> None:
    with xr.open_dataset(path, engine="h5netcdf") as data:
        data["t"].load()


def where() -> str:
    """Return the processor and the widest instructions of which torch makes use on it."""
    return f"{processor()}, {torch.backends.cpu.get_cpu_capability()}"


def main(folder: Path) -> None:
    table, maps = folder / "table.csv", folder / "maps.nc"
    write_table(table)
    timings = beside(lambda: read_with_pandas(table), lambda: series_from_csv(table, "date", "v"), SPEND)
    print(f"{N_ROW:,} rows of text: {timings.seconds:.1f} s, {timings.ratio:.2f} times pandas.read_csv with to_datetime ({where()})")
    table.unlink()
    write_maps(maps)
    timings = beside(lambda: read_with_xarray(maps), lambda: grid_from_file(maps, "t"), SPEND)
    print(
        f"{maps.stat().st_size / 1e6:.0f} MB of maps: {timings.seconds:.1f} s, {timings.ratio:.2f} times reading them with xarray ({where()})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="where the two files are written, 0.7 GB")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as temporary:
        main(Path(temporary))
