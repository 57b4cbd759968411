"""Puts a variable of a gridded file on standard axes: (time, latitude, longitude), south to north, eastward, times in order."""

from __future__ import annotations

import operator

import numpy as np
import xarray as xr

from stochattn_core.readers.door.calendars import TimeAxis, time_axis
from stochattn_core.readers.door.places import degrees

KnownTimes = list[tuple[np.ndarray, tuple[TimeAxis, np.ndarray]]]  # times of a file, and what time_axis made of them


def standardise_axes(array: xr.DataArray, file: str, known: KnownTimes | None = None) -> tuple[xr.DataArray, TimeAxis, list[str]]:
    """Return the array from south to north, eastward from 0 to 360 degrees, each meridian and time once, its times, and notes.

    known: times of the same file that were read before; new ones are added, so that variables with the same times share the work.
    Longitudes of a region across Greenwich go on above 360 degrees, so that they rise without a jump. The coordinate "time" holds the labels
    of the time axis.
    """
    latitude, notes = degrees(array, "latitude", file)
    if np.any(np.diff(np.sort(latitude)) == 0):
        n_copy = len(latitude) - len(np.unique(latitude))
        raise ValueError(f"expected every latitude once in {file!r}, got {n_copy} twice; drop the copies")
    array = _reordered(array, "latitude", np.argsort(latitude))
    longitude, more = degrees(array, "longitude", file)
    notes += more
    longitude = longitude % 360.0
    eastward, first = np.unique(longitude.round(6) % 360.0, return_index=True)
    if len(eastward) < len(longitude):
        notes.append("a meridian that is in the file twice (0 and 360 degrees) is used once")
    gaps = np.diff(np.append(eastward, eastward[0] + 360))
    start = (int(np.argmax(gaps)) + 1) % len(eastward) if gaps.max() > 1.5 * np.median(gaps) else 0
    eastward = np.roll(eastward, -start)
    eastward = np.where(eastward < eastward[0], eastward + 360, eastward)
    array = _reordered(array, "longitude", np.roll(first, -start))
    if "time" not in array.coords:
        raise ValueError(
            f"expected dates on the time axis of {file!r}, the axis has no values; write dates, or numbers with units such as 'hours since 2000-01-01'"
        )
    times, position = _times(array["time"], file, [] if known is None else known)
    array = _reordered(array, "time", position)
    array = array.assign_coords({"time": times.label, "latitude": np.sort(latitude), "longitude": eastward})
    return array, times, [*notes, *times.notes]


def _times(time: xr.DataArray, file: str, known: KnownTimes) -> tuple[TimeAxis, np.ndarray]:
    values = time.values
    for others, axis in known:
        if values.dtype == others.dtype == object and len(values) == len(others) and all(map(operator.is_, values, others)):
            return axis
    known.append((values, time_axis(values, file, time.attrs)))
    return known[-1][1]


def _reordered(array: xr.DataArray, axis: str, position: np.ndarray) -> xr.DataArray:
    """Return array.isel, with a slice where the positions are one: HDF5 is a hundred times slower on lists."""
    step = int(position[1] - position[0]) if len(position) > 1 else 1
    if abs(step) == 1 and np.all(np.diff(position) == step):
        stop = int(position[-1]) + step
        return array.isel({axis: slice(int(position[0]), stop if stop >= 0 else None, step)})
    return array.isel({axis: position})
