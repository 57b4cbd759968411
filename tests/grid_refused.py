"""Gridded files that are refused by name, and what a user does who follows the refusal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.interpolate import griddata

from tests.grid_files import LATITUDE, LONGITUDE, counted, file_of, middle_of_months

DATES = pd.date_range("2000-01-01", periods=240, freq="6h")


def six_hourly(**changes: object) -> xr.Dataset:
    return file_of(DATES, **changes)


def on_curves(names: tuple[str, str, str, str], time: str = "time", **attributes: object) -> xr.Dataset:
    """Fields on a curvilinear grid: latitude and longitude both change along both axes."""
    y, x, north, east = names
    rows, columns = np.meshgrid(np.arange(11.0), np.arange(12.0), indexing="ij")
    latitude, longitude = -40 + 7 * rows + 0.8 * columns, 20 + 9 * columns + 1.5 * rows
    coordinates = {
        time: DATES,
        north: ((y, x), latitude, {"units": "degrees_north", "long_name": "latitude of grid cell center"}),
        east: ((y, x), longitude, {"units": "degrees_east", "long_name": "longitude of grid cell center"}),
    }
    return xr.Dataset({"t": ((time, y, x), counted(240, LATITUDE, LONGITUDE), {"units": "m", **attributes})}, coordinates)


def regridded(dataset: xr.Dataset) -> xr.Dataset:
    """What cdo remapbil does: linear interpolation to a regular grid, here to one inside the fields."""
    coordinates = [dataset[name] for name in dataset.coords if dataset[name].attrs.get("units", "").startswith("degrees")]
    north, east = sorted(coordinates, key=lambda each: each.attrs["units"], reverse=True)
    points = np.stack([north.values.ravel(), east.values.ravel()], axis=1)
    places = np.meshgrid(np.arange(-20.0, 20, 5), np.arange(50.0, 100, 5), indexing="ij")
    fields = griddata(points, dataset["t"].values.reshape(240, -1).T, tuple(places)).transpose(2, 0, 1)
    latitude, longitude = places[0][:, 0], places[1][0]
    return xr.Dataset({"t": (("time", "lat", "lon"), fields.astype("float32"))}, {"time": DATES, "lat": latitude, "lon": longitude})


def on_plane() -> xr.Dataset:
    """Fields on a projection, with its axes in metres and nothing else."""
    dataset = six_hourly(names=("time", "y", "x"), latitude=np.arange(11) * 1e5, longitude=np.arange(12) * 1e5, grid_mapping="lambert")
    for axis in ("x", "y"):
        dataset[axis].attrs = {"units": "m", "standard_name": f"projection_{axis}_coordinate"}
    return dataset


def of_points(dim: str) -> xr.Dataset:
    """Fields on a list of points in radians, as ICON writes them."""
    values = counted(240).reshape(240, -1)
    places = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    coordinates = {
        name: (dim, np.deg2rad(place.ravel()), {"units": "radian", "standard_name": standard_name})
        for name, place, standard_name in zip(("clat", "clon"), places, ("latitude", "longitude"), strict=True)
    }
    return xr.Dataset({"t": (("time", dim), values, {"units": "m"})}, {"time": DATES, **coordinates})


def of_spectra() -> xr.Dataset:
    return xr.Dataset({"t": (("time", "spc", "nc2"), np.zeros((240, 20, 2), dtype="float32"))}, {"time": DATES})


def climatology_without_year() -> xr.Dataset:
    return six_hourly().isel(time=slice(12)).rename(time="month").assign_coords(month=np.arange(1, 13))


def climatology_of_cf() -> xr.Dataset:
    months = file_of(middle_of_months(12, "standard"), "days since 1850-01-01")
    months["time"].attrs["climatology"] = "climatology_bounds"
    return months


def numbered(dataset: xr.Dataset, **attributes: str) -> xr.Dataset:
    return dataset.assign_coords(time=("time", np.arange(len(DATES)) * 6.0, attributes))


def with_members() -> xr.Dataset:
    return six_hourly().expand_dims(depth=[5.0, 20.5], axis=1).expand_dims(number=[0, 1], axis=1)


def _named(dataset: xr.Dataset, north: str, east: str) -> xr.Dataset:
    dataset[north].attrs = {"standard_name": "grid_latitude", "units": "degrees"}
    dataset[east].attrs = {"standard_name": "grid_longitude", "units": "degrees"}
    return dataset


# How the file is made, its variable, a part of the refusal, and the file that a user brings who did what the refusal says.
REFUSED = {
    "curvilinear, RASM": (
        lambda: on_curves(("y", "x", "yc", "xc")),
        "t",
        "got latitude over 2 dimensions; put the fields on a regular grid, .*curvilinear",
        regridded,
    ),
    "curvilinear, ROMS": (
        lambda: on_curves(("eta_rho", "xi_rho", "lat_rho", "lon_rho"), "time"),
        "t",
        "got latitude over 2 dimensions; put the fields on a regular grid, .*curvilinear",
        regridded,
    ),
    "curvilinear, NEMO": (lambda: on_curves(("y", "x", "nav_lat", "nav_lon")), "t", "latitude over 2 dimensions", regridded),
    "rotated, CORDEX": (
        lambda: on_curves(("rlat", "rlon", "lat", "lon"), grid_mapping="rotated_pole"),
        "t",
        "got latitude over 2 dimensions; put the fields on a regular grid, .*rotated",
        regridded,
    ),
    "rotated, axes alone": (
        lambda: _named(six_hourly(names=("time", "rlat", "rlon")), "rlat", "rlon"),
        "t",
        "got axes time, rlat, rlon of a rotated pole",
        lambda _: six_hourly(),
    ),
    "projected": (on_plane, "t", r"got axes time, y, x of a projected grid \(y in m\)", lambda _: six_hourly()),
    "unstructured, ICON": (lambda: of_points("ncells"), "t", "got axes time, ncells of an unstructured grid", lambda _: six_hourly()),
    "unstructured, any name": (lambda: of_points("i"), "t", "got axes time, i of an unstructured grid", lambda _: six_hourly()),
    "spectral": (of_spectra, "t", "got axes time, spc, nc2 of spherical harmonics", lambda _: six_hourly()),
    "a single field": (lambda: six_hourly().isel(time=[0]), "t", "got 1; bring a longer period", lambda _: six_hourly()),
    "a single field without time": (
        lambda: six_hourly().isel(time=0),
        "t",
        "got axes lat.*, lon.*; add an axis called time",
        lambda one: one.drop_vars("time").expand_dims(time=DATES[:80]) + xr.DataArray(np.arange(80.0), dims="time"),
    ),
    "a climatology of months": (
        climatology_without_year,
        "t",
        r"the axis 'month' \(12 values without a year\), a climatology",
        lambda _: six_hourly(),
    ),
    "a climatology of CF": (climatology_of_cf, "t", "got a climatology", lambda _: six_hourly()),
    "no units of time": (
        lambda: numbered(six_hourly()),
        "t",
        r"got no units \(values from 0 to 1434\); write units on it, such as 'hours since 2000-01-01'",
        lambda bad: numbered(bad, units="hours since 2000-01-01"),
    ),
    "unknown units of time": (
        lambda: numbered(six_hourly(), units="fortnights since 2000-01-01"),
        "t",
        "got the units 'fortnights since 2000-01-01'",
        lambda bad: numbered(bad, units="hours since 2000-01-01"),
    ),
    "a first date that the calendar does not have": (
        lambda: numbered(six_hourly(), units="hours since 1999-12-31", calendar="360_day").rename(time="T"),
        "t",
        "got the units 'hours since 1999-12-31' and the calendar '360_day'",
        lambda bad: numbered(bad.rename(T="time"), units="hours since 2000-01-01", calendar="360_day"),
    ),
    "odd parts of months": (
        lambda: six_hourly().assign_coords(time=("time", np.arange(240) * 0.3, {"units": "months since 2000-01-01"})),
        "t",
        "got the units 'months since 2000-01-01'",
        lambda bad: numbered(bad, units="hours since 2000-01-01"),
    ),
    "an unknown calendar": (
        lambda: numbered(six_hourly(), units="hours since 2000-01-01", calendar="martian"),
        "t",
        "got the units 'hours since 2000-01-01' and the calendar 'martian'",
        lambda bad: numbered(bad, units="hours since 2000-01-01", calendar="standard"),
    ),
    "members and depths": (
        with_members,
        "t",
        r"got also member \(2\) and depth \(2\) in 'grid.nc'; choose one member, such as t_0_5",
        lambda good: good.rename(t="t"),
    ),
    "uneven steps": (
        lambda: file_of(pd.Timestamp("2000") + pd.to_timedelta(np.cumsum([60, 45] * 480), unit="min")),
        "t",
        "got steps of .*; resample them, to one field every hour or day",
        lambda bad: bad.resample(time="1h").mean().interpolate_na("time"),
    ),
    "degrees that are no numbers": (
        lambda: six_hourly().assign_coords(lat=[f"{x:g}N" for x in LATITUDE]),
        "t",
        "expected the latitudes of 'grid.nc' in degrees, got values of type .*; write numbers",
        lambda bad: bad.assign_coords(lat=LATITUDE),
    ),
    "packing written as text": (
        lambda: six_hourly(scale_factor="0.5"),
        "t",
        "expected a number as scale_factor of 't' in 'grid.nc', got the text '0.5'; write the attribute as a number",
        lambda _: six_hourly(scale_factor=0.5),
    ),
    "axes without names": (
        lambda: six_hourly().drop_vars(["time", "lat", "lon"]).rename(time="phony_dim_0", lat="phony_dim_1", lon="phony_dim_2"),
        "t",
        "got 3 axes without names; write the file again with names and values of its axes",
        lambda bad: bad.rename(phony_dim_0="time", phony_dim_1="lat", phony_dim_2="lon").assign_coords(
            time=DATES, lat=LATITUDE, lon=LONGITUDE
        ),
    ),
    "an axis of length 0": (
        lambda: six_hourly().isel(lat=slice(0)),
        "t",
        "got an axis 'latitude' of length 0; bring a file",
        lambda _: six_hourly(),
    ),
}
CURED_NAME = {"members and depths": "t_0_5"}
