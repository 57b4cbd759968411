"""Names, units and axes of a gridded file, renamed and put in order once: (time, latitude, longitude), south to north, eastward."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import xarray as xr

# What other people call them, and what units say when the name does not.
NAMES = {
    "time": ("time", "valid_time", "init_time", "date", "datetime", "xtime"),
    "latitude": ("latitude", "lat", "lats", "nav_lat", "rlat", "ylat"),
    "longitude": ("longitude", "lon", "lons", "long", "nav_lon", "rlon", "xlon"),
    "level": ("level", "isobaricinhpa", "plev", "pressure_level", "pressure", "lev", "isobaricinpa"),
    "lead_time": ("lead_time", "step", "prediction_timedelta", "leadtime", "forecast_period"),
    "member": ("member", "number", "realization", "ensemble", "sample"),
}
DEGREES = {"latitude": r"degrees?_?(north|n)", "longitude": r"degrees?_?(east|e)"}
UNITS = {
    "degk": "K", "kelvin": "K", "deg_k": "K", "k": "K", "degrees_k": "K",
    "degc": "degC", "c": "degC", "celsius": "degC", "degrees_celsius": "degC", "deg_c": "degC", "degrees_c": "degC", "°c": "degC",
    "m**2s**-2": "m2 s-2", "m2/s2": "m2 s-2", "m^2/s^2": "m2 s-2", "m2s-2": "m2 s-2", "m^2s^-2": "m2 s-2", "j/kg": "m2 s-2", "jkg-1": "m2 s-2",
    "ms**-1": "m s-1", "m/s": "m s-1", "ms-1": "m s-1", "m/sec": "m s-1", "ms^-1": "m s-1",
    "pascal": "Pa", "pascals": "Pa", "pa": "Pa", "millibar": "hPa", "millibars": "hPa", "mbar": "hPa", "mb": "hPa", "hpa": "hPa",
    "gpm": "m", "meters": "m", "metres": "m", "meter": "m", "metre": "m",
}  # fmt: skip


def renamed(dataset: xr.Dataset) -> xr.Dataset:
    """Dimensions and coordinates under one name each; by name first, by units of degrees where the name says nothing."""
    new, taken = {}, set(map(str, dataset.variables)) | set(map(str, dataset.dims))
    names = [*map(str, dataset.dims), *(str(name) for name in dataset.coords if name not in dataset.dims)]
    for ours, others in NAMES.items():
        if ours in names:
            continue
        found = next((name for other in others for name in names if name.lower() == other), None)
        if found is None and ours in DEGREES:
            found = next((name for name in names if name in dataset and _matches(DEGREES[ours], dataset[name].attrs.get("units"))), None)
        if found is not None and found not in new and ours not in taken:
            new[found] = ours
    return dataset.rename(new)


def unit_name(units: object) -> str:
    """The one way this project writes a unit; others stay as they are."""
    text = str(units or "").strip()
    return UNITS.get(re.sub(r"\s+", "", text).lower(), text)


def pick(dataset: xr.Dataset, variable: str, file: str) -> xr.DataArray:
    """The variable over time, latitude and longitude in any order, without values yet. "geopotential_500" is the level 500 of "geopotential"."""
    level = None
    if variable not in dataset.data_vars:
        match = re.fullmatch(r"(.+)_(\d+(?:\.\d+)?)", variable)
        if match is None or match[1] not in dataset.data_vars:
            there = ", ".join(sorted(str(name) for name in dataset.data_vars)) or "none"
            raise ValueError(f"expected a variable {variable!r} in {file!r}, its variables are {there[:200]}; choose one of them")
        variable, level = match[1], float(match[2])
    array = dataset[variable]
    if not np.issubdtype(array.dtype, np.number):
        raise ValueError(f"expected numbers in {variable!r} of {file!r}, got values of type {array.dtype}; choose another variable")
    array = _at_level(array, level, file)
    dated = [str(dim) for dim in array.dims if dim in dataset.coords and np.issubdtype(dataset[dim].dtype, np.datetime64)]
    dated += [str(dim) for dim in array.dims if str(dim) == "lead_time"]
    if len(dated) > 1:
        raise ValueError(
            f"expected one time axis for {variable!r} in {file!r}, got two: {' and '.join(dated)}; bring analyses, or one lead time of the forecasts"
        )
    if len(dated) == 1 and dated[0] not in ("time", "lead_time") and "time" not in array.dims:
        array = array.rename({dated[0]: "time"})
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and dim not in ("time", "latitude", "longitude")], drop=True)
    for axis in ("time", "latitude", "longitude"):
        if axis not in array.dims:
            curved = axis in dataset.coords and dataset[axis].ndim > 1
            cure = "put the fields on a regular grid" if curved else f"add an axis called {axis}"
            came = f"{axis} over {dataset[axis].ndim} dimensions" if curved else f"axes {', '.join(map(str, array.dims)) or 'none'}"
            raise ValueError(f"expected an axis of {axis} for {variable!r} in {file!r}, got {came}; {cure}")
    rest = [str(dim) for dim in array.dims if dim not in ("time", "latitude", "longitude")]
    if rest:
        example = f", such as {variable}_{dataset[rest[0]].values[0]:g}" if rest[0] == "level" and rest[0] in dataset.coords else ""
        raise ValueError(
            f"expected {variable!r} over time, latitude and longitude, got also {' and '.join(f'{dim} ({array.sizes[dim]})' for dim in rest)} in "
            f"{file!r}; choose one {rest[0]}{example}"
        )
    return array


def levels_of(array: xr.DataArray) -> np.ndarray:
    """The values of its level axis, pressures in hPa."""
    levels = array["level"].values.astype(np.float64)
    if unit_name(array["level"].attrs.get("units")) == "Pa" or levels.min() > 2000:  # no weather lies under 2000 hPa
        levels = levels / 100
    return levels


def _at_level(array: xr.DataArray, level: float | None, file: str) -> xr.DataArray:
    if level is None:
        return array
    if "level" not in array.dims:
        raise ValueError(
            f"expected levels for {array.name!r} in {file!r}, got axes {', '.join(map(str, array.dims))}; leave out the number"
        )
    levels = levels_of(array)
    near = np.flatnonzero(np.isclose(levels, level))
    if not len(near):
        raise ValueError(
            f"expected the level {level:g} hPa for {array.name!r} in {file!r}, got {', '.join(f'{x:g}' for x in levels)}; choose one of them"
        )
    return array.isel(level=int(near[0]), drop=True)


def in_order(array: xr.DataArray, file: str) -> tuple[xr.DataArray, list[str]]:
    """South to north, eastward from 0 to 360 degrees without a repeated meridian, times in order and once; what was done, in words.

    A region that crosses Greenwich goes on above 360 degrees, so that its longitudes rise without a jump.
    """
    notes = []
    latitude = _degrees(array, "latitude", 90, file)
    if np.any(np.diff(np.sort(latitude)) == 0):
        raise ValueError(f"expected every latitude once in {file!r}, got {len(latitude) - len(np.unique(latitude))} twice; drop the copies")
    array = _taken(array, "latitude", np.argsort(latitude))
    longitude = _degrees(array, "longitude", 361, file) % 360.0
    eastward, first = np.unique(longitude.round(6), return_index=True)
    if len(eastward) < len(longitude):
        notes.append("a meridian that stood in the file twice (0 and 360 degrees) is used once")
    gaps = np.diff(np.append(eastward, eastward[0] + 360))
    start = (int(np.argmax(gaps)) + 1) % len(eastward) if gaps.max() > 1.5 * np.median(gaps) else 0
    eastward = np.roll(eastward, -start)
    eastward = np.where(eastward < eastward[0], eastward + 360, eastward)
    array = _taken(array, "longitude", np.roll(first, -start))
    time = array["time"].values
    if not np.issubdtype(time.dtype, np.datetime64):
        raise ValueError(
            f"expected dates on the time axis of {file!r}, got values of type {time.dtype}; give it units such as 'hours since 2000-01-01'"
        )
    if np.isnat(time).any():
        raise ValueError(f"expected a date for every time of {file!r}, got {int(np.isnat(time).sum())} without one; drop these")
    when, place = np.unique(time, return_index=True)
    if len(when) < len(time):
        notes.append(f"{len(time) - len(when)} times stand in the file more than once; the first of each is used")
    elif np.any(np.diff(place) < 0):
        notes.append("the times were not in order and have been sorted")
    array = _taken(array, "time", place)
    coordinates = {"time": pd.DatetimeIndex(when), "latitude": np.sort(latitude), "longitude": eastward}
    return array.assign_coords(coordinates), notes


def _taken(array: xr.DataArray, axis: str, place: np.ndarray) -> xr.DataArray:
    """array.isel, as a slice where it is one: HDF5 is a hundred times slower on lists."""
    step = int(place[1] - place[0]) if len(place) > 1 else 1
    if abs(step) == 1 and np.all(np.diff(place) == step):
        stop = int(place[-1]) + step
        place = slice(int(place[0]), stop if stop >= 0 else None, step)
    return array.isel({axis: place})


def _degrees(array: xr.DataArray, axis: str, most: float, file: str) -> np.ndarray:
    if axis not in array.coords:
        raise ValueError(f"expected the {axis}s of {file!r} in degrees, the axis has no values; write them into the file")
    values = array[axis].values.astype(np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or np.abs(values).max() > most:
        came = f"{len(values)} value(s) from {np.nanmin(values):g} to {np.nanmax(values):g}"
        raise ValueError(f"expected at least 2 {axis}s within {most:g} degrees in {file!r}, got {came}; bring a grid in degrees")
    return values


def _matches(pattern: str, units: object) -> bool:
    return bool(re.fullmatch(pattern, str(units or "").strip(), re.IGNORECASE))
