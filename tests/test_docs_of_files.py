"""The examples of docs/files.md run, on files as the page names them."""

import math
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stochattn_core import __main__ as command_line
from tests.test_docs import FILES, block, run
from tests.test_grids import fields


@pytest.fixture
def own_files(tmp_path, monkeypatch):
    """The files that the examples read."""
    monkeypatch.chdir(tmp_path)
    months = pd.date_range("1990-01-01", periods=240, freq="MS")
    sales = ["n/d" if i % 40 == 7 else f"{100 + 20 * math.sin(i * math.pi / 6) + i % 7:.1f}" for i in range(240)]
    Path("sales.csv").write_text(
        "month,sales\n" + "".join(f"{month:%d/%m/%Y},{value}\n" for month, value in zip(months, sales, strict=True))
    )
    fields().to_netcdf("weather.nc")
    rng = np.random.default_rng(0)
    times = pd.date_range("2020-01-01", periods=30)
    xr.Dataset({"t": (("number", "time", "lat"), rng.normal(size=(5, 30, 4)))}, {"time": times, "lat": [-60.0, -20, 20, 60]}).to_netcdf(
        "ensemble.nc"
    )
    xr.Dataset({"t": (("time", "lat"), rng.normal(size=(30, 4)))}, {"time": times, "lat": [-60.0, -20, 20, 60]}).to_netcdf("analysis.nc")


def test_the_looks_at_files_run(own_files, capsys):
    for line in block(FILES, "bash", "stochattn look").strip().splitlines():
        assert command_line.main(shlex.split(line)[1:]) == 0, line
    shown = capsys.readouterr().out
    assert shown.count("cannot be used as it is") == 1 and "6 months ahead" in shown  # sales.csv before its missing fields are named


def test_the_example_of_choices_runs(own_files, capsys):
    run(FILES, "series_from_csv")
    assert capsys.readouterr().out.startswith("1 month 12\n")
