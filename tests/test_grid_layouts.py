"""The layouts of public archives open with the right numbers, in every calendar, on the page and on the command line."""

import re

import cftime
import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stochattn_core.commands.case import dataset_of
from stochattn_core.commands.program import _parser
from stochattn_core.readers import grid_from_file
from stochattn_core.readers.grid.contents import contents_of
from tests.app import opened, upload
from tests.grid_files import LATITUDE, LONGITUDE, OPEN, counted, file_of, middle_of_months, right

DATES = pd.date_range("2000-01-01", periods=240, freq="6h")


def saved(dataset: xr.Dataset, folder, engine="h5netcdf"):
    dataset.to_netcdf(folder / "grid.nc", engine=engine)
    return folder / "grid.nc"


@pytest.mark.parametrize("layout", OPEN)
def test_a_layout_of_a_public_archive_gives_its_numbers_from_file_command_line_and_page(layout, tmp_path, monkeypatch):
    make, variable, steps = OPEN[layout]
    path, tolerance = saved(make(), tmp_path), 0.006 if "packed" in layout else 2e-3
    dataset = grid_from_file(path, variable)
    right(dataset, steps, tolerance)
    offered = {each.name for each in contents_of(path) if not each.problem}
    assert offered == {next(name for name in make().data_vars if variable.startswith(name))}, "bounds of axes are no maps"
    options = _parser().parse_args(["evaluate", "--model", "climax", "--grid", str(path), "--variable", variable])
    assert dataset_of(options).sha256 == dataset.sha256


@pytest.mark.parametrize("layout", ["CMIP daily, 360_day", "CESM monthly, month ends from year 1", "HadCRUT"])
def test_a_layout_of_a_public_archive_opens_on_the_page(layout, tmp_path, monkeypatch):
    monkeypatch.setattr("pages.ui.own_grid.st.switch_page", lambda page: None)
    make, variable, steps = OPEN[layout]
    test = opened("bring")
    upload(test, "own-file", "grid.nc", saved(make(), tmp_path).read_bytes())
    assert not test.exception and not test.error
    for box in test.main.selectbox:
        if box.label == "Member":
            box.set_value(2).run()
    test.button(key="use-grid").click().run()
    assert not test.exception and not test.error
    (dataset,) = test.session_state["own"].values()
    right(dataset, steps)
    assert dataset.sha256 == grid_from_file(tmp_path / "grid.nc", variable, lead_time=dataset.lead_time[0]).sha256


def test_dates_that_no_other_calendar_has_are_shown_as_the_file_has_them(tmp_path):
    """30 February 1850, from cftime itself: the dataset labels its init times with the dates of the file."""
    path = saved(file_of(np.arange(400.0), "days since 1850-01-01", "360_day"), tmp_path)
    dataset = grid_from_file(path, "t")
    dates = [str(date)[:10] for date in cftime.num2date(np.arange(400), "days since 1850-01-01", calendar="360_day")]
    assert dates[59] == "1850-02-30" == dataset.train.index[59]
    steps = np.rint(dataset.test.inputs[:, 0].mean(dim=(1, 2)).numpy()).astype(int)
    assert [dates[step] for step in steps] == list(dataset.test.index)


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "all_leap", "standard"])
def test_the_climatology_follows_the_year_of_the_calendar(calendar, tmp_path):
    """A wave of exactly one year in each calendar is reproduced 60 years later: a year of another length would be out of phase by months."""
    length = {"noleap": 365, "360_day": 360, "all_leap": 366, "standard": 365.2425}[calendar]
    days = np.arange(0, 80 * length, 5.0)
    dataset = file_of(days, "days since 1900-01-01", calendar)
    wave = 10 * np.cos(2 * np.pi * days / length)
    dataset["t"] = (dataset["t"].dims, (wave[:, None, None] + np.zeros((11, 12))).astype("float32"), {"units": "m"})
    read = grid_from_file(saved(dataset, tmp_path), "t", lead_time=120)
    assert float((read.references["climatology"](read.test) - read.test.target).abs().max()) < 0.05


def test_the_climatology_of_monthly_means_is_the_mean_of_each_month(tmp_path):
    """Against a loop over the months of the training part."""
    noise = np.random.default_rng(0).normal(size=(240, 11, 12)).astype("float32")
    dataset = file_of(middle_of_months(240, "noleap"), "days since 1850-01-01", "noleap")
    dataset["t"] = (dataset["t"].dims, noise, {"units": "m"})
    read = grid_from_file(saved(dataset, tmp_path), "t", lead_time=3)
    assert (read.lead_time, read.lead_unit, read.title) == ((3,), "month", "grid: t, 3 months ahead")
    forecast = read.references["climatology"](read.test)
    for case, start in enumerate(read.test.index):
        month = (start.month + 3 - 1) % 12 + 1
        same = [(k + 3) for k, init in enumerate(read.train.index) if (init.month + 3 - 1) % 12 + 1 == month]
        assert np.allclose(forecast[case], noise[same].mean(axis=0), atol=1e-5)


PLACES = {
    "radians": lambda d: _degrees_to(d, "radians"),
    "rad, single precision": lambda d: _degrees_to(d, "rad").assign_coords(
        lat=lambda x: x.lat.astype("f4"), lon=lambda x: x.lon.astype("f4")
    ),
    "radians without units": lambda d: d.assign_coords(lat=np.deg2rad(LATITUDE), lon=np.deg2rad(LONGITUDE)),
    "degrees on axes y and x": lambda d: (
        d.rename(lat="y", lon="x").assign_coords(lat=("y", LATITUDE), lon=("x", LONGITUDE)).drop_vars(["y", "x"])
    ),
    "degrees beside metres": lambda d: d.rename(lat="y", lon="x").assign_coords(
        y=np.arange(11) * 1e5, x=np.arange(12) * 1e5, lat=("y", LATITUDE), lon=("x", LONGITUDE)
    ),
    "regular degrees of two dimensions": lambda d: _on_mesh(d, "nav_lat", "nav_lon"),
    "regular degrees, WRF": lambda d: _on_mesh(d, "XLAT", "XLONG"),
    "degrees as variables": lambda d: _as_variables(
        d.rename(lat="y", lon="x").drop_vars(["y", "x"]), lat=("y", LATITUDE), lon=("x", LONGITUDE)
    ),
    "regular degrees as variables": lambda d: _on_mesh(d, "lat", "lon").reset_coords(["lat", "lon"]),
    "dates as a variable": lambda d: _as_variables(
        d.rename(time="record").drop_vars("record"), time=("record", np.arange(240) * 6, {"units": "hours since 2000-01-01"})
    ),
    "dates of WRF": lambda d: _as_variables(
        d.rename(time="Time").drop_vars("Time"), XTIME=("Time", np.arange(240) * 360.0, {"units": "minutes since 2000-01-01"})
    ),
    "longitude first": lambda d: d.transpose("time", "lon", "lat"),
    "everything backwards": lambda d: d.isel(lat=slice(None, None, -1)).transpose("lon", "lat", "time"),
    "-180 to 180": lambda d: d.assign_coords(lon=(d.lon + 180) % 360 - 180).sortby("lon"),
    "longitudes around the date line": lambda d: d.assign_coords(lon=(d.lon + 180) % 360 - 180).roll(lon=5, roll_coords=True),
    "a member of one": lambda d: d.expand_dims(number=[0], axis=1),
    "a step of one": lambda d: d.expand_dims(step=[np.timedelta64(0, "ns")], axis=1),
    "names of NCL": lambda d: d.rename(time="initial_time0_hours", lat="g0_lat_1", lon="g0_lon_2"),
    "names of JRA-3Q": lambda d: d.rename(time="initial_time", lat="LAT", lon="LONG"),
}


def _as_variables(dataset: xr.Dataset, **variables: tuple) -> xr.Dataset:
    return dataset.assign(variables)


def _degrees_to(dataset: xr.Dataset, units: str) -> xr.Dataset:
    for axis in ("lat", "lon"):
        dataset = dataset.assign_coords({axis: (axis, np.deg2rad(dataset[axis].values), {**dataset[axis].attrs, "units": units})})
    return dataset


def _on_mesh(dataset: xr.Dataset, north: str, east: str) -> xr.Dataset:
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    meshes = {north: (("y", "x"), latitude), east: (("y", "x"), longitude)}
    named = {
        name: (dims, mesh, {"units": f"degrees_{name_of}"})
        for (name, (dims, mesh)), name_of in zip(meshes.items(), ("north", "east"), strict=True)
    }
    return dataset.drop_vars(["lat", "lon"]).rename(lat="y", lon="x").assign_coords(named)


@pytest.mark.parametrize("places", PLACES)
def test_every_way_to_write_places_gives_the_same_numbers(places, tmp_path):
    path = saved(PLACES[places](file_of(DATES)), tmp_path)
    dataset = grid_from_file(path, "t")
    right(dataset, 4)
    assert [variable.name for variable in contents_of(path)] == ["t"]
    assert np.allclose(dataset.latitude, LATITUDE, atol=1e-4)
    assert np.allclose(np.sort(np.array(dataset.longitude) % 360), LONGITUDE, atol=1e-4)


DATES_IN_OTHER_WAYS = {
    "digits": [int(f"{date:%Y%m%d%H}") for date in DATES],
    "text": [f"{date:%Y-%m-%d %H:%M}" for date in DATES],
    "text of WRF": [f"{date:%Y-%m-%d_%H:%M:%S}" for date in DATES],
    "text in UTC": [f"{date:%Y-%m-%dT%H:%M:%SZ}" for date in DATES],
}


@pytest.mark.parametrize("way", DATES_IN_OTHER_WAYS)
def test_dates_as_digits_or_text_are_read_and_noted(way, tmp_path):
    dataset = grid_from_file(saved(file_of(DATES_IN_OTHER_WAYS[way]), tmp_path), "t")
    right(dataset, 4)
    assert dataset.train.index[0] == DATES[0] and dataset.train.index[-1] in DATES
    assert any("'time' has no units: " in note and note.endswith("is read as 2000-01-01 00:00") for note in dataset.notes)


def test_weeks_and_years_are_counted(tmp_path):
    weekly = grid_from_file(saved(file_of(np.arange(100), "weeks since 2000-01-01"), tmp_path), "t")
    assert weekly.lead_time == (168,) and weekly.train.index[1] == pd.Timestamp("2000-01-08")
    yearly = grid_from_file(saved(file_of(np.arange(100) + 0.5, "years since 1900-01-01", "noleap"), tmp_path), "t")
    assert (yearly.lead_time, yearly.lead_unit) == ((1,), "year") and str(yearly.train.index[1])[:10] == "1901-07-01"
    right(yearly, 1)


@pytest.mark.parametrize(("dtype", "fill"), [("i2", -32767), ("i4", -2147483647)])
def test_fill_values_that_netcdf_gives_to_packed_integers_are_missing_without_an_attribute(dtype, fill, tmp_path):
    packed = {"t": {"dtype": dtype, "scale_factor": 0.01, "add_offset": 150.0, "_FillValue": None}}
    file_of(DATES).to_netcdf(tmp_path / "grid.nc", engine="h5netcdf", encoding=packed)
    with h5py.File(tmp_path / "grid.nc", "a") as file:
        file["t"][50:53, 2, 3] = fill
    dataset = grid_from_file(tmp_path / "grid.nc", "t")
    assert any(note.startswith("3 values of 't' are the fill value that NetCDF gives to integers") for note in dataset.notes)
    assert min(float(part.inputs.min()) for part in (dataset.train, dataset.calibration, dataset.test)) > -1


def test_the_group_of_a_file_that_holds_the_fields_is_read(tmp_path):
    """IMERG keeps its fields in the group Grid."""
    OPEN["IMERG"][0]().to_netcdf(tmp_path / "grid.nc", engine="h5netcdf", group="Grid")
    with h5py.File(tmp_path / "grid.nc", "a") as file:
        file.attrs["FileHeader"] = "of the whole file"
    dataset = grid_from_file(tmp_path / "grid.nc", "precipitation")
    right(dataset, 1)
    assert any("in the group 'Grid' of the file" in note for note in dataset.notes)


def test_without_a_lead_time_a_short_period_has_a_shorter_one_and_says_so(tmp_path):
    dataset = grid_from_file(saved(file_of(pd.date_range("2000", periods=200, freq="h")), tmp_path), "t")
    assert dataset.lead_time == (12,)
    assert any(re.fullmatch("the period is too short for a lead time of 24 h: 12 h is used", note) for note in dataset.notes)
    right(dataset, 12)


@pytest.mark.parametrize(
    ("attribute", "limits"), [("valid_range", (-1.0, 500.0)), ("valid_max", 500.0), ("packed valid_range", (-100, 50000))]
)
def test_values_outside_the_valid_range_are_missing_and_noted(attribute, limits, tmp_path):
    dataset = file_of(DATES)
    dataset["t"][50:54, 3, 4] = 600.0
    encoding = {}
    if attribute.startswith("packed"):
        encoding = {"t": {"dtype": "int32", "scale_factor": 0.01, "add_offset": 0.0}}
        limits = np.array(limits, dtype="int32")
    dataset["t"].attrs[attribute.split()[-1]] = limits
    dataset.to_netcdf(tmp_path / "grid.nc", engine="h5netcdf", encoding=encoding)
    read = grid_from_file(tmp_path / "grid.nc", "t")
    assert any(re.match(r"4 of \d+ values of 't' lie outside the valid range that the file states", note) for note in read.notes)
    assert max(float(part.target.nan_to_num().max()) for part in (read.train, read.calibration, read.test)) < 300


def test_the_first_version_of_era5_with_a_value_is_used_at_each_time(tmp_path):
    """Where the final version exists, the preliminary one has no say."""
    dataset = OPEN["ERA5 with its preliminary version"][0]()
    dataset["t"][:, 1] = dataset["t"][:, 1].fillna(1e6)
    right(grid_from_file(saved(dataset, tmp_path), "t"), 24)


def test_half_a_field_of_members_is_chosen_by_axis_values_in_the_order_of_the_file(tmp_path):
    members = np.stack([counted(240) + 1000 * k for k in range(4)]).reshape(2, 2, 240, 11, 12)
    coordinates = {
        "realization": [7, 9],
        "plev": ("plev", [50000.0, 85000.0], {"units": "Pa"}),
        "time": DATES,
        "lat": LATITUDE,
        "lon": LONGITUDE,
    }
    dataset = xr.Dataset({"ta": (("realization", "plev", "time", "lat", "lon"), members)}, coordinates)
    path = saved(dataset, tmp_path)
    (variable,) = contents_of(path)
    assert [(choice.axis, choice.values) for choice in variable.choices] == [("member", (7, 9)), ("level", (500, 850))]
    assert float(grid_from_file(path, variable.at(9, 500.0)).train.inputs.mean()) // 1000 == 2
    with pytest.raises(ValueError, match=r"expected the member 8 for 'ta' in 'grid.nc', got 7, 9; choose one of them"):
        grid_from_file(path, "ta_8_500")
    with pytest.raises(ValueError, match=r"got also level \(2\) in 'grid.nc'; choose one level, such as ta_7_500"):
        grid_from_file(path, "ta_7")


@pytest.mark.parametrize("layout", ["CMIP daily, noleap", "CMIP monthly, noleap"])
def test_valid_times_are_the_dates_of_the_targets_in_the_calendar_of_the_file(layout, tmp_path):
    """Against cftime: from 28 February one day is 1 March in years without leap days, and from the middle of January one month is that of February."""
    make, variable, _ = OPEN[layout]
    file = make()
    dates = cftime.num2date(file["time"].values, file["time"].attrs["units"], calendar="noleap")
    dataset = grid_from_file(saved(file, tmp_path), variable)
    steps = np.rint(dataset.train.target.double().mean(dim=(1, 2)).numpy()).astype(int)
    valid = dataset.valid_times(dataset.train)[:, 0]
    assert [str(time)[:19].replace("T", " ") for time in valid] == [str(dates[step]) for step in steps]
