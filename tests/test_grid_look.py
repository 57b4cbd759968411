"""A look at a gridded file says what grid_from_file then does, on the page too."""

import numpy as np
import pandas as pd
import pytest

from stochattn_core.readers import grid_from_file
from stochattn_core.readers.grid.look import look_grid
from tests.app import html, opened, upload
from tests.grid_files import LATITUDE, LONGITUDE, OPEN, counted, file_of
from tests.grid_refused import REFUSED, on_curves
from tests.test_grid_layouts import saved


@pytest.mark.parametrize(
    "layout", ["CMIP daily, 360_day", "CMIP monthly, noleap", "ERA5, new names", "HadCRUT", "half-hourly", "year 20000"]
)
def test_a_look_tells_the_split_the_lead_time_and_the_values_that_are_then_read(layout, tmp_path):
    make, variable, _ = OPEN[layout]
    path = saved(make(), tmp_path)
    look, dataset = look_grid(path, variable), grid_from_file(path, variable)
    facts = dict(look.facts)
    assert not look.problem and f"{dataset.lead_time[0]} {dataset.lead_unit}" in facts["forecast"]
    for part in ("train", "calibration", "test"):
        split = dataset.part(part)
        first, last = (str(label)[:10] for label in (split.index[0], split.index[-1]))
        assert facts[part].startswith(f"{len(split):,} init times, ") and first in facts[part] and last in facts[part]
    (column,) = look.columns
    count = [float(text) - counted(1, LATITUDE, LONGITUDE)[0, 5, 6] for text in (*column.first, *column.last)]
    n = len(make().variables[next(name for name in ("time", "valid_time") if name in make().variables)])
    assert np.allclose(np.array(count) % 1000 % 999.9999, [0, 1, 2, n - 3, n - 2, n - 1], atol=2e-3)
    assert column.missing == 0 and set(look.notes) <= set(dataset.notes)
    assert look.document()["facts"]["period"].endswith(f"{n:,} times")


def test_a_look_without_a_variable_takes_the_first_that_can_be_forecast_and_gives_reasons_for_the_rest(tmp_path):
    both = on_curves(("y", "x", "nav_lat", "nav_lon")).rename(t="curved").merge(file_of(pd.date_range("2000", periods=240, freq="6h")))
    look = look_grid(saved(both, tmp_path))
    assert [(column.name, bool(column.problem)) for column in look.columns] == [("t", False), ("curved", True)]
    assert look.facts[0][1].startswith("t in m, 24 h ahead") and any("no variable was named: 't'" in note for note in look.notes)
    assert "latitude over 2 dimensions" in look_grid(tmp_path / "grid.nc", "curved").problem


def test_a_level_may_be_given_beside_the_name_and_a_lead_time_that_is_impossible_is_the_problem(tmp_path):
    path = saved(REFUSED["members and depths"][0](), tmp_path)
    assert dict(look_grid(path, "t_0", level=20.5, lead_time=12).facts)["forecast"].startswith("t_0_20.5 in m, 12 h ahead")
    assert "expected a lead time in hours that is a multiple of the step of 6 h, got 7" in look_grid(path, "t_0_5", lead_time=7).problem
    assert "choose one depth, such as t_0_5" in look_grid(path, "t_0").problem


def test_missing_values_codes_and_fill_values_are_counted(tmp_path):
    holes = file_of(pd.date_range("2000", periods=240, freq="6h"))
    holes["t"][0, :, :6], holes["t"][1, :, :6], holes["t"][-1, :, :6] = np.nan, 9.96921e36, -9999
    (column,) = look_grid(saved(holes, tmp_path)).columns
    assert column.missing == pytest.approx(3 / 12)


def test_the_page_shows_the_look_before_the_button_and_follows_the_choices(tmp_path):
    test = opened("bring")
    upload(test, "own-file", "grid.nc", saved(OPEN["CMIP monthly, noleap"][0](), tmp_path).read_bytes())
    assert not test.exception and "tas in m, 1 month ahead" in html(test) and "noleap, 365 days a year" in html(test)
    assert any(caption.value.startswith("The calendar of the file is noleap") for caption in test.caption)
    next(box for box in test.main.selectbox if box.label == "Lead time").set_value(6).run()
    assert not test.exception and "tas in m, 6 months ahead" in html(test)


def test_the_page_gives_the_reasons_also_where_the_first_variable_cannot_be_forecast(tmp_path):
    test = opened("bring")
    curved = on_curves(("y", "x", "nav_lat", "nav_lon"))
    upload(test, "own-file", "grid.nc", saved(curved.assign(u=curved.t), tmp_path).read_bytes())
    texts = [text.value for text in test.get("text")]
    assert len(texts) == 2 and all("latitude over 2 dimensions" in text for text in texts)
