"""GRIB files: the numbers that eccodes wrote come back, and every file that is none is refused in one sentence."""

import sys

import numpy as np
import pandas as pd
import pytest

from stochattn_core.readers import grid_from_file
from stochattn_core.readers.grid.contents import contents_of
from tests.app import opened, upload
from tests.grid_files import counted, right

eccodes = pytest.importorskip("eccodes", reason="eccodes is not installed: pip install 'stochattn[grib]'")
pytest.importorskip("cfgrib", reason="cfgrib is not installed: pip install 'stochattn[grib]'")

LATITUDE, LONGITUDE = np.linspace(90, -90, 13), np.arange(0, 360, 30.0)
DATES = pd.date_range("2000-01-01", periods=120, freq="6h")


def written(path, *, names=("t",), levels=(500,), members=(0,), steps=(0,), dates=DATES):
    """Write a GRIB file with eccodes alone: one message for each date, level, member and step. The value counts the dates."""
    fields = counted(len(dates), LATITUDE, LONGITUDE) + 240
    with open(path, "wb") as file:
        for k, date in enumerate(dates):
            for name, level, member, step in ((n, p, m, s) for n in names for p in levels for m in members for s in steps):
                message = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
                keys = {
                    "Ni": 12, "Nj": 13, "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
                    "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 330, "iDirectionIncrementInDegrees": 30,
                    "jDirectionIncrementInDegrees": 15, "dataDate": int(f"{date:%Y%m%d}"), "dataTime": int(f"{date:%H%M}"),
                    "typeOfLevel": "isobaricInhPa", "level": level, "shortName": name, "step": step, "bitsPerValue": 24,
                }  # fmt: skip
                if len(members) > 1:
                    keys = {"productDefinitionTemplateNumber": 1, **keys, "number": member, "numberOfForecastsInEnsemble": len(members)}
                for key, value in keys.items():
                    eccodes.codes_set(message, key, value)
                offset = {500: 0, 850: 1000}[level] + 10_000 * member
                eccodes.codes_set_values(message, (fields[k] + offset).ravel().astype(float))
                eccodes.codes_write(message, file)
                eccodes.codes_release(message)
    return path


def test_the_numbers_that_eccodes_wrote_come_back(tmp_path):
    path = written(tmp_path / "grid.grib")
    dataset = grid_from_file(path, "t")
    right(dataset, 4)
    assert dataset.train.index[0] == DATES[0] and dataset.latitude[0] == -90 and dataset.units == "K"
    assert [file.name for file in tmp_path.iterdir()] == ["grid.grib"], "no index file is written beside the user's"


def test_levels_and_members_of_a_grib_file_are_chosen_behind_the_name(tmp_path):
    path = written(tmp_path / "grid.grib", names=("z",), levels=(500, 850), members=(0, 1), dates=DATES[:64])
    (variable,) = contents_of(path)
    assert {(choice.axis, choice.values) for choice in variable.choices} == {("member", (0, 1)), ("level", (850, 500))}
    chosen = {"member": 1, "level": 850.0}
    dataset = grid_from_file(path, variable.at(*(chosen[choice.axis] for choice in variable.choices)))
    assert float(dataset.train.inputs.mean()) // 1000 == 11


def test_two_variables_on_different_levels_are_both_offered(tmp_path):
    first = written(tmp_path / "a.grib", levels=(500,)).read_bytes()
    second = written(tmp_path / "b.grib", names=("z",), levels=(500, 850), dates=DATES[:64]).read_bytes()
    (tmp_path / "grid.grib").write_bytes(first + second)
    offered = {variable.name: variable for variable in contents_of(tmp_path / "grid.grib")}
    assert set(offered) == {"t", "z"} and not any(variable.problem for variable in offered.values())
    right(grid_from_file(tmp_path / "grid.grib", "t"), 4)


def test_forecasts_at_one_step_are_read_at_their_valid_times(tmp_path):
    dataset = grid_from_file(written(tmp_path / "grid.grib", steps=(12,)), "t")
    right(dataset, 4)
    assert dataset.train.index[0] == DATES[0] + pd.Timedelta("12h")
    assert any("'valid_time'" in note for note in dataset.notes)


def test_an_upload_of_a_grib_file_opens_on_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("pages.ui.own_grid.st.switch_page", lambda page: None)
    test = opened("bring")
    upload(test, "own-file", "grid.grib", written(tmp_path / "grid.grib").read_bytes())
    assert not test.exception and not test.error
    test.button(key="use-grid").click().run()
    assert not test.exception and not test.error
    (dataset,) = test.session_state["own"].values()
    right(dataset, 4)


@pytest.mark.parametrize("share", [0.001, 0.503, 0.999])
def test_a_truncated_grib_file_is_refused(share, tmp_path):
    whole = written(tmp_path / "grid.grib").read_bytes()
    (tmp_path / "short.grib").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="the file is damaged or incomplete; download or copy it again") as caught:
        grid_from_file(tmp_path / "short.grib", "t")
    assert "\n" not in str(caught.value)


def test_without_cfgrib_the_sentence_names_the_extra_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cfgrib", None)
    (tmp_path / "grid.grib").write_bytes(b"GRIB" + bytes(100))
    with pytest.raises(
        ValueError, match=r"expected the package cfgrib to read 'grid.grib', .*; install it with pip install 'stochattn\[grib\]', or"
    ):
        grid_from_file(tmp_path / "grid.grib", "t")
