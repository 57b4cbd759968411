"""Figures, tables and files of maps whose dates pandas cannot hold, such as 30 February or the year 1."""

import numpy as np
import pytest
import xarray as xr

from stochattn_core import Setting, evaluate, load_model
from stochattn_core.datasets.base import thinned
from stochattn_core.ensemble_file import write_ensemble
from stochattn_core.models import climax_own_grid
from stochattn_core.panels import PANELS, View
from stochattn_core.readers import grid_from_file
from tests.grid_files import OPEN
from tests.test_grid_layouts import saved
from tests.test_panels import is_whole


@pytest.mark.parametrize("layout", ["CMIP daily, 360_day", "CESM monthly, month ends from year 1"])
def test_every_panel_table_and_file_of_maps_in_another_calendar_has_its_dates(layout, tmp_path, monkeypatch):
    monkeypatch.setattr(climax_own_grid, "MIN_STEP", 2)  # the network needs no skill here
    monkeypatch.setattr(climax_own_grid, "MAX_STEP", 2)
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "cache"))
    make, variable, _ = OPEN[layout]
    dataset = thinned(grid_from_file(saved(make(), tmp_path), variable), 6)
    evaluation = evaluate(load_model("climax"), dataset, Setting(4, 5))
    view = View(dataset=dataset, evaluation=evaluation, case=1)
    for panel in PANELS.values():
        if panel.place in ("forecast", "diagnostics", "tab") and panel.shows(view):
            is_whole(panel, view)
    write_ensemble(evaluation, tmp_path / "ensemble.nc")
    with xr.open_dataset(tmp_path / "ensemble.nc", engine="h5netcdf") as file:
        assert list(map(str, np.asarray(file["init_time"].values))) == list(dataset.test.index)
