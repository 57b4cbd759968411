"""Times written as numbers: decodes the units that xarray knows, each variable alone, and three that it does not know.

    months since 1960-01-01     whole and half months, in any calendar (xarray decodes them for 360-day years alone)
    day as %Y%m%d.%f            the absolute time axis of CDO and of older climate models, also month as %Y%m.%f
    calendar "360"              another name of 360_day, also for the other calendars

What cannot be decoded stays a number with its attribute "units", so that a refusal can name it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import cftime
import numpy as np
import xarray as xr

from stochattn_core.readers.door.calendars import YEAR_LENGTH, standard_calendar

ABSOLUTE = re.compile(r"\s*(day|month) as %Y%m(%d)?\.%f\s*", re.IGNORECASE)
MONTHS_SINCE = re.compile(r"\s*months? since\s+(-?\d{1,5})-(\d{1,2})(?:-(\d{1,2}))?.*", re.IGNORECASE)
MAX_TIME = 5_000_000  # longer variables are no time axis


def decode_each(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset, opened with decode_times=False, with every variable decoded whose time units are understood."""
    for name in list(dataset.variables):
        attributes = dict(dataset[name].attrs)
        if " since " not in str(attributes.get("units", "")):
            continue
        if "calendar" in attributes:
            calendar = standard_calendar(attributes["calendar"])
            attributes["calendar"] = calendar if calendar in YEAR_LENGTH else attributes["calendar"]
        alone = xr.Dataset({"times": (dataset[name].dims, dataset[name].variable._data, attributes)})
        try:
            decoded = xr.decode_cf(alone, decode_coords=False, mask_and_scale=False, decode_timedelta=False)["times"].variable.load()
        except (ValueError, OverflowError, TypeError):  # xarray's and cftime's reasons are all of these kinds
            continue
        dataset = _with_values(dataset, str(name), decoded.values)
    return dataset


def decode_unusual(dataset: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Return the dataset with absolute times, and months since a date, as dates; and a note for each variable."""
    notes = []
    for name, variable in dataset.variables.items():
        units = str(variable.attrs.get("units", ""))
        decode = _absolute if ABSOLUTE.fullmatch(units) else _months_since if MONTHS_SINCE.fullmatch(units) else None
        if decode is None or variable.ndim != 1 or variable.size > MAX_TIME or not np.issubdtype(variable.dtype, np.number):
            continue
        try:
            dates = decode(np.asarray(variable.values, dtype=np.float64), variable.attrs)
        except (ValueError, OverflowError):  # not whole or half months, or no date of the calendar
            continue
        dataset = _with_values(dataset, str(name), dates)
        if len(dates):
            notes.append(f"{name!r} has the units {units!r}: {variable.values[0]:.12g} is read as {dates[0].strftime('%Y-%m-%d %H:%M')}")
    return dataset, notes


def _with_values(dataset: xr.Dataset, name: str, values: np.ndarray) -> xr.Dataset:
    attributes = {key: value for key, value in dataset[name].attrs.items() if key not in ("units", "calendar")}
    replaced = xr.Variable(dataset[name].dims, values, attributes)
    return dataset.assign_coords({name: replaced}) if name in dataset.coords else dataset.assign({name: replaced})


def _calendar_of(attributes: Mapping[str, Any]) -> str:
    calendar = standard_calendar(attributes.get("calendar", "standard"))
    if calendar not in YEAR_LENGTH:
        raise ValueError(f"no calendar: {calendar}")
    return calendar


def _absolute(numbers: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    calendar, is_month = _calendar_of(attributes), "%d" not in str(attributes["units"]).lower()
    whole = np.floor(numbers).astype(np.int64)
    seconds = np.zeros(len(whole)) if is_month else np.rint((numbers - whole) * 86400)
    if is_month:
        whole = whole * 100 + 1
    dates = [cftime.datetime(n // 10000, n // 100 % 100, n % 100, calendar=calendar) for n in whole.tolist()]
    start = np.asarray(cftime.date2num(dates, "seconds since 1970-01-01", calendar=calendar), dtype=np.int64)
    return np.asarray(cftime.num2date(start + seconds.astype(np.int64), "seconds since 1970-01-01", calendar=calendar), dtype=object)


def _months_since(numbers: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    """Return month starts for whole numbers, and the middle of the month, the 16th, for halves."""
    match = MONTHS_SINCE.fullmatch(str(attributes["units"]))
    assert match is not None
    year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
    halves = np.rint(2 * numbers).astype(np.int64)
    if np.any(np.abs(2 * numbers - halves) > 1e-6) or day != 1:
        raise ValueError("months have no fixed length: only whole and half ones are dates")
    first = year * 12 + month - 1 + halves // 2
    calendar = _calendar_of(attributes)
    parts = zip((first // 12).tolist(), (first % 12 + 1).tolist(), (halves % 2).tolist(), strict=True)
    dates = [cftime.datetime(y, m, 16 if half else 1, calendar=calendar) for y, m, half in parts]
    return np.array(dates, dtype=object)
