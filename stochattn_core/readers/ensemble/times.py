"""Valid times and lead times of a file, and where each valid time of the forecast stands among those of the target."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.datasets.time_step import MONTHS, TimeStep
from stochattn_core.readers.door.units import CONVERSIONS, convert, standard_unit
from stochattn_core.readers.ensemble.axes import holds_dates


def time_axes(array: xr.DataArray) -> tuple[str, ...]:
    """Return the dimensions of an array along which time runs: dates of any calendar, and lead times."""
    return tuple(str(dim) for dim in array.dims if dim == "lead_time" or (dim in array.coords and holds_dates(array[dim])))


def is_time(array: xr.DataArray, dim: str) -> bool:
    """Are the values of this dimension dates?"""
    return dim in array.coords and holds_dates(array[dim])


def valid_times(array: xr.DataArray, file: str) -> xr.DataArray | None:
    """Return the time for which each forecast or target holds, over the time axes of the array; None where there are no dates.

    The valid time of the file is used where it has one; else init time plus lead time; else the only time axis.
    ValueError where lead times have to be added and their unit is not known.
    """
    if "valid_time" in array.coords and holds_dates(array["valid_time"]):
        return array["valid_time"]
    axes = [axis for axis in time_axes(array) if axis != "lead_time"]
    if len(axes) > 1:
        raise ValueError(f"expected one axis of dates in {file!r}, got {' and '.join(axes)}; bring one of them, or a coordinate valid_time")
    start = (
        array[axes[0]]
        if axes
        else next((array[name] for name in ("init_time", "time") if name in array.coords and holds_dates(array[name])), None)
    )
    if start is None or "lead_time" not in array.coords:
        return start
    lead = array["lead_time"]
    start = xr.DataArray(start.values, dims=start.dims)
    step = TimeStep.of(standard_unit(_lead_unit(lead)))
    if start.dtype.kind == "M" and lead.dtype.kind in "iu" and step.unit in MONTHS and start.ndim < 2 and lead.ndim < 2:
        times = step.times(pd.DatetimeIndex(np.atleast_1d(start.values)), np.atleast_1d(lead.values).tolist())
        return xr.DataArray(np.asarray(times).reshape(start.shape + lead.shape), dims=start.dims + lead.dims)
    durations = xr.DataArray(lead_durations(lead, file), dims=lead.dims)
    if start.dtype.kind == "M":
        return start + durations
    start, seconds = xr.broadcast(start, durations / np.timedelta64(1, "s"))
    times = np.empty(start.shape, dtype=object)
    for place in np.ndindex(start.shape):
        times[place] = start.values[place] + datetime.timedelta(seconds=float(seconds.values[place]))
    return xr.DataArray(times, dims=start.dims)


def lead_durations(lead: xr.DataArray, file: str) -> np.ndarray:
    """Return lead times as timedelta64[ns]. ValueError where they are numbers without a unit of time."""
    if lead.dtype.kind == "m":
        return np.asarray(lead.values.astype("timedelta64[ns]"))
    units = standard_unit(_lead_unit(lead))
    if not is_duration(lead):
        raise ValueError(
            f"expected lead times with a unit of time in {file!r}, got the unit {_lead_unit(lead)!r}; "
            "write the attribute units='hours' on lead_time, or add a coordinate valid_time"
        )
    seconds = convert(lead.values.astype(np.float64), units, "s")
    return np.asarray((seconds * 1e9).round().astype("timedelta64[ns]"))


def is_duration(lead: xr.DataArray) -> bool:
    """Are these lead times durations, or numbers with a unit of time?"""
    return lead.dtype.kind == "m" or (lead.dtype.kind in "iuf" and CONVERSIONS.get(standard_unit(_lead_unit(lead)), ("",))[0] == "duration")


def lead_numbers(array: xr.DataArray) -> tuple[tuple[int, ...], str]:
    """Return the lead times as whole numbers and their unit: hours, or minutes where they need it; as they are where the unit is not known."""
    if "lead_time" not in array.coords:
        return (), ""
    lead = array["lead_time"]
    if lead.ndim > 1 or lead.dtype.kind not in "iufm":
        return (), ""
    unit = _lead_unit(lead)
    if "step" not in lead.attrs and is_duration(lead):
        durations = np.atleast_1d(lead_durations(lead, ""))
        for short, length in (("h", np.timedelta64(1, "h")), ("min", np.timedelta64(1, "m")), ("s", np.timedelta64(1, "s"))):
            if np.all(durations % length == np.timedelta64(0)):
                return tuple((durations // length).astype(int).tolist()), short
    return tuple(np.atleast_1d(lead.values).tolist()), unit


def _lead_unit(lead: xr.DataArray) -> str:
    return str(lead.attrs.get("units") or lead.attrs.get("step") or lead.encoding.get("units") or "")


def positions_of(wanted: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return where each wanted time stands among the times, -1 where it does not: the shape of wanted, int. A time that comes twice counts once.

    Dates of different calendars are the same where year, month, day and time of day are.
    """
    if wanted.dtype.kind == "M" and times.dtype.kind == "M":
        first, second = wanted.astype("datetime64[ns]").reshape(-1), times.astype("datetime64[ns]")
    else:
        first, second = (np.array([date_text(each) for each in values.reshape(-1)], dtype=object) for values in (wanted, times))
    unique, place = np.unique(second, return_index=True) if second.dtype.kind == "M" else (None, None)
    if unique is not None and place is not None:
        spot = np.searchsorted(unique, first).clip(max=max(len(unique) - 1, 0))
        return np.where(unique[spot] == first, place[spot], -1).reshape(wanted.shape)
    known: dict[str, int] = {}
    for number, text in enumerate(second):
        known.setdefault(text, number)
    return np.array([known.get(text, -1) for text in first], dtype=np.int64).reshape(wanted.shape)


def date_text(time: object) -> str:
    """Return a date of any calendar as text, to the second."""
    if isinstance(time, np.datetime64):
        return str(pd.Timestamp(time).isoformat())[:19]
    return str(time.isoformat())[:19] if hasattr(time, "isoformat") else str(time)


def period_text(times: np.ndarray) -> str:
    """Return first and last of some times, in words.

    >>> period_text(np.array(["2020-01-02", "2020-01-01T06"], dtype="datetime64[ns]"))
    '2020-01-01 06:00 to 2020-01-02 00:00'
    """
    flat = times.reshape(-1)
    flat = flat[~np.isnat(flat)] if flat.dtype.kind == "M" else flat
    if not len(flat):
        return "no time at all"
    first, last = (date_text(each)[:16].replace("T", " ") for each in (min(flat), max(flat)))
    return first if first == last else f"{first} to {last}"
