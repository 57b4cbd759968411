"""Where in the target each element of the forecast lies, axis by axis: by coordinate, so that either file may have its own order."""

from __future__ import annotations

import numpy as np
import xarray as xr

from stochattn_core.readers.door.units import CONVERSIONS, convert, standard_unit
from stochattn_core.readers.ensemble.times import lead_durations, unit_of_lead

ROUNDING = 1e-4  # of a degree or of a level: float32 holds 360 to 3e-5


def steady_order(forecast: xr.DataArray, axis: str) -> np.ndarray:
    """Return positions that put latitudes in a steady order: as they are where they rise or fall already."""
    values = forecast[axis].values
    step = np.diff(values)
    return np.arange(len(values)) if np.all(step > 0) or np.all(step < 0) else np.argsort(values)


def unique_meridians(forecast: xr.DataArray) -> np.ndarray:
    """Return the positions of the longitudes, each meridian once: a globe may hold 0 and 360 degrees."""
    _, first = np.unique((forecast["longitude"].values % 360).round(4) % 360, return_index=True)
    return np.sort(first)


def places_of(forecast: xr.DataArray, target: xr.DataArray, axis: str, files: tuple[str, str]) -> np.ndarray:
    """Return the position in the target of each element of the forecast along one axis, (n,) int.

    Both have the axis. Latitudes, longitudes (around the globe), levels (in any unit of pressure) and other numbers are matched to 1e-4;
    labels must be equal; axes without coordinates on either side are matched in order. ValueError where an element has no counterpart.
    """
    n, n_target = forecast.sizes[axis], target.sizes[axis]
    if axis not in forecast.coords or axis not in target.coords:
        if n != n_target:
            raise ValueError(
                f"expected as many {axis} in forecast and target, got {n} in {files[0]!r} and {n_target} in {files[1]!r}; align the two"
            )
        return np.arange(n)
    if axis == "lead_time" and not _are_plain_leads(forecast[axis], target[axis]):
        wanted, there = (lead_durations(array[axis], file) for array, file in zip((forecast, target), files, strict=True))
    else:
        wanted, there = _comparable(forecast[axis], target[axis])
    if n == n_target and np.array_equal(wanted, there):
        return np.arange(n)
    if len(set(there.tolist())) < n_target:
        raise ValueError(f"expected every {axis} once in {files[1]!r}, got some twice; drop the copies")
    if wanted.dtype.kind == "f" and there.dtype.kind == "f":
        if axis == "longitude":
            wanted, there = wanted % 360, there % 360
        place, distance = _nearest(wanted, there, 360.0 if axis == "longitude" else 0.0)
        known = distance <= ROUNDING * np.maximum(1, np.abs(wanted) / 360)
    else:
        positions = {label: number for number, label in reversed(list(enumerate(there.tolist())))}
        place = np.array([positions.get(label, -1) for label in wanted.tolist()], dtype=np.int64)
        known = place >= 0
    if not known.all():
        raise ValueError(
            f"expected the {axis} of the forecast among those of the target, got {_range(forecast[axis])} in {files[0]!r} and "
            f"{_range(target[axis])} in {files[1]!r}; put both on the same grid"
        )
    return place


def _are_plain_leads(first: xr.DataArray, second: xr.DataArray) -> bool:
    """Are both lead times numbers of one unit, so that they can be compared whatever the unit is, a month for instance?"""
    return first.dtype.kind in "iuf" and second.dtype.kind in "iuf" and unit_of_lead(first) == unit_of_lead(second)


def take(array: xr.DataArray, axis: str, positions: np.ndarray) -> xr.DataArray:
    """Return array.isel, with a slice where the positions are one, because HDF5 is slow on lists; lazy where the array is."""
    if len(positions) == array.sizes[axis] and np.array_equal(positions, np.arange(len(positions))):
        return array
    step = int(positions[1] - positions[0]) if len(positions) > 1 else 1
    if step != 0 and np.all(np.diff(positions) == step):
        stop = int(positions[-1]) + (1 if step > 0 else -1)
        return array.isel({axis: slice(int(positions[0]), stop if stop >= 0 else None, step)})
    return array.isel({axis: positions})


def _comparable(first: xr.DataArray, second: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return two coordinates as numbers of one unit where both are numbers, as labels otherwise."""
    if first.dtype.kind not in "iuf" or second.dtype.kind not in "iuf":
        return first.values, second.values
    units = [standard_unit(each.attrs.get("units")) for each in (first, second)]
    wanted, there = first.values.astype(np.float64), second.values.astype(np.float64)
    if all(CONVERSIONS.get(unit, ("",))[0] == "pressure" for unit in units):
        there = convert(there, units[1], units[0])
    return wanted, there.astype(np.float64)


def _nearest(wanted: np.ndarray, there: np.ndarray, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of the nearest value and the distance to it, around a circle where there is a period."""
    order = np.argsort(there, kind="stable")
    values = there[order]
    if period:
        values = np.concatenate([values[-1:] - period, values, values[:1] + period])
        order = np.concatenate([order[-1:], order, order[:1]])
    right = np.searchsorted(values, wanted).clip(0, len(values) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(np.abs(values[left] - wanted) <= np.abs(values[right] - wanted), left, right)
    return order[nearest], np.abs(values[nearest] - wanted)


def _range(coordinate: xr.DataArray) -> str:
    """Return length, first and last of a coordinate, in words."""
    first, last = (
        f"{value:g}" if isinstance(value, np.floating) else str(value) for value in (coordinate.values[0], coordinate.values[-1])
    )
    return f"{coordinate.size} from {first} to {last}"
