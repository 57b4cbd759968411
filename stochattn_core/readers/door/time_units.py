"""Times written as numbers or text: decodes the units that xarray knows, each variable alone, and those that it does not know.

    months since 1960-01-01     whole and half months, in any calendar (xarray decodes them for 360-day years alone), also years and weeks
    day as %Y%m%d.%f            the absolute time axis of CDO and of older climate models, also month as %Y%m.%f
    20000131, 2000013118        dates as digits, without units
    2000-01-31_18:00:00         dates as text
    calendar "360"              another name of 360_day, also for the other calendars

What cannot be decoded stays a number with its attribute "units", so that a refusal can name it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import cftime
import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.readers.door.calendars import YEAR_LENGTH, standard_calendar

ABSOLUTE = re.compile(r"\s*(day|month) as %Y%m(%d)?\.%f\s*", re.IGNORECASE)
MONTHS_SINCE = re.compile(r"\s*(month|year)s? since\s+(-?\d{1,5})-(\d{1,2})(?:-(\d{1,2}))?.*", re.IGNORECASE)
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
        data = dataset[name].variable._data
        weeks = re.match(r"\s*weeks?(?= since)", str(attributes["units"]), re.IGNORECASE)
        if weeks and dataset[name].size <= MAX_TIME:
            data, attributes["units"] = np.asarray(dataset[name].values) * 7, f"days{attributes['units'][weeks.end() :]}"
        alone = xr.Dataset({"times": (dataset[name].dims, data, attributes)})
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
        is_named = any(word in str(name).lower() for word in ("time", "date"))
        if variable.ndim != 1 or not 0 < variable.size <= MAX_TIME or not (is_named or name in dataset.dims):
            continue
        decode = _decoder(variable, units, is_named)
        try:
            dates = decode(variable) if decode is not None else None
        except (ValueError, OverflowError):  # not whole or half months, or no date of the calendar
            continue
        if dates is not None:
            dataset = _with_values(dataset, str(name), dates)
            first = variable.values[0] if variable.dtype.kind not in "iuf" else f"{variable.values[0]:.12g}"
            first_date = dates[0].strftime("%Y-%m-%d %H:%M") if dates.dtype == object else str(dates[0])[:16].replace("T", " ")
            notes.append(f"{name!r} has {f'the units {units!r}' if units else 'no units'}: {first} is read as {first_date}")
    return dataset, notes


def _decoder(variable: xr.Variable, units: str, is_named: bool) -> Callable[[xr.Variable], np.ndarray | None] | None:
    """Return what decodes these times, None where nothing here does. is_named: does the name say that they are times?"""
    if variable.dtype.kind in "iuf":
        if ABSOLUTE.fullmatch(units):
            return lambda times: _absolute(np.asarray(times.values, dtype=np.float64), times.attrs)
        if MONTHS_SINCE.fullmatch(units):
            return lambda times: _months_since(np.asarray(times.values, dtype=np.float64), times.attrs)
        return _digits if is_named and units in ("", "1", "yyyymmdd", "YYYYMMDD") else None
    return _text if is_named and variable.dtype.kind in "SUOT" else None


def _digits(times: xr.Variable) -> np.ndarray | None:
    """Return the dates of YYYYMMDD or YYYYMMDDHH; None for other numbers, which have no month or no day at these digits."""
    numbers = np.asarray(times.values, dtype=np.float64)
    has_hours = bool(np.all(numbers >= 1000_01_01_00))
    days = np.floor(numbers / 100) if has_hours else numbers
    if not np.all((days >= 1000_01_01) & (days <= 9999_12_31)) or np.any(numbers % 1 != 0):
        return None
    attributes = {"units": "day as %Y%m%d.%f", **{key: value for key, value in times.attrs.items() if key == "calendar"}}
    return _absolute(days + (numbers % 100) / 24 if has_hours else days, attributes)


def _text(times: xr.Variable) -> np.ndarray | None:
    """Return dates of the ISO kind written as text, None for other text."""
    texts = [value.decode("ascii", "replace") if isinstance(value, bytes) else value for value in times.values.tolist()]
    if not all(isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}", value) for value in texts):
        return None
    return pd.to_datetime([value.strip().replace("_", "T") for value in texts], format="ISO8601", utc=True).tz_localize(None).to_numpy()


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
    year, month, day = int(match[2]), int(match[3]), int(match[4] or 1)
    numbers = numbers * (12 if match[1].lower() == "year" else 1)
    halves = np.rint(2 * numbers).astype(np.int64)
    if np.any(np.abs(2 * numbers - halves) > 1e-6) or day != 1:
        raise ValueError("months have no fixed length: only whole and half ones are dates")
    first = year * 12 + month - 1 + halves // 2
    calendar = _calendar_of(attributes)
    parts = zip((first // 12).tolist(), (first % 12 + 1).tolist(), (halves % 2).tolist(), strict=True)
    dates = [cftime.datetime(y, m, 16 if half else 1, calendar=calendar) for y, m, half in parts]
    return np.array(dates, dtype=object)
