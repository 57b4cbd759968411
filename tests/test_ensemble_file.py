"""Ensembles in NetCDF files: those written here are read back, and those of other programs are read or refused."""

import numpy as np
import pytest

from stochattn_core import Setting, evaluate, load_dataset, load_model
from stochattn_core.commands.score import OF_CLIMATOLOGY
from stochattn_core.ensemble_file import read_ensemble, write_ensemble
from stochattn_core.metrics import scores


def test_an_ensemble_file_gives_the_scores_it_was_made_of(model, diabetes, tmp_path):
    evaluation = evaluate(model, diabetes, Setting(8, 19))
    write_ensemble(evaluation, tmp_path / "e.nc")
    back = read_ensemble(tmp_path / "e.nc")
    assert np.array_equal(back.members, evaluation.ensemble.members) and np.array_equal(back.block, evaluation.ensemble.block)
    again = scores(back.statistics)
    assert all(again[name] == value for name, value in evaluation.scores.items() if name not in OF_CLIMATOLOGY)


def test_an_ensemble_file_of_a_series_has_cf_coordinates(tmp_path):
    import xarray as xr

    series = load_dataset("sunspots")
    write_ensemble(evaluate(load_model("timesfm"), series, Setting(16, 5)), tmp_path / "e.nc")
    with xr.open_dataset(tmp_path / "e.nc", engine="h5netcdf") as data:
        assert data.forecast.dims == ("member", "init_time", "lead_time") and data.target.dims == ("init_time", "lead_time")
        assert data.member.attrs["standard_name"] == "realization" and data.forecast.attrs["units"]
        assert data.attrs["Conventions"].startswith("CF-")


def other_file(tmp_path, **changes):
    import xarray as xr

    forecast = np.random.default_rng(0).normal(size=(6, 5)).astype("f4")
    variables = {"forecast": (("case", "number"), forecast), "target": (("case",), forecast.mean(1)), **changes}
    xr.Dataset({name: value for name, value in variables.items() if value is not None}).to_netcdf(tmp_path / "o.nc", engine="h5netcdf")
    return tmp_path / "o.nc"


def test_an_ensemble_file_of_another_program_is_read_with_its_names_and_axis_order(tmp_path):
    back = read_ensemble(other_file(tmp_path))
    assert back.members.shape == (5, 6) and back.dims == ("case",)


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        ({"target": None}, r"expected a target of the dimensions \(case\) in 'o.nc', its other variables are none"),
        ({"forecast": (("case", "what"), np.zeros((6, 5)))}, "expected forecast with a member dimension"),
        ({"forecast": (("case", "member"), np.zeros((6, 1)))}, "at least 2 members in 'o.nc', got 1"),
        ({"forecast": (("case", "member"), np.full((6, 5), np.nan))}, "every element with a target is missing or lacks members"),
        ({"target": (("time",), np.zeros(3))}, "align the two"),
    ),
)
def test_an_ensemble_file_that_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_ensemble(other_file(tmp_path, **changes))


def test_a_file_that_is_no_netcdf_is_refused(tmp_path):
    (tmp_path / "e.nc").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(ValueError, match=r"expected a NetCDF file or a Zarr folder, 'e\.nc' is a PNG image by its content"):
        read_ensemble(tmp_path / "e.nc")
    with pytest.raises(ValueError, match="found nothing there; check the path"):
        read_ensemble(tmp_path / "none.nc")


def test_doubles_in_a_file_stay_doubles(tmp_path):
    forecast = 273.15e5 + 1e-3 * np.random.default_rng(0).normal(size=(40, 5))
    back = read_ensemble(other_file(tmp_path, forecast=(("case", "number"), forecast), target=(("case",), forecast[:, 0])))
    assert scores(back.statistics)["spread"] == pytest.approx(1e-3, rel=0.3)


def test_a_classic_netcdf_file_is_read(tmp_path):
    import xarray as xr

    values = np.random.default_rng(0).normal(size=(6, 5)).astype("f4")
    data = xr.Dataset({"forecast": (("case", "member"), values), "target": (("case",), values.mean(1))})
    data.to_netcdf(tmp_path / "classic.nc", engine="scipy", format="NETCDF3_64BIT")
    assert read_ensemble(tmp_path / "classic.nc").members.shape == (5, 6)
