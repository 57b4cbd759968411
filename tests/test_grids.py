"""Gridded files: which names, orders and calendars are recognised, what the notes say, and that the numbers are those of the file."""

import io
from pathlib import Path

import cftime
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from stochattn_core.datasets.base import PARTS
from stochattn_core.datasets.calendar_means import fit_climatology
from stochattn_core.readers import era5, grid_from_file
from stochattn_core.readers.door.axes import FORECAST_AXIS_NAMES, rename_axes

REAL = Path(__file__).parents[2] / "shared" / "data" / "weather" / "air_temperature.nc"
N_TIME = 240


def fields(n_time: int = N_TIME, step: str = "6h") -> xr.Dataset:
    """A temperature in K from which place and time can be told: 250 + latitude + longitude / 1000 + a travelling wave."""
    time = pd.date_range("2020-01-01", periods=n_time, freq=step)
    latitude, longitude = np.arange(-75.0, 76, 15), np.arange(0.0, 360, 30)
    wave = 3 * np.sin(np.deg2rad(longitude)[None, None] + np.arange(n_time)[:, None, None] / 5.0)
    values = 250 + latitude[None, :, None] + longitude[None, None] / 1000 + wave
    coords = {"time": time, "latitude": latitude, "longitude": longitude}
    return xr.Dataset({"t": (("time", "latitude", "longitude"), values.astype("float32"), {"units": "K"})}, coords)


def saved(dataset: xr.Dataset, folder: Path, engine: str = "h5netcdf") -> Path:
    path = folder / "grid.nc"
    dataset.to_netcdf(path, engine=engine)
    return path


def plain(tmp_path: Path):
    return grid_from_file(saved(fields(), tmp_path), "t")


def test_a_case_is_a_field_and_the_field_one_lead_time_later(tmp_path):
    dataset = grid_from_file(saved(fields(), tmp_path), "t", lead_time=12)
    assert (dataset.task, dataset.units, dataset.lead_time, dataset.lead_unit) == ("grid", "K", (12,), "h")
    truth = fields()["t"]
    for part in PARTS:
        split = dataset.part(part)
        assert split.inputs.dtype == split.target.dtype == torch.float32 and split.n_block >= 3
        assert np.array_equal(split.inputs[:, 0], truth.sel(time=split.index))
        assert np.array_equal(split.target, truth.sel(time=split.index + pd.Timedelta("12h")))
        assert torch.equal(dataset.references["persistence"](split), split.inputs[:, 0])
    assert dataset.constants["land_sea_mask"].shape == (11, 12)


def test_parts_follow_in_time_with_a_gap_of_the_lead_time(tmp_path):
    dataset = grid_from_file(saved(fields(), tmp_path), "t", lead_time=48)
    lead = pd.Timedelta("48h")
    for earlier, later in (("train", "calibration"), ("calibration", "test")):
        assert dataset.part(later).index[0] - (dataset.part(earlier).index[-1] + lead) >= lead


OTHER_WAYS = {
    "north first": lambda d: d.isel(latitude=slice(None, None, -1)),
    "-180 to 180": lambda d: d.assign_coords(longitude=(d.longitude + 180) % 360 - 180).sortby("longitude"),
    "short names": lambda d: d.rename(latitude="lat", longitude="lon"),
    "long names": lambda d: d.rename(latitude="nav_lat", longitude="nav_lon", time="valid_time"),
    "names from units": lambda d: _with_units(d.rename(latitude="y", longitude="x")),
    "names from standard names": lambda d: _with_standard_names(d.rename(time="T", latitude="a", longitude="b")),
    "other order of axes": lambda d: d.transpose("longitude", "latitude", "time"),
    "a level of one": lambda d: d.expand_dims(isobaricInhPa=[500.0]),
    "one member": lambda d: d.expand_dims(number=[0]),
    "times backwards": lambda d: d.isel(time=slice(None, None, -1)),
    "times twice": lambda d: xr.concat([d, d.isel(time=slice(-3, None))], dim="time"),
    "0 and 360": lambda d: xr.concat([d, d.isel(longitude=[0]).assign_coords(longitude=[360.0])], dim="longitude"),
    "double precision": lambda d: d.astype("float64"),
    "packed": lambda d: d,
    "degK": lambda d: d.assign(t=d.t.assign_attrs(units="degK")),
}


def _with_units(dataset: xr.Dataset) -> xr.Dataset:
    dataset["y"].attrs["units"], dataset["x"].attrs["units"] = "degrees_north", "degrees_east"
    return dataset


def _with_standard_names(dataset: xr.Dataset) -> xr.Dataset:
    for axis, standard_name in (("T", "time"), ("a", "latitude"), ("b", "longitude")):
        dataset[axis].attrs["standard_name"] = standard_name
    return dataset


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_other_names_orders_and_conventions_give_the_same_numbers(way, tmp_path):
    expected = plain(tmp_path)
    changed = OTHER_WAYS[way](fields())
    if way == "packed":
        changed["t"].encoding = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 250.0, "_FillValue": -32767}
    dataset = grid_from_file(saved(changed, tmp_path), "t")
    assert dataset.latitude == expected.latitude and dataset.longitude == expected.longitude and dataset.units == "K"
    for part in PARTS:
        assert torch.allclose(dataset.part(part).inputs, expected.part(part).inputs, atol=0.006 if way == "packed" else 1e-5)
        assert dataset.part(part).index.equals(expected.part(part).index)
    assert bool(dataset.notes) == (way in ("times backwards", "times twice", "0 and 360"))


def test_degrees_on_a_rotated_globe_are_not_taken_for_places(tmp_path):
    rotated = fields().rename(latitude="rlat", longitude="rlon")
    rotated["rlat"].attrs["standard_name"], rotated["rlon"].attrs["standard_name"] = "grid_latitude", "grid_longitude"
    with pytest.raises(ValueError, match=r"expected an axis of latitude for 't' in 'grid.nc', got axes time, rlat, rlon"):
        grid_from_file(saved(rotated, tmp_path), "t")


def test_pressure_levels_are_recognised_by_their_standard_name(tmp_path):
    levels = fields().expand_dims(p=[50000.0, 85000.0])
    levels["p"].attrs = {"standard_name": "air_pressure", "units": "Pa"}
    assert grid_from_file(saved(levels, tmp_path), "t_850").sha256 == plain(tmp_path).sha256


@pytest.mark.parametrize("foreign", ["number", "realization", "ens"])
def test_the_axes_of_an_ensemble_are_renamed_by_the_same_table(foreign):
    values = np.zeros((3, 4, 2, 5, 6))
    dims = (foreign, "time", "prediction_timedelta", "lat", "lon")
    renamed = rename_axes(xr.Dataset({"forecast": (dims, values)}), FORECAST_AXIS_NAMES, dimensions_only=True)
    assert renamed["forecast"].dims == ("member", "init_time", "lead_time", "latitude", "longitude")


def test_in_a_calendar_without_leap_days_every_target_is_one_lead_time_later(tmp_path):
    """Fields that count the days: each target is the field exactly one lead time later, also around 29 February 2004."""
    n_day = 900
    days = np.arange(n_day, dtype=np.float32)
    field = np.linspace(0, 0.1, 132, dtype=np.float32).reshape(11, 12)
    time = ("time", days, {"units": "days since 2003-01-01", "calendar": "noleap"})
    counted = fields(n_day, "D").assign_coords(time=time)
    counted["t"] = counted["t"].copy(data=days[:, None, None] + field).assign_attrs(units="m")
    dataset = grid_from_file(saved(counted, tmp_path), "t", lead_time=48)
    assert any("the calendar of the file is noleap, with 365 days a year" in note for note in dataset.notes)
    for part in PARTS:
        split = dataset.part(part)
        assert torch.allclose(split.target - split.inputs[:, 0], torch.tensor(2.0), atol=1e-3)
        assert split.index.equals(pd.DatetimeIndex([str(date) for date in _noleap_dates(split.inputs[:, 0, 0, 0].numpy())]))
    assert dataset.train.index.isin(pd.to_datetime(["2004-02-27", "2004-02-28"])).sum() == 2  # no day is left out


def _noleap_dates(days: np.ndarray) -> list:
    return list(cftime.num2date(days, "days since 2003-01-01", calendar="noleap"))


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_an_upload_is_read_and_stays_open(engine, tmp_path):
    upload = io.BytesIO(saved(fields(), tmp_path, engine).read_bytes())
    upload.name = "upload.nc"
    dataset = grid_from_file(upload, "t")
    assert dataset.sha256 == plain(tmp_path).sha256 and dataset.name == "upload" and not upload.closed


def test_a_zarr_folder_is_read(tmp_path):
    for version in (2, 3):
        fields().to_zarr(tmp_path / f"{version}.zarr", zarr_format=version, consolidated=version == 2)
        assert grid_from_file(tmp_path / f"{version}.zarr", "t").sha256 == plain(tmp_path).sha256


def test_longitudes_of_a_region_across_greenwich_go_on_above_360(tmp_path):
    region = fields().assign_coords(longitude=np.arange(12) * 5.0 - 20)
    dataset = grid_from_file(saved(region, tmp_path), "t")
    assert dataset.longitude == tuple(np.arange(12) * 5.0 + 340)
    assert np.array_equal(dataset.test.inputs[:, 0], region["t"].sel(time=dataset.test.index))


def test_missing_times_are_noted_and_every_target_is_one_lead_time_later(tmp_path):
    gap = fields().drop_isel(time=[20, 21, 100])
    dataset = grid_from_file(saved(gap, tmp_path), "t", lead_time=24)
    assert any("3 times are missing" in note for note in dataset.notes)
    for part in PARTS:
        assert np.array_equal(dataset.part(part).target, fields()["t"].sel(time=dataset.part(part).index + pd.Timedelta("24h")))
    whole = grid_from_file(saved(fields(), tmp_path), "t", lead_time=24)
    assert sum(len(dataset.part(part)) for part in PARTS) < sum(len(whole.part(part)) for part in PARTS)


def test_missing_values_are_filled_in_inputs_and_stay_missing_in_targets(tmp_path):
    holes = fields()
    holes["t"][:, 3, 4] = np.nan  # land, to an ocean field
    holes["t"][50:60, 5, 6] = np.nan
    holes["t"][70] = np.nan  # a time without anything
    dataset = grid_from_file(saved(holes, tmp_path), "t", lead_time=6)
    notes = " ".join(dataset.notes)
    assert "1 of 132 cells of 't' never have a value" in notes and "in inputs each becomes the mean of its cell" in notes
    assert "times have no values at all and are left out" in notes
    for part in PARTS:
        split = dataset.part(part)
        assert split.inputs.isfinite().all() and split.target[:, 3, 4].isnan().all()
        assert pd.Timestamp("2020-01-18T12") not in split.index
    row = dataset.train.index.get_loc(pd.Timestamp("2020-01-13T18"))  # time 51
    good = dataset.train.index[[i for i in range(len(dataset.train)) if i not in range(row - 1, row + 9)]]
    assert dataset.train.inputs[row, 0, 5, 6] == pytest.approx(float(fields()["t"].sel(time=good)[:, 5, 6].mean()), abs=1e-3)
    assert dataset.references["climatology"](dataset.test).shape == dataset.test.target.shape


def test_missing_codes_become_missing_values(tmp_path):
    coded = fields()
    coded["t"][50:60, 5, 6] = -9999
    dataset = grid_from_file(saved(coded, tmp_path), "t")
    assert any("-9999 occurs 10 times" in note for note in dataset.notes) and dataset.train.inputs.min() > 100


def test_the_climatology_has_the_season():
    """A yearly wave and a mean, fitted to one and a half years, are reproduced a year later."""
    when = pd.date_range("2018-01-01", periods=540, freq="D")
    angle = 2 * np.pi * (when.day_of_year / 365.2425)
    target = (10 + 5 * np.cos(angle).to_numpy())[:, None, None] + np.zeros((1, 2, 3))
    later = pd.date_range("2020-03-01", periods=90, freq="D")
    expected = 10 + 5 * np.cos(2 * np.pi * later.day_of_year / 365.2425).to_numpy()
    assert np.abs(fit_climatology(target.astype(np.float32), when)(later)[:, 1, 2] - expected).max() < 0.2
    short = fit_climatology(target[:100].astype(np.float32), when[:100])(later)
    assert np.allclose(short, target[:100].mean(), atol=1e-4)


def weatherbench(folder: Path) -> Path:
    """Write a store with the layout of WeatherBench 2: (time, level, longitude, latitude), chunks over time, consolidated metadata, format 2."""
    generator = np.random.default_rng(0)
    time = pd.date_range("2015-01-01", "2018-12-31T18", freq="24h")
    latitude, longitude, level = np.arange(32) * 5.625 - 87.1875, np.arange(64) * 5.625, np.array([500, 700, 850])
    coords = {"time": time, "level": level, "longitude": longitude, "latitude": latitude}
    zonal = 60 * np.cos(np.deg2rad(latitude))

    def flat(offset):
        return (("time", "longitude", "latitude"), (offset + zonal + generator.normal(size=(len(time), 64, 1))).astype("float32"))

    def levels(offset):
        noise = generator.normal(size=(len(time), 1, 64, 1)).astype("float32")
        return (("time", "level", "longitude", "latitude"), (offset + zonal - level[:, None, None] / 10 + noise).astype("float32"))

    variables = {
        "geopotential": (*levels(50000), {"units": "m**2 s**-2"}),
        "temperature": (*levels(260), {"units": "K"}),
        "2m_temperature": (*flat(240), {"units": "K"}),
        "10m_u_component_of_wind": (*flat(0), {"units": "m s**-1"}),
        "10m_v_component_of_wind": (*flat(0), {"units": "m s**-1"}),
        "land_sea_mask": (("longitude", "latitude"), generator.uniform(size=(64, 32)).astype("float32")),
        "geopotential_at_surface": (("longitude", "latitude"), np.full((64, 32), 98.0665, dtype="float32"), {"units": "m**2 s**-2"}),
    }
    path = folder / "1959-2023_01_10-6h-64x32_equiangular_conservative.zarr"
    encoding = {"geopotential": {"chunks": (100, 3, 64, 32)}, "temperature": {"chunks": (100, 3, 64, 32)}}
    xr.Dataset(variables, coords).to_zarr(path, zarr_format=2, consolidated=True, encoding=encoding)
    return path


def test_era5_is_read_from_a_store_of_weatherbench_layout(tmp_path):
    store = weatherbench(tmp_path)
    era5.fetch(str(store), tmp_path / "cache" / "era5.nc")
    dataset = era5.dataset_of(tmp_path / "cache" / "era5.nc", "geopotential_500", 72)
    assert dataset.feature_names == (
        "geopotential_500",
        "temperature_850",
        "2m_temperature",
        "10m_u_component_of_wind",
        "10m_v_component_of_wind",
    )
    assert dataset.units == "m2 s-2" and dataset.latitude[0] == -87.1875 and dataset.longitude[-1] == 354.375
    with xr.open_zarr(store) as raw:
        truth = raw["geopotential"].sel(level=500).transpose("time", "latitude", "longitude")
        assert np.array_equal(dataset.test.target, truth.sel(time=dataset.test.index + pd.Timedelta("72h")))
        assert np.array_equal(dataset.constants["land_sea_mask"], raw["land_sea_mask"].T)
    assert np.allclose(dataset.constants["orography"], 10.0)
    assert dataset.train.index[-1] + pd.Timedelta("72h") < pd.Timestamp("2017-01-01") <= dataset.calibration.index[0] - pd.Timedelta("72h")
    assert dataset.test.index[0] >= pd.Timestamp("2018-01-04")
    direct = grid_from_file(store, "geopotential_500", lead_time=72, ends=era5.ENDS)  # straight from the store
    assert torch.equal(direct.test.target, dataset.test.target)
    with pytest.raises(ValueError, match=r"expected a variable of ERA5 among geopotential_500, .*, got 'ozone'; pick one of these"):
        era5.dataset_of(tmp_path / "cache" / "era5.nc", "ozone")


@pytest.mark.skipif(not REAL.exists(), reason="air_temperature.nc is not on this machine and may not be shipped")
def test_a_real_file_of_a_region():
    dataset = grid_from_file(REAL, "air", lead_time=24)
    assert dataset.units == "K" and (len(dataset.latitude), len(dataset.longitude)) == (25, 53)
    assert dataset.latitude[0] == 15 and dataset.longitude[0] == 200
    with xr.open_dataset(REAL, engine="h5netcdf" if REAL.read_bytes()[:4] == b"\x89HDF" else "scipy") as raw:
        truth = raw["air"].sortby("lat").sel(time=dataset.test.index)
        assert np.allclose(dataset.test.inputs[:, 0], truth, atol=1e-4)
    error = {
        name: float((forecast(dataset.test) - dataset.test.target).square().mean().sqrt()) for name, forecast in dataset.references.items()
    }
    assert 2 < error["persistence"] < 5 and error["climatology"] < 6
