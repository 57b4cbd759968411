"""Puts a file of forecasts or of targets on the axes of this project: one name for each axis, degrees, axes of length 1 left out."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from stochattn_core.readers.door.axes import AXIS_NAMES, FORECAST_AXIS_NAMES, rename_axes
from stochattn_core.readers.door.units import convert, standard_unit

VALID_TIME = ("valid_time", "validtime", "valid", "verification_time", "forecast_valid_time", "verif_time")
PLACES = ("latitude", "longitude")
NAMES = {**FORECAST_AXIS_NAMES, "level": AXIS_NAMES["level"]}
ALL_NAMES = {other for others in NAMES.values() for other in others} | set(VALID_TIME)
ROTATED = ("grid_latitude", "grid_longitude")  # standard names of degrees on a rotated globe
LIMIT = {"latitude": 90.0, "longitude": 361.0}
# The order of the axes after member; a name that is not here comes before level.
ORDER = ("lead_time", "level", "latitude", "longitude")


def standard_dataset(dataset: xr.Dataset, member: str | None, file: str) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with the names of this project for its axes, latitudes and longitudes in degrees, and notes.

    member: the dimension of the members, where the user names it. No values of a variable are read, only coordinates.
    ValueError where there is no such dimension, and where degrees are out of range.
    """
    notes: list[str] = []
    if member is not None:
        dataset = _with_member(dataset, member, file)
    dataset = _with_one_dimension(_with_coordinates(dataset))
    dataset = _with_index_of_dimension(dataset)
    dataset = _with_valid_time(dataset)
    dataset = rename_axes(dataset, NAMES, dimensions_only=True)
    dataset = rename_axes(dataset, NAMES)
    in_radians = _spans_globe_in_radians(dataset)
    for axis in PLACES:
        dataset, axis_notes = _in_degrees(dataset, axis, in_radians, file)
        notes += axis_notes
    return dataset, notes


def _with_member(dataset: xr.Dataset, member: str, file: str) -> xr.Dataset:
    if member not in dataset.dims:
        dims = ", ".join(map(str, dataset.dims)) or "none"
        raise ValueError(f"expected a dimension {member!r} for the members in {file!r}, its dimensions are {dims}; give one of them")
    if member == "member":
        return dataset
    if "member" in dataset.variables or "member" in dataset.dims:
        dataset = dataset.rename({"member": "other_member"})
    return dataset.rename({member: "member"})


def _with_coordinates(dataset: xr.Dataset) -> xr.Dataset:
    """Take variables that are called as an axis is, such as nav_lat(y), for coordinates, as they are where the file says so."""
    names = {other for axis in (*PLACES, "lead_time", "init_time") for other in NAMES[axis]} | set(VALID_TIME)
    found = [
        name for name, array in dataset.data_vars.items() if str(name).lower() in names and array.ndim <= 2 and array.dtype.kind in "iufmMO"
    ]
    others = [name for name in dataset.data_vars if name not in found]
    return dataset.set_coords(found) if others else dataset


def _with_one_dimension(dataset: xr.Dataset) -> xr.Dataset:
    """Replace a latitude or longitude over two dimensions by one over one of them where it is the same along the other, as on a regular grid."""
    for axis in PLACES:
        for name in [str(name) for name, coordinate in dataset.coords.items() if coordinate.ndim == 2]:
            if not _is_axis(dataset, name, axis) or dataset[name].dtype.kind != "f" or 1 in dataset[name].shape:
                continue
            values = dataset[name].values
            for along, dim in enumerate(dataset[name].dims):
                first = values.take([0], axis=1 - along)
                if np.allclose(values, first, rtol=0, atol=1e-4):
                    dataset = dataset.assign_coords({name: (dim, first.reshape(-1), dataset[name].attrs)})
                    break
    return dataset


def _with_index_of_dimension(dataset: xr.Dataset) -> xr.Dataset:
    """Name a dimension without values of its own after its coordinate: lat(y) makes the dimension y one of latitudes, time(case) one of times."""
    for dim in list(map(str, dataset.dims)):
        if dim.lower() in ("y", "x") and _is_angle(dataset, dim):
            axis = "latitude" if dim.lower() == "y" else "longitude"
            dataset = dataset if axis in dataset.variables else dataset.rename({dim: axis})
            continue
        if dim in dataset.coords and (dim.lower() in ALL_NAMES or _is_time(dataset[dim])):
            continue
        along = [str(name) for name, coordinate in dataset.coords.items() if coordinate.dims == (dim,)]
        lats, lons = ([name for name in along if _is_axis(dataset, name, axis)] for axis in PLACES)
        times = [name for name in along if _is_time(dataset[name])]
        if bool(lats) != bool(lons):  # a list of stations has both on one dimension, which is then no axis of either
            dataset = dataset.swap_dims({dim: (lats or lons)[0]})
        elif times and not lats:
            by_name = [name for name in times if name.lower() in NAMES["init_time"]]
            dataset = dataset.swap_dims({dim: (by_name or times)[0]})
    return dataset


def _is_angle(dataset: xr.Dataset, name: str) -> bool:
    """Are the values of this dimension degrees or radians on the Earth, by their units?"""
    if name not in dataset.coords or dataset[name].attrs.get("standard_name") in ROTATED:
        return False
    return standard_unit(dataset[name].attrs.get("units")) in ("degree", "radian")


def _is_axis(dataset: xr.Dataset, name: str, axis: str) -> bool:
    pattern = {"latitude": r"degrees?_?(north|n)", "longitude": r"degrees?_?(east|e)"}[axis]
    attrs = dataset[name].attrs
    if str(attrs.get("standard_name", "")) in ROTATED:
        return False
    return (
        name.lower() in NAMES[axis]
        or attrs.get("standard_name") == axis
        or re.fullmatch(pattern, str(attrs.get("units", "")), re.IGNORECASE) is not None
    )


def _is_time(array: xr.DataArray) -> bool:
    """Is this a coordinate of dates, of any calendar?"""
    return array.dtype.kind == "M" or (array.dtype.kind == "O" and array.size > 0 and hasattr(array.values.flat[0], "calendar"))


def _with_valid_time(dataset: xr.Dataset) -> xr.Dataset:
    """Name the valid time: by its name, or a `time` beside a forecast reference time (the CF convention), or over two dimensions."""
    if "valid_time" in dataset.variables or "valid_time" in dataset.dims:
        return dataset
    named = [name for name in (*dataset.dims, *dataset.coords) if str(name).lower() in VALID_TIME]
    if named:
        return dataset.rename({named[0]: "valid_time"})
    time = next((name for name in dataset.coords if str(name).lower() == "time"), None)
    if time is None or not _is_time(dataset[time]) or dataset[time].attrs.get("standard_name") == "forecast_reference_time":
        return dataset
    inits = [
        name
        for name, coordinate in dataset.coords.items()
        if name != time and (str(name).lower() in NAMES["init_time"] or coordinate.attrs.get("standard_name") == "forecast_reference_time")
    ]
    beside = any(set(dataset[name].dims) <= set(dataset[time].dims) for name in inits)
    return dataset.rename({time: "valid_time"}) if beside or dataset[time].ndim == 2 else dataset


def _in_degrees(dataset: xr.Dataset, axis: str, in_radians: bool, file: str) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with this axis in degrees. in_radians: do its values, where they have no units, look like radians?"""
    if axis not in dataset.coords or dataset[axis].ndim != 1 or dataset[axis].dims != (axis,):
        return dataset, []
    coordinate, notes = dataset[axis], list[str]()
    if coordinate.dtype.kind not in "iuf" or not np.isfinite(coordinate.values).all():
        came = (
            f"{int((~np.isfinite(coordinate.values)).sum())} missing"
            if coordinate.dtype.kind in "iuf"
            else f"values of type {coordinate.dtype}"
        )
        raise ValueError(f"expected the {axis}s of {file!r} as numbers, got {came}; write them in degrees, or drop the axis values")
    values, units = coordinate.values.astype(np.float64), standard_unit(coordinate.attrs.get("units"))
    if units == "radian":
        values = convert(values, "radian", "degree")
        notes.append(f"the {axis}s of {file!r} are in radians and have been turned into degrees")
    elif not units and in_radians:
        values = convert(values, "radian", "degree")
        notes.append(
            f"the {axis}s of {file!r} have no units and end at {coordinate.values.max():.4g}: they are taken as radians; "
            "write the units degrees_north or degrees_east into the file if they are degrees"
        )
    if np.abs(values).max(initial=0) > LIMIT[axis] + 1e-3:
        raise ValueError(
            f"expected {axis}s within {LIMIT[axis]:g} degrees in {file!r}, got {values.min():g} to {values.max():g}; "
            "write them in degrees, or name the axis otherwise"
        )
    if axis == "latitude":
        values = values.clip(-90, 90)
        if len(np.unique(values.round(6))) < len(values):
            raise ValueError(f"expected every latitude once in {file!r}, got some twice; drop the copies")
    return dataset.assign_coords({axis: (axis, values, coordinate.attrs)}), notes


def _spans_globe_in_radians(dataset: xr.Dataset) -> bool:
    """Do latitudes and longitudes cover most of a globe if they are taken as radians, 150 degrees by 300 at least?"""
    for axis in PLACES:
        if axis not in dataset.coords or dataset[axis].ndim != 1 or dataset[axis].size < 3 or dataset[axis].dtype.kind not in "iuf":
            return False
    latitude, longitude = (np.asarray(dataset[axis].values, dtype=np.float64) for axis in PLACES)
    return bool(np.abs(latitude).max() < 1.571 and np.ptp(latitude) > 2.6 and 5.2 < np.ptp(longitude) < 6.3)
