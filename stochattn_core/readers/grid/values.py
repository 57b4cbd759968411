"""The numbers of gridded fields: do they fit their units, which are missing, and what replaces a missing input."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from stochattn_core.readers.door.fill_values import FILL_FROM
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.door.values import is_code, without_missing_codes

MAX_MISSING = 0.2
ANOMALY = re.compile("anomal|anom\\b|departure|difference|tendency", re.IGNORECASE)
# Half of all air or sea temperatures lie within these limits anywhere on Earth: lowest, highest, the unit they are in otherwise.
TEMPERATURES = {"degC": (-100.0, 100.0, "kelvin"), "K": (150.0, 400.0, "degrees Celsius")}


def checked_values(values: np.ndarray, name: str, units: str, file: str) -> tuple[np.ndarray, list[str]]:
    """Return (time, latitude, longitude) as float32 with NaN where a value is missing, and notes. ValueError where they cannot be used."""
    values, notes = _without_marks(values, name)
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError(f"expected numbers in {name!r} of {file!r}, every value is missing; choose another variable or file")
    if units in TEMPERATURES:
        low, high, other = TEMPERATURES[units]
        median = float(np.median(values[finite][:: 1 + finite.sum() // 1_000_000]))
        if not low < median < high:
            raise ValueError(
                f"expected temperatures in {units} as the units of {name!r} in {file!r} say, got values around {median:.0f}, which look like "
                f"{other}; correct the units or the values, or write 'anomaly' into the attribute long_name where they are anomalies"
            )
    if float(values[finite].min()) == float(values[finite].max()):
        raise ValueError(f"expected a field that varies, {name!r} in {file!r} is {values[finite][0]:g} everywhere; choose another variable")
    ever = finite.any(axis=0)  # a cell that never has a value, such as land in an ocean field, is no gap
    at_times = finite.any(axis=(1, 2))  # a time without any value is left out later: no gap either
    share = 1 - float(finite[at_times][:, ever].mean())
    if share > MAX_MISSING:
        raise ValueError(
            f"expected at most {MAX_MISSING:.0%} of {name!r} in {file!r} to be missing where there are values at all, got {share:.0%}; fill the gaps, or "
            "bring a period without them"
        )
    if not ever.all():
        notes.append(f"{int((~ever).sum())} of {ever.size} cells of {name!r} never have a value and are not scored")
    if share > 0:
        notes.append(f"{share:.2%} of {name!r} are missing: in inputs each becomes the mean of its cell, and in targets none is scored")
    return values, notes


def missing_share(values: np.ndarray, name: str) -> float:
    """Return the share of missing values, fill values and codes among them."""
    return float(np.isnan(_without_marks(values, name)[0]).mean())


def _without_marks(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Return float32 with NaN in place of codes such as -9999, fill values and infinity, and notes on them."""
    values, notes = values.astype(np.float32, copy=False), list[str]()
    is_fill = np.abs(values) > FILL_FROM
    if is_fill.any():
        notes.append(
            f"{int(is_fill.sum()):,} values of {name!r} are fill values or infinite ({FILL_FROM:g} or beyond) and are taken as missing"
        )
        values = np.where(is_fill, np.float32(np.nan), values)
    # A missing code lies far outside all other values, so one of them is the least or the greatest value.
    if any(is_code(float(extreme)) for extreme in (np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf))):
        values, code_notes = without_missing_codes(values, name)
        notes += code_notes
    return values.astype(np.float32, copy=False), notes


def unit_of(array: xr.DataArray) -> str:
    """Return the standard unit of a variable; "" for anomalies, whose numbers may be of any size."""
    about = " ".join(str(array.attrs.get(key, "")) for key in ("long_name", "standard_name", "description"))
    return "" if ANOMALY.search(f"{array.name} {about}") else standard_unit(array.attrs.get("units"))


def fill_missing(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Replace NaN by the mean of its cell over the training init times, or by the mean of all cells where the cell never has a value.

    values: (time, variable, latitude, longitude).   train: positions of the training init times.   Returns the same shape, float32.
    """
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    training = values[train].astype(np.float64)
    count = np.isfinite(training).sum(axis=0)
    total = np.where(np.isfinite(training), training, 0).sum(axis=0)
    overall = total.sum(axis=(1, 2)) / np.maximum(count.sum(axis=(1, 2)), 1)
    mean = np.where(count > 0, total / np.maximum(count, 1), overall[:, None, None])
    return np.where(missing, mean, values).astype(np.float32)
