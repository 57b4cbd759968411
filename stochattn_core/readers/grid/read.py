"""Reads the fields of a gridded variable at some of its times, in stretches of bounded size."""

from __future__ import annotations

import numpy as np
import xarray as xr

from stochattn_core.datasets.base import Progress
from stochattn_core.readers.door.axes import AXIS_NAMES
from stochattn_core.readers.door.fill_values import INTEGER_FILLS
from stochattn_core.readers.grid.file import read_values
from stochattn_core.readers.grid.variables import AXES, VERSION

BLOCK_BYTES = 32 << 20  # read at a time
MAX_CHUNK = 1 << 30  # bytes of a chunk of the file, which is unpacked as a whole


def read_times(array: xr.DataArray, needed: np.ndarray, file_name: str, progress: Progress | None) -> tuple[np.ndarray, list[str]]:
    """Return the needed times, (time, latitude, longitude) float32, and notes. Whole stretches are read: files give them faster than single times.

    array: also with an axis of experiment versions, of which the first with a value is used.   needed: positions in time that rise.
    """
    _check_chunks(array, file_name)
    _check_packing(array, file_name)
    chunks = array.encoding.get("preferred_chunks", {})
    chunk = next((n for name, n in chunks.items() if str(name).lower() in AXIS_NAMES["time"]), 1)
    length = max(1, BLOCK_BYTES // max(1, array.nbytes // array.sizes["time"]) // chunk) * chunk
    limits, n_outside, n_value = valid_limits(array), 0, 0
    fills, n_fill = default_fills(array), 0
    first, n_filled = int(needed[0]) // length * length, 0
    fields = np.empty((len(needed), array.sizes["latitude"], array.sizes["longitude"]), dtype=np.float32)
    for start in range(first, int(needed[-1]) + 1, length):
        wanted = needed[(needed >= start) & (needed < start + length)] - start
        if len(wanted):
            stretch = read_values(array.isel(time=slice(start, min(start + length, array.sizes["time"]))), file_name)
            values = _first_version(stretch)[wanted]
            for fill, margin in fills:
                is_fill = np.abs(values.astype(np.float64) - fill) <= margin
                if is_fill.any():
                    n_fill, values = n_fill + int(is_fill.sum()), np.where(is_fill, np.nan, values)
            if limits is not None:
                outside = (values < limits[0]) | (values > limits[1])
                n_outside, n_value = n_outside + int(outside.sum()), n_value + int(np.isfinite(values).sum())
                values = np.where(outside, np.nan, values)
            fields[n_filled : n_filled + len(wanted)] = values
            n_filled += len(wanted)
        if progress is not None:
            progress(min(start + length, int(needed[-1]) + 1) - first, int(needed[-1]) + 1 - first, f"reading the times of {array.name}")
    notes = _note_on_limits(array, limits, n_outside, n_value, file_name)
    if n_fill:
        notes.append(f"{n_fill:,} values of {array.name!r} are the fill value that NetCDF gives to integers, and are taken as missing")
    return fields, notes


def default_fills(array: xr.DataArray) -> list[tuple[float, float]]:
    """Return the fill values that NetCDF itself writes into integers, in the units of the values, and how far rounding takes values from them.

    () where the file states a fill value: then xarray has already replaced it.
    """
    encoding = array.encoding
    stored = np.dtype(encoding.get("dtype", array.dtype))
    if stored.kind not in "iu" or any(key in encoding or key in array.attrs for key in ("_FillValue", "missing_value")):
        return []
    scale, offset = (float(np.ravel(encoding.get(key, default))[0]) for key, default in (("scale_factor", 1.0), ("add_offset", 0.0)))
    fills = [fill * scale + offset for fill in INTEGER_FILLS.get(stored.str[1:], ())]
    return [(fill, max(abs(scale) / 2, 1e-6 * abs(fill))) for fill in fills]


def valid_limits(array: xr.DataArray) -> tuple[float, float] | None:
    """Return the least and the greatest valid value that the file states, in the units of the values, or None where it states neither.

    The attributes of CF are in the type of the stored numbers: where these are packed integers, the limits are packed too.
    """
    attributes, encoding = array.attrs, array.encoding
    both = np.asarray(attributes.get("valid_range", (np.nan, np.nan))).ravel()
    low, high = attributes.get("valid_min", both[0]), attributes.get("valid_max", both[-1])
    try:
        low, high = (float(np.asarray(limit).ravel()[0]) for limit in (low, high))
    except (ValueError, TypeError, IndexError):  # text, or nothing
        return None
    if np.isnan(low) and np.isnan(high):
        return None
    scale, offset = (float(np.ravel(encoding.get(key, default))[0]) for key, default in (("scale_factor", 1.0), ("add_offset", 0.0)))
    is_packed = "scale_factor" in encoding or "add_offset" in encoding
    stored = np.dtype(encoding.get("dtype", array.dtype))
    limit_type = np.asarray(attributes.get("valid_range", attributes.get("valid_min", attributes.get("valid_max")))).dtype
    if is_packed and limit_type.kind in "iu" and stored.kind in "iu":
        low, high = sorted((low * scale + offset, high * scale + offset))
    low, high = -np.inf if np.isnan(low) else low, np.inf if np.isnan(high) else high
    margin = abs(scale) / 2 if is_packed else 1e-6 * max(abs(x) for x in (low, high, 0.0) if np.isfinite(x))
    return low - margin, high + margin


def _note_on_limits(array: xr.DataArray, limits: tuple[float, float] | None, n_outside: int, n_value: int, file_name: str) -> list[str]:
    if limits is None or not n_outside:
        return []
    if n_outside == n_value:
        raise ValueError(
            f"expected values of {array.name!r} in {file_name!r} within its valid range, {limits[0]:g} to {limits[1]:g}, got none; delete the attribute "
            "valid_range (valid_min, valid_max) if it is wrong"
        )
    return [f"{n_outside} of {n_value} values of {array.name!r} lie outside the valid range that the file states and are taken as missing"]


def _first_version(stretch: xr.DataArray) -> np.ndarray:
    """Return (time, latitude, longitude) with the first value along an axis of experiment versions."""
    if VERSION not in stretch.dims:
        return stretch.transpose(*AXES).to_numpy()
    versions = stretch.transpose(VERSION, *AXES).to_numpy()
    values = versions[0]
    for version in versions[1:]:
        values = np.where(np.isnan(values), version, values)
    return values


def _check_chunks(array: xr.DataArray, file_name: str) -> None:
    shape = array.encoding.get("chunksizes") or array.encoding.get("chunks") or ()
    size = int(np.prod([n for n in shape if isinstance(n, int)], dtype=np.int64)) * array.dtype.itemsize
    if shape and size > MAX_CHUNK:
        raise ValueError(
            f"expected chunks of at most {MAX_CHUNK >> 20} MB in {array.name!r} of {file_name!r}, got {size >> 20}; write the file again with one chunk for "
            "each time"
        )


def _check_packing(array: xr.DataArray, file_name: str) -> None:
    for key in ("scale_factor", "add_offset"):
        factor = array.encoding.get(key, 1.0)
        if np.asarray(factor).dtype.kind not in "iuf":
            raise ValueError(
                f"expected a number as {key} of {array.name!r} in {file_name!r}, got the text {str(factor)[:40]!r}; write the attribute as a number"
            )
