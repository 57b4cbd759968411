"""Gridded files in the layouts of public archives, made from fields that count their own steps.

The value at step k is k + pattern(latitude, longitude): from any field one can tell which step it is and where each cell lies. `right` checks
a dataset against that, without the reader.
"""

from __future__ import annotations

import cftime
import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.datasets.base import PARTS, Dataset

LATITUDE, LONGITUDE = np.arange(-75.0, 76, 15), np.arange(0.0, 360, 30)


def pattern(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return (latitude, longitude) numbers below 0.5 from which both can be told."""
    return (
        0.25 * np.sin(np.deg2rad(latitude))[:, None]
        + 0.1 * np.cos(np.deg2rad(longitude))[None]
        + 0.05 * np.sin(np.deg2rad(longitude))[None]
    )


def counted(n_time: int, latitude: np.ndarray = LATITUDE, longitude: np.ndarray = LONGITUDE) -> np.ndarray:
    """Return fields that count: (time, latitude, longitude) float32."""
    return (np.arange(n_time)[:, None, None] + pattern(latitude, longitude)).astype(np.float32)


def right(dataset: Dataset, steps: int, tolerance: float = 2e-3) -> None:
    """Assert that every target lies `steps` steps after its inputs, and that every cell has its own place, but for cells without a target."""
    where = pattern(np.array(dataset.latitude), np.array(dataset.longitude))
    for part in PARTS:
        split = dataset.part(part)
        known = np.isfinite(split.target.numpy()).all(axis=0)
        inputs, target = (values.double().numpy()[:, known] - where[known] for values in (split.inputs[:, 0], split.target))
        count = np.rint(inputs.mean(axis=1))[:, None]
        assert known.mean() > 0.5 and np.all(np.diff(count[:, 0]) > 0)
        assert np.abs(inputs - count).max() < tolerance and np.abs(target - count - steps).max() < tolerance


def file_of(
    time: object,
    units: str = "",
    calendar: str = "",
    *,
    name: str = "t",
    names: tuple[str, str, str] = ("time", "lat", "lon"),
    latitude: np.ndarray = LATITUDE,
    longitude: np.ndarray = LONGITUDE,
    **attributes: object,
) -> xr.Dataset:
    """Return counted fields over these times: dates, or numbers with units and a calendar."""
    time_attributes = {key: value for key, value in (("units", units), ("calendar", calendar)) if value}
    time = np.asarray(time)
    coordinates = {
        names[0]: (names[0], time, time_attributes),
        names[1]: (names[1], latitude, {"units": "degrees_north", "standard_name": "latitude"}),
        names[2]: (names[2], longitude, {"units": "degrees_east", "standard_name": "longitude"}),
    }
    return xr.Dataset({name: (names, counted(len(time), latitude, longitude), {"units": "m", **attributes})}, coordinates)


def with_bounds(dataset: xr.Dataset, time: str = "time", dim: str = "bnds") -> xr.Dataset:
    """Return the dataset with the bounds of its axes, as CMIP and NOAA write them."""
    for axis in (time, "lat", "lon"):
        dataset[axis].attrs["bounds"] = f"{axis}_{dim}"
        dataset[f"{axis}_{dim}"] = ((axis, dim), np.stack([dataset[axis].values - 0.5, dataset[axis].values + 0.5], axis=1))
    return dataset


def middle_of_months(n: int, calendar: str, first_year: int = 1850) -> np.ndarray:
    """Return the middle of each month, in days since the first year, as CMIP writes monthly means."""
    starts = [cftime.datetime(first_year + k // 12, k % 12 + 1, 1, calendar=calendar) for k in range(n + 1)]
    days = cftime.date2num(starts, f"days since {first_year:04d}-01-01", calendar=calendar)
    return (np.asarray(days[1:], dtype=np.float64) + np.asarray(days[:-1])) / 2


def cmip_daily(calendar: str, n: int = 800) -> xr.Dataset:
    dataset = file_of(np.arange(n) + 0.5, "days since 1850-01-01", calendar, name="tas", cell_methods="area: time: mean")
    return with_bounds(dataset).assign_coords(height=((), 2.0, {"units": "m"}))


def cmip_monthly(calendar: str, n: int = 240) -> xr.Dataset:
    return with_bounds(file_of(middle_of_months(n, calendar), "days since 1850-01-01", calendar, name="tas"))


def cesm_monthly(n: int = 240) -> xr.Dataset:
    """Means of CESM: stamped at the end of the month, years from 1, without leap years."""
    ends = np.cumsum(np.tile([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], n // 12)).astype(np.float64)
    return with_bounds(file_of(ends, "days since 0001-01-01 00:00:00", "noleap"), dim="nbnd")


def ncep_hours_since_1(n: int = 240) -> xr.Dataset:
    dataset = file_of(17067072.0 + 6 * np.arange(n), "hours since 1-1-1 00:00:0.0", latitude=LATITUDE[::-1])
    dataset["time"].attrs |= {"delta_t": "0000-00-00 06:00:00", "long_name": "Time"}
    return dataset


def era5_old(n: int = 600) -> xr.Dataset:
    dataset = file_of(
        (876576 + np.arange(n)).astype("int32"), "hours since 1900-01-01 00:00:00.0", "gregorian", names=("time", "latitude", "longitude")
    )
    dataset["t"].encoding = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 300.0, "_FillValue": -32767, "missing_value": -32767}
    return dataset


def era5_versions(n: int = 600) -> xr.Dataset:
    """ERA5 and, in the last 60 hours, its preliminary version, on an axis of versions."""
    dataset = file_of((876576 + np.arange(n)).astype("int32"), "hours since 1900-01-01 00:00:00.0", names=("time", "latitude", "longitude"))
    late = (np.arange(n) >= n - 60)[:, None, None]
    both = np.stack([np.where(late, np.nan, dataset["t"].values), np.where(late, dataset["t"].values, np.nan)], axis=1)
    coordinates = {"expver": np.array([1, 5], dtype="int32"), **dataset.coords}
    return xr.Dataset({"t": (("time", "expver", "latitude", "longitude"), both.astype("float32"), {"units": "m"})}, coordinates)


def era5_new(n: int = 600) -> xr.Dataset:
    dataset = file_of(
        (1577836800 + 3600 * np.arange(n)).astype("int64"),
        "seconds since 1970-01-01",
        "proleptic_gregorian",
        names=("valid_time", "latitude", "longitude"),
        latitude=LATITUDE[::-1],
    )
    dataset = dataset.expand_dims(pressure_level=[500.0], axis=1)
    return dataset.assign_coords(number=((), 0), expver=("valid_time", np.array(["0001"] * (n - 60) + ["0005"] * 60)))


def imerg(n: int = 240) -> xr.Dataset:
    """IMERG: longitude before latitude, the calendar called julian."""
    dataset = file_of(11000 + np.arange(n), "days since 1970-01-01 00:00:00Z", "julian", name="precipitation")
    return dataset.transpose("time", "lon", "lat")


def gpcp(n: int = 240) -> xr.Dataset:
    starts = (pd.date_range("1979-01-01", periods=n, freq="MS") - pd.Timestamp("1800-01-01")).days.to_numpy()
    return with_bounds(file_of(starts.astype("float64"), "days since 1800-01-01 00:00:0.0", name="precip"), dim="nv")


def ersst(n: int = 240) -> xr.Dataset:
    """ERSST: north first, land missing with a fill value in single precision."""
    dataset = gpcp(n).rename(precip="sst", nv="nbnds").isel(lat=slice(None, None, -1))
    land = xr.DataArray(np.arange(12) < 3, dims="lon") & (dataset.lat > 0)
    dataset["sst"] = dataset["sst"].where(~land)
    dataset["sst"].encoding = {"dtype": "float32", "_FillValue": np.float32(-9.96921e36)}
    return dataset


def hadcrut(n: int = 240) -> xr.Dataset:
    """HadCRUT: anomalies of ten realisations, in the middle of the months, with bounds."""
    dataset = file_of(
        middle_of_months(n, "standard"), "days since 1850-01-01", "standard", name="tas", names=("time", "latitude", "longitude")
    )
    members = xr.concat([dataset["tas"] + 1000 * k for k in (1, 0, 2)], dim="realization").transpose("time", ...)
    about = {"units": "K", "long_name": "blended air_temperature_anomaly over land with sea_water_temperature_anomaly"}
    return dataset.assign(tas=members.assign_attrs(about)).assign_coords(realization=[1, 2, 3])


# The layouts that must open: how the file is made, its variable, and the steps in the lead time that is used without one.
OPEN = {
    **{
        f"CMIP daily, {calendar}": (lambda c=calendar: cmip_daily(c), "tas", 1)
        for calendar in ("noleap", "all_leap", "360_day", "julian", "standard")
    },
    **{
        f"CMIP monthly, {calendar}": (lambda c=calendar: cmip_monthly(c), "tas", 1)
        for calendar in ("noleap", "all_leap", "360_day", "julian", "standard")
    },
    "CESM monthly, month ends from year 1": (cesm_monthly, "t", 1),
    "NCEP, hours since 1-1-1": (ncep_hours_since_1, "t", 4),
    "ERA5, packed, old names": (era5_old, "t", 24),
    "ERA5 with its preliminary version": (era5_versions, "t", 24),
    "ERA5, new names": (era5_new, "t", 24),
    "IMERG": (imerg, "precipitation", 1),
    "GPCP": (gpcp, "precip", 1),
    "ERSST": (ersst, "sst", 1),
    "HadCRUT": (hadcrut, "tas_2", 1),
    "IRI, months since, calendar 360": (lambda: file_of(np.arange(240) + 0.5, "months since 1960-01-01", "360"), "t", 1),
    "months since, standard calendar": (lambda: file_of(np.arange(240), "months since 1960-01-01", "standard"), "t", 1),
    "CDO, absolute days": (
        lambda: file_of([float(f"{day:%Y%m%d}") + 0.25 for day in pd.date_range("1999-12-01", periods=240)], "day as %Y%m%d.%f"),
        "t",
        1,
    ),
    "years, noleap": (lambda: file_of(365.0 * np.arange(200) + 182.5, "days since 0001-01-01", "noleap"), "t", 1),
    "years, standard": (lambda: file_of(pd.date_range("1850-07-01", periods=150, freq="YS-JUL")), "t", 1),
    "seasons": (lambda: file_of(pd.date_range("1950-01-15", periods=240, freq="3MS") + pd.Timedelta("14D")), "t", 1),
    "month ends": (lambda: file_of(pd.date_range("1950-01-31", periods=240, freq="ME")), "t", 1),
    "3-hourly": (lambda: file_of(pd.date_range("2000-01-01", periods=240, freq="3h")), "t", 8),
    "half-hourly": (lambda: file_of(pd.date_range("2000-01-01", periods=900, freq="30min")), "t", 48),
    "days in single precision": (lambda: file_of((60000 + np.arange(240) / 8).astype("float32"), "days since 1850-01-01"), "t", 8),
    "hours with rounding noise": (
        lambda: file_of(np.arange(240) / 24 * 6 + 1e-7 * np.sin(np.arange(240)), "days since 2000-01-01"),
        "t",
        4,
    ),
    "year 20000": (lambda: file_of(np.arange(240.0), "days since 20000-01-01", "noleap"), "t", 1),
    "poles": (lambda: file_of(pd.date_range("2000", periods=240, freq="6h"), latitude=np.linspace(90, -90, 13)), "t", 4),
}
