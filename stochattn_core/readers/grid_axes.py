"""Puts a variable of a gridded file on standard axes: (time, latitude, longitude), south to north, eastward, times in order."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.readers.door.calendars import standard_times
from stochattn_core.readers.door.units import standard_unit

AXES = ("time", "latitude", "longitude")


def select_variable(dataset: xr.Dataset, variable: str, file: str) -> xr.DataArray:
    """Return the variable over time, latitude and longitude, in any order and without its values yet.

    variable: a name in the file, or a name and a level: "geopotential_500" is the level 500 hPa of "geopotential".
    ValueError where there is no such variable, or where it has other axes.
    """
    level = None
    if variable not in dataset.data_vars:
        match = re.fullmatch(r"(.+)_(\d+(?:\.\d+)?)", variable)
        if match is None or match[1] not in dataset.data_vars:
            names = ", ".join(sorted(str(name) for name in dataset.data_vars)) or "none"
            raise ValueError(f"expected a variable {variable!r} in {file!r}, its variables are {names[:200]}; choose one of them")
        variable, level = match[1], float(match[2])
    array = dataset[variable]
    if not np.issubdtype(array.dtype, np.number):
        raise ValueError(f"expected numbers in {variable!r} of {file!r}, got values of type {array.dtype}; choose another variable")
    array = _select_level(array, level, file)
    time_axes = [str(dim) for dim in array.dims if dim in dataset.coords and np.issubdtype(dataset[dim].dtype, np.datetime64)]
    time_axes += [str(dim) for dim in array.dims if str(dim) == "lead_time"]
    if len(time_axes) > 1:
        raise ValueError(
            f"expected one time axis for {variable!r} in {file!r}, got two: {' and '.join(time_axes)}; bring analyses, or one lead time of the "
            "forecasts"
        )
    if len(time_axes) == 1 and time_axes[0] not in ("time", "lead_time") and "time" not in array.dims:
        array = array.rename({time_axes[0]: "time"})
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and dim not in AXES], drop=True)
    for axis in AXES:
        if axis not in array.dims:
            curved = axis in dataset.coords and dataset[axis].ndim > 1
            cure = "put the fields on a regular grid" if curved else f"add an axis called {axis}"
            came = f"{axis} over {dataset[axis].ndim} dimensions" if curved else f"axes {', '.join(map(str, array.dims)) or 'none'}"
            raise ValueError(f"expected an axis of {axis} for {variable!r} in {file!r}, got {came}; {cure}")
    others = [str(dim) for dim in array.dims if dim not in AXES]
    if others:
        example = f", such as {variable}_{dataset[others[0]].values[0]:g}" if others[0] == "level" and others[0] in dataset.coords else ""
        raise ValueError(
            f"expected {variable!r} over time, latitude and longitude, got also "
            f"{' and '.join(f'{dim} ({array.sizes[dim]})' for dim in others)} in {file!r}; choose one {others[0]}{example}"
        )
    return array


def pressure_levels(array: xr.DataArray) -> np.ndarray:
    """Return the values of the level axis, (level,) float64, in hPa where they are pressures."""
    levels = array["level"].values.astype(np.float64)
    if standard_unit(array["level"].attrs.get("units")) == "Pa" or levels.min() > 2000:  # no level of the weather lies below 2000 hPa
        levels = levels / 100
    return levels


def _select_level(array: xr.DataArray, level: float | None, file: str) -> xr.DataArray:
    if level is None:
        return array
    if "level" not in array.dims:
        raise ValueError(
            f"expected levels for {array.name!r} in {file!r}, got axes {', '.join(map(str, array.dims))}; leave out the number"
        )
    levels = pressure_levels(array)
    position = np.flatnonzero(np.isclose(levels, level))
    if not len(position):
        raise ValueError(
            f"expected the level {level:g} hPa for {array.name!r} in {file!r}, got {', '.join(f'{x:g}' for x in levels)}; choose one of them"
        )
    return array.isel(level=int(position[0]), drop=True)


def standardise_axes(array: xr.DataArray, file: str) -> tuple[xr.DataArray, list[str]]:
    """Return the array from south to north, eastward from 0 to 360 degrees, each meridian and time once, and notes on what was done.

    Longitudes of a region across Greenwich go on above 360 degrees, so that they rise without a jump. The coordinate "time" has the
    attribute leap_days: does the calendar of the file have a 29 February?
    """
    notes = []
    latitude = _degrees(array, "latitude", 90, file)
    if np.any(np.diff(np.sort(latitude)) == 0):
        n_copy = len(latitude) - len(np.unique(latitude))
        raise ValueError(f"expected every latitude once in {file!r}, got {n_copy} twice; drop the copies")
    array = _reordered(array, "latitude", np.argsort(latitude))
    longitude = _degrees(array, "longitude", 361, file) % 360.0
    eastward, first = np.unique(longitude.round(6), return_index=True)
    if len(eastward) < len(longitude):
        notes.append("a meridian that is in the file twice (0 and 360 degrees) is used once")
    gaps = np.diff(np.append(eastward, eastward[0] + 360))
    start = (int(np.argmax(gaps)) + 1) % len(eastward) if gaps.max() > 1.5 * np.median(gaps) else 0
    eastward = np.roll(eastward, -start)
    eastward = np.where(eastward < eastward[0], eastward + 360, eastward)
    array = _reordered(array, "longitude", np.roll(first, -start))
    time, leap_days = standard_times(array["time"].values, file)
    if np.isnat(time).any():
        raise ValueError(f"expected a date for every time of {file!r}, got {int(np.isnat(time).sum())} without one; drop these")
    unique_time, position = np.unique(time, return_index=True)
    if len(unique_time) < len(time):
        notes.append(f"{len(time) - len(unique_time)} times occur more than once in the file; the first of each is used")
    elif np.any(np.diff(position) < 0):
        notes.append("the times were not in order and have been sorted")
    if not leap_days:
        notes.append("the calendar of the file has no 29 February: init times whose target lies beyond one are left out")
    array = _reordered(array, "time", position)
    coordinates = {"time": pd.DatetimeIndex(unique_time), "latitude": np.sort(latitude), "longitude": eastward}
    array = array.assign_coords(coordinates)
    array["time"].attrs["leap_days"] = leap_days
    return array, notes


def _reordered(array: xr.DataArray, axis: str, position: np.ndarray) -> xr.DataArray:
    """Return array.isel, with a slice where the positions are one: HDF5 is a hundred times slower on lists."""
    step = int(position[1] - position[0]) if len(position) > 1 else 1
    if abs(step) == 1 and np.all(np.diff(position) == step):
        stop = int(position[-1]) + step
        return array.isel({axis: slice(int(position[0]), stop if stop >= 0 else None, step)})
    return array.isel({axis: position})


def _degrees(array: xr.DataArray, axis: str, most: float, file: str) -> np.ndarray:
    """Return the values of this axis as float64; ValueError where they are not degrees."""
    if axis not in array.coords:
        raise ValueError(f"expected the {axis}s of {file!r} in degrees, the axis has no values; write them into the file")
    values = array[axis].values.astype(np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or np.abs(values).max() > most:
        came = f"{len(values)} value(s) from {np.nanmin(values):g} to {np.nanmax(values):g}"
        raise ValueError(f"expected at least 2 {axis}s within {most:g} degrees in {file!r}, got {came}; bring a grid in degrees")
    return values
