"""Opens GRIB files through cfgrib, an optional package. Every failure is one ValueError of one sentence."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import xarray as xr


def open_grib(path: Path, name: str) -> xr.Dataset:
    """Return the messages of a GRIB file as one dataset; its values are read when they are used.

    cfgrib makes one dataset of the messages that share their axes. Where there are several, a variable that occurs in more than one
    gets the type of its level as a suffix: t_isobaricInhPa. No index file is written beside the file.
    """
    try:
        import cfgrib
    except Exception as error:  # cfgrib is not installed (ImportError), or cannot find the library eccodes (RuntimeError)
        raise ValueError(
            f"expected the package cfgrib to read {name!r}, which is GRIB by its content, got {type(error).__name__}; install it with "
            "pip install 'stochattn[grib]', or convert the file to NetCDF"
        ) from error
    if not _ends_with_a_message(path):  # cfgrib would leave out the last message without a word
        raise ValueError(
            f"expected whole GRIB messages in {name!r}, the last has no end: the file is damaged or incomplete; download or copy it again"
        )
    logging.getLogger("cfgrib").setLevel(logging.CRITICAL)  # every failure becomes the sentence below
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": "", "errors": "raise"})
    except Exception as error:
        raise ValueError(
            f"expected to open {name!r}, got {type(error).__name__}: the file is damaged or incomplete; download or copy it again"
        ) from error
    merged = _merged(parts)
    if not merged.data_vars:
        raise ValueError(f"expected fields in {name!r}, no complete GRIB message was found; download or copy it again")
    merged.encoding["notes"] = []
    return merged


def _ends_with_a_message(path: Path) -> bool:
    """Does the file end with 7777, as every GRIB message does, but for padding?"""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 1 << 16), 2)
        return file.read().rstrip(b"\0\r\n ").endswith(b"7777")


def _merged(parts: list[xr.Dataset]) -> xr.Dataset:
    """Return all variables in one dataset; axes of the same name and other values get the number of their part as a suffix."""
    merged = xr.Dataset()
    for number, part in enumerate(parts):
        part = part.drop_vars([name for name in part.coords if part[name].ndim == 0])
        axes = {axis: f"{axis}_{number}" for axis in part.dims if axis in merged.dims and not _is_same_axis(part, merged, str(axis))}
        renamed = part.rename(axes).drop_vars([name for name in part.coords if name not in part.dims and name in merged.coords])
        variables = {}
        for name in renamed.data_vars:
            longer = f"{name}_{renamed[name].attrs.get('GRIB_typeOfLevel', number)}"
            variables[name] = name if name not in merged else longer if longer not in merged else f"{longer}_{number}"
        merged = merged.merge(renamed.rename({name: new for name, new in variables.items() if name != new}), compat="override")
    return merged


def _is_same_axis(part: xr.Dataset, merged: xr.Dataset, axis: str) -> bool:
    if axis not in part.coords or axis not in merged.coords:
        return part.sizes[axis] == merged.sizes[axis] and axis not in part.coords and axis not in merged.coords
    return bool(np.array_equal(part[axis].values, merged[axis].values))
