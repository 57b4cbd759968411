"""Puts latitudes and longitudes on axes of their own, in degrees.

Files give them in three further ways: in one dimension, on an axis with another name (lat over y); in two dimensions, although the grid is
regular; and in radians.
"""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from stochattn_core.readers.door.axes import AXIS_NAMES

RADIANS = re.compile(r"rad(ian)?s?", re.IGNORECASE)
TOLERANCE = 1e-4  # degrees: numbers in single precision stray by less
MOST = {"latitude": 90.0, "longitude": 540.0}  # degrees: longitudes may go on beyond a circle, as from 350 to 370 or from -280 to 80
SPAN = {"latitude": 180.0, "longitude": 361.0}  # from the least to the greatest; a grid around the globe may give 0 and 360


def with_coordinates(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Return one variable with its coordinates, also those that the file keeps as variables: latitude, longitude and dates along its axes."""
    dims = set(dataset[name].dims)
    others = [
        other
        for other, array in dataset.data_vars.items()
        if other != name and array.ndim and set(array.dims) < dims and is_coordinate(array)
    ]
    return dataset[[name, *others]].set_coords(others)


def is_coordinate(array: xr.DataArray) -> bool:
    """Is this variable a latitude, a longitude or dates, by its standard name, units, name or type?"""
    name, standard_name, units = (str(text).lower() for text in (array.name, array.attrs.get("standard_name"), array.attrs.get("units")))
    if standard_name in ("latitude", "longitude", "time"):
        return True
    is_place = name in (*AXIS_NAMES["latitude"], *AXIS_NAMES["longitude"]) or re.fullmatch(r"degrees?_?(north|east|n|e)", units) is not None
    is_time = array.ndim == 1 and (array.dtype.kind == "M" or name in AXIS_NAMES["time"])
    return (is_place and array.dtype.kind in "iuf") or is_time


def places_on_axes(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with latitude and longitude as axes, where its coordinates of these names make a regular grid, and notes.

    dataset: its axes have the names of this project already (see axes.rename_axes). A grid that is not regular stays as it is.
    """
    latitude, longitude = _coordinate(dataset, "latitude"), _coordinate(dataset, "longitude")
    if latitude is None or longitude is None or not latitude.size or not longitude.size:
        return dataset, []
    if latitude.ndim == longitude.ndim == 2:
        return _separated(dataset, latitude, longitude)
    if latitude.dims == longitude.dims:
        return dataset, []  # points without an order, see grid_kinds
    for axis, coordinate in (("latitude", latitude), ("longitude", longitude)):
        if coordinate.ndim == 1 and coordinate.dims != (axis,):
            dataset = _on_axis(dataset, axis, str(coordinate.dims[0]), coordinate.values, coordinate.attrs)
    return dataset, []


def degrees(array: xr.DataArray, axis: str, file: str) -> tuple[np.ndarray, list[str]]:
    """Return the values of latitude or longitude in degrees, float64, and a note where they were radians; ValueError where they are neither."""
    if axis not in array.coords:
        raise ValueError(f"expected the {axis}s of {file!r} in degrees, the axis has no values; write them into the file")
    coordinate, notes = array[axis], list[str]()
    if coordinate.dtype.kind not in "iuf":
        raise ValueError(f"expected the {axis}s of {file!r} in degrees, got values of type {coordinate.dtype}; write numbers into the file")
    values = coordinate.values.astype(np.float64)
    if RADIANS.fullmatch(str(coordinate.attrs.get("units", "")).strip()) and np.abs(values).max(initial=0) <= 2 * np.pi + TOLERANCE:
        values = np.rad2deg(values).round(4 if coordinate.dtype == np.float32 else 9)
        notes.append(f"the units of {axis} are {coordinate.attrs['units']!r}: its values are converted to degrees")
    elif _span_the_globe_in_radians(array):
        values = np.rad2deg(values).round(4 if coordinate.dtype == np.float32 else 9)
        notes.append(
            f"{axis} has no units, and the longitudes go once around in 2 pi: its values are taken as radians and converted to degrees"
        )
    most = MOST[axis]
    values = np.where((np.abs(values) > most) & (np.abs(values) <= most + TOLERANCE), np.sign(values) * most, values)
    if len(values) < 2 or not np.isfinite(values).all() or np.abs(values).max() > most or np.ptp(values) > SPAN[axis]:
        known = values[np.isfinite(values)]
        came = f"{len(values)} value(s)" + (f" from {known.min():g} to {known.max():g}" if len(known) else "")
        within = f"{most:g} degrees" if axis == "latitude" else "360 degrees of one another"
        raise ValueError(f"expected at least 2 {axis}s within {within} in {file!r}, got {came}; bring a grid in degrees")
    return values, notes


def _span_the_globe_in_radians(array: xr.DataArray) -> bool:
    """Do places without units go once around the globe in radians? A region of 6 by 3 degrees at the equator has another step."""
    latitude, longitude = (array.coords.get(axis) for axis in ("latitude", "longitude"))
    if any(each is None or each.dtype.kind not in "iuf" or each.size < 2 or each.attrs.get("units") for each in (latitude, longitude)):
        return False
    assert latitude is not None and longitude is not None
    step = float(np.median(np.abs(np.diff(longitude.values))))
    around = step * longitude.size
    within = float(np.abs(latitude.values).max()) <= np.pi / 2 + TOLERANCE and float(np.ptp(latitude.values)) > 1
    return within and min(abs(around - 2 * np.pi), abs(around - step - 2 * np.pi)) < 1e-3


def _coordinate(dataset: xr.Dataset, axis: str) -> xr.DataArray | None:
    """Return the coordinate with this name, or with another of its names where the axis itself has no values."""
    if axis in dataset.coords:
        return dataset[axis]
    standard = {name: str(dataset[name].attrs.get("standard_name", "")) for name in dataset.coords}
    others = [name for name in dataset.coords if standard[name] == axis or (not standard[name] and str(name).lower() in AXIS_NAMES[axis])]
    return dataset[others[0]] if others else None


def _separated(dataset: xr.Dataset, latitude: xr.DataArray, longitude: xr.DataArray) -> tuple[xr.Dataset, list[str]]:
    """Return a regular grid of two-dimensional coordinates on one axis each; a grid with other coordinates stays as it is."""
    if set(latitude.dims) != set(longitude.dims) or latitude.dtype.kind != "f" or longitude.dtype.kind != "f":
        return dataset, []
    for rows, columns in (latitude.dims, latitude.dims[::-1]):
        north = latitude.transpose(rows, columns).values.astype(np.float64)
        east = longitude.transpose(rows, columns).values.astype(np.float64)
        if _is_one(north) and _is_one(east.T) and _rises(north[:, 0]) and _rises((east[0] - east[0, 0]) % 360):
            names = [str(name) for name in dataset.coords if dataset[name].ndim == 2]
            dataset = dataset.drop_vars(names)
            dataset = _on_axis(dataset, "latitude", str(rows), north[:, 0], latitude.attrs)
            dataset = _on_axis(dataset, "longitude", str(columns), east[0], longitude.attrs)
            return dataset, [
                "latitude and longitude have two dimensions in the file, but the grid is regular: one row and one column give them"
            ]
    return dataset, []


def _on_axis(dataset: xr.Dataset, axis: str, dim: str, values: np.ndarray, attributes: dict[str, object]) -> xr.Dataset:
    if axis in dataset.coords and axis != dim:
        dataset = dataset.drop_vars(axis)
    dataset = dataset.drop_vars(dim, errors="ignore")
    return dataset.rename({dim: axis} if axis != dim else {}).assign_coords({axis: (axis, values, attributes)})


def _is_one(rows: np.ndarray) -> bool:
    """Does every row hold one number?"""
    return bool(np.isfinite(rows).all() and np.ptp(rows, axis=1).max() <= TOLERANCE)


def _rises(values: np.ndarray) -> bool:
    return len(values) > 1 and bool(np.all(np.diff(values) > 0) or np.all(np.diff(values) < 0))
