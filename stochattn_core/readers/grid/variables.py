"""Finds one variable in a gridded file and puts its axes under the names of this project: (time, latitude, longitude), in any order.

A further axis (pressure level, depth, member) is chosen by its value behind the name: geopotential_500, tas_3, ta_850_1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from stochattn_core.readers.door.axes import rename_axes
from stochattn_core.readers.door.places import places_on_axes, with_coordinates
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.grid.kinds import refuse_axes

AXES = ("time", "latitude", "longitude")
VERSION = "expver"  # the axis of ERA5 (1) and its preliminary version (5) in older files of the Climate Data Store


@dataclass(frozen=True)
class Choice:
    """An axis beside time, latitude and longitude, of which one value is chosen.

    values: in the order of the file: pressures in hPa, members by number, text, positions where the axis has no values.
    """

    axis: str
    values: tuple[float | str, ...]
    units: str = ""


def value_text(value: float | str) -> str:
    """Return a value of an axis as it stands behind the name of a variable."""
    return value if isinstance(value, str) else f"{value:g}"


def select_variable(dataset: xr.Dataset, variable: str, file: str) -> tuple[xr.DataArray, list[str]]:
    """Return the variable over time, latitude and longitude, in any order and without its values yet, and notes on what was recognised.

    variable: a name in the file, or a name and values of its further axes: "geopotential_500" is the level 500 hPa of "geopotential".
    An axis of experiment versions stays (see grid_values). ValueError where there is no such variable, or where it has other axes.
    """
    name, chosen = _name_and_values(dataset, variable)
    if not name:
        names = ", ".join(sorted(str(name) for name in dataset.data_vars)) or "none"
        raise ValueError(f"expected a variable {variable!r} in {file!r}, its variables are {names[:200]}; choose one of them")
    array, notes = recognised(dataset, name, file)
    choices = choices_of(array)
    if len(chosen) > len(choices):
        came = ", ".join(map(str, array.dims))
        raise ValueError(f"expected levels for {name!r} in {file!r}, got axes {came}; leave out the number")
    for choice, value in zip(choices, chosen, strict=False):
        array = array.isel({choice.axis: _position(choice, value, name, file)}, drop=True)
    others = choices[len(chosen) :]
    if others:
        came = " and ".join(f"{choice.axis} ({len(choice.values)})" for choice in others)
        example = "_".join([name, *chosen, *(value_text(choice.values[0]) for choice in others)])
        raise ValueError(
            f"expected {variable!r} over time, latitude and longitude, got also {came} in {file!r}; choose one {others[0].axis}, such as {example}"
        )
    return array, notes


def recognised(dataset: xr.Dataset, name: str, file: str) -> tuple[xr.DataArray, list[str]]:
    """Return the variable with its axes under the names of this project, those of length 1 left out, and notes.

    ValueError where it holds no numbers, or where one of time, latitude and longitude is not among its axes.
    """
    alone, notes = places_on_axes(_dates_on_axis(rename_axes(with_coordinates(dataset, name))))
    array = alone[name]
    if array.dtype.kind not in "iuf":
        raise ValueError(f"expected numbers in {name!r} of {file!r}, got values of type {array.dtype}; choose another variable")
    empty = [str(dim) for dim in array.dims if array.sizes[dim] == 0]
    if empty:
        raise ValueError(f"expected values of {name!r} in {file!r}, got an axis {empty[0]!r} of length 0; bring a file that has some")
    time_axes = [str(dim) for dim in array.dims if (dim in alone.coords and _holds_dates(alone[dim])) or str(dim) == "lead_time"]
    if len(time_axes) == 2 and "lead_time" in time_axes and min(array.sizes[axis] for axis in time_axes) == 1:
        array, time_axes = _of_one_forecast(array, time_axes, name, file)
    if len(time_axes) > 1:
        raise ValueError(
            f"expected one time axis for {name!r} in {file!r}, got two: {' and '.join(time_axes)}; bring analyses, or one lead time of the "
            f"forecasts"
        )
    if time_axes and time_axes[0] not in ("time", "lead_time") and "time" not in array.dims:
        array = array.drop_vars("time", errors="ignore").rename({time_axes[0]: "time"})
    valid = array.coords.get("valid_time")
    if valid is not None and valid.dims == ("time",) and _holds_dates(valid) and not np.array_equal(valid.values, array["time"].values):
        array = array.assign_coords(time=("time", valid.values))
        notes.append("the fields are forecasts, so their times are those of 'valid_time', for which they hold")
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and dim not in AXES], drop=True)
    refuse_axes(alone, array, file)
    if VERSION in array.dims:
        notes.append(
            f"the axis {VERSION} (ERA5 and its preliminary version) is merged: at each time the first version with a value is used"
        )
    return array, notes


def choices_of(array: xr.DataArray) -> list[Choice]:
    """Return the axes of which one value must be chosen, in the order of the file."""
    choices = []
    for dim in map(str, array.dims):
        if dim in AXES or dim == VERSION:
            continue
        if dim not in array.coords:
            values, units = np.arange(array.sizes[dim]), ""
        else:
            values, units = array[dim].values, standard_unit(array[dim].attrs.get("units"))
        if dim == "level" and values.dtype.kind in "iuf":
            values, units = pressure_levels(array), "hPa" if units in ("", "Pa", "hPa") else units
        choices.append(Choice(dim, tuple(values.tolist() if values.dtype.kind in "iuf" else map(str, values)), units))
    return choices


def pressure_levels(array: xr.DataArray) -> np.ndarray:
    """Return the values of the level axis, (level,) float64, in hPa where they are pressures."""
    levels = array["level"].values.astype(np.float64)
    if standard_unit(array["level"].attrs.get("units")) == "Pa" or levels.min(initial=np.inf) > 2000:  # weather has no level below 2000 hPa
        levels = levels / 100
    return levels


def _name_and_values(dataset: xr.Dataset, variable: str) -> tuple[str, list[str]]:
    """Split "ta_850_1" into a name of the file, the longest that fits, and the values behind it; "" where no name fits."""
    parts = variable.split("_")
    for n in range(len(parts), 0, -1):
        name = "_".join(parts[:n])
        if name in dataset.data_vars:
            return name, parts[n:]
    return "", []


def _position(choice: Choice, value: str, name: str, file: str) -> int:
    """Return where this value stands on its axis, as text or as a number."""
    for position, known in enumerate(choice.values):
        if value == known or _is_close(value, known):
            return position
    shown = ", ".join(map(value_text, choice.values[:20])) + (", ..." if len(choice.values) > 20 else "")
    raise ValueError(
        f"expected the {choice.axis} {value} {choice.units}".rstrip() + f" for {name!r} in {file!r}, got {shown}; choose one of them"
    )


def _is_close(value: str, known: float | str) -> bool:
    try:
        return bool(np.isclose(float(value), float(known)))
    except ValueError:
        return False


def _holds_dates(coordinate: xr.DataArray) -> bool:
    return coordinate.dtype.kind == "M" or (
        coordinate.dtype == object and coordinate.size > 0 and hasattr(coordinate.values.flat[0], "calendar")
    )


def _dates_on_axis(alone: xr.Dataset) -> xr.Dataset:
    """Return the dataset with its dates on an axis called time, where the file gives them along an axis without values."""
    if "time" in alone.coords and alone["time"].dims == ("time",):
        return alone
    for name, dates in alone.coords.items():
        if dates.ndim == 1 and _holds_dates(dates) and dates.dims[0] not in alone.coords:
            (dim,) = dates.dims
            values, attributes = dates.values, dates.attrs
            alone = alone.drop_vars([name, "time"], errors="ignore")
            return alone.rename({dim: "time"} if dim != "time" else {}).assign_coords(time=("time", values, attributes))
    numbers = [dim for dim in alone.dims if dim in alone.coords and " since " in str(alone[dim].attrs.get("units", ""))]
    return alone.rename({numbers[0]: "time"}) if numbers and "time" not in alone.dims else alone  # units that could not be decoded


def _of_one_forecast(array: xr.DataArray, time_axes: list[str], name: str, file: str) -> tuple[xr.DataArray, list[str]]:
    """Return forecasts of one lead time over their valid times, or one forecast over its valid times."""
    start = next(axis for axis in time_axes if axis != "lead_time")
    many = max(time_axes, key=lambda axis: array.sizes[axis])
    lead = array.coords.get("lead_time")
    if lead is None or lead.dtype.kind != "m" or not _holds_dates(array[start]):
        raise ValueError(
            f"expected one time axis for {name!r} in {file!r}, got two: {' and '.join(time_axes)}; bring analyses, or one lead time of the forecasts"
        )
    one = "lead_time" if many == start else start
    delta = lead.values.astype("timedelta64[us]").astype(object)
    starts = array[start].values
    valid = (
        np.array([date + d for date in starts.tolist() for d in delta], dtype=object)
        if starts.dtype == object
        else (starts[:, None] + lead.values).ravel()
    )
    array = array.isel({one: 0}, drop=True).drop_vars([many, "time"], errors="ignore").rename({many: "time"})
    return array.assign_coords(time=("time", valid)), ["time"]
