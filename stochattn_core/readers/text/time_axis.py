"""From a column of times to an evenly spaced axis: its step, its gaps, and the seasons that the step suggests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from stochattn_core.datasets.time_step import TimeStep
from stochattn_core.readers.text import summer_time

SECOND = 1_000_000_000  # times are int64 nanoseconds in this module
UNITS = {"s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "day": 86400 * SECOND, "week": 7 * 86400 * SECOND}
# Months, quarters and years have no fixed number of days and are counted on the calendar: (shortest, longest step in days, months).
CALENDAR = {"month": (28, 31, 1), "quarter": (89, 92, 3), "year": (365, 366, 12)}
CALENDAR_SEASONS = {"month": (12,), "quarter": (4,), "year": ()}
CYCLES = (86400 * SECOND, 7 * 86400 * SECOND, 365 * 86400 * SECOND + 86400 * SECOND // 4)  # a day, a week, a year
MAX_SEASON = 64  # steps; two seasons must fit into the context of the embedded model
MOST_LEFT_OUT = 50  # times for each row
MAX_GAPS = 0.1  # of the rows; more of them must lie where the clock or the calendar always has none, such as nights and weekends
CLOSED = 0.9  # of the gaps: the share of them in hours and days that hardly ever have a row


@dataclass(frozen=True)
class TimeAxis:
    """An evenly spaced axis of times.

    times: (time,), gaps included.   position: (row,) the place of each row of the file on it.   unit: the step ("h", "10 min", "month").
    seasons: lags, in steps, at which to look for a season.   notes: what was done, in sentences.
    """

    times: pd.Index
    position: np.ndarray
    unit: str
    seasons: tuple[int, ...]
    notes: tuple[str, ...]


class RepeatedTimesError(ValueError):
    """A time occurs more than once: the file may hold several series."""


def even_axis(times: pd.Index, name: str, *, find_summer_time: bool = True) -> TimeAxis:
    """Find the step of these times and put them on an axis with that step.

    Times that run backwards are turned round; repeated or shuffled times raise ValueError, because no order is more right than another.
    Gaps become missing values. Where more than 10% of the times are left out and nearly all of them lie in hours or days that hardly ever
    have a row, such as nights and weekends, every row is one step, as it is where the times lie on no axis. find_summer_time: look for changes of the clock,
    which explain an hour that is skipped or comes twice.
    """
    if isinstance(times, pd.DatetimeIndex) and find_summer_time and len(times) > 2:
        is_backward = bool(times[0] > times[-1])
        forward = times[::-1] if is_backward else times
        steps = np.diff(forward.to_numpy())
        usual, counts = np.unique(steps, return_counts=True)
        standard = summer_time.recognised(forward, usual[np.argmax(counts)], name) if len(usual) > 1 else None
        if standard is not None:
            axis = even_axis(standard[0][::-1] if is_backward else standard[0], name, find_summer_time=False)
            return replace(axis, notes=(standard[1], *axis.notes))
    dates = times if isinstance(times, pd.DatetimeIndex) else None
    ticks = times.to_numpy() if dates is None else dates.as_unit("ns").asi8 if _fits_nanoseconds(dates) else _calendar_ticks(dates)
    order, notes = np.arange(len(ticks)), list[str]()
    if len(ticks) > 1 and np.all(np.diff(ticks) < 0):
        order, notes = order[::-1], ["the rows run from the newest to the oldest time and have been turned round"]
    step = np.diff(ticks[order])
    if np.any(step <= 0):
        shown = times.astype("str")
        in_order, count = np.sort(ticks), len(ticks) - len(np.unique(ticks))
        if count:
            twice = shown[np.flatnonzero(ticks == in_order[1:][np.diff(in_order) == 0][0])[0]]
            rows = "row" if count == 1 else "rows"
            raise RepeatedTimesError(
                f"expected one row for each time of {name!r}, got more than one for {twice} ({count} {rows} too many); keep one row for each, "
                "for instance their mean"
            )
        back = int(np.argmax(step <= 0))
        raise ValueError(
            f"expected rows in the order of {name!r}, got {shown[back + 1]} after {shown[back]}; check how the times are written and whether "
            "the file holds several series one after another, then sort the rows by time"
        )
    ordered = times[order]
    calendar = _calendar_steps(dates[order], step) if dates is not None else None
    unit, position, seasons = calendar or _fixed_steps(ticks[order], step, dates is not None)
    if position is not None and int(position[-1]) > MOST_LEFT_OUT * len(position):
        place = int(np.argmax(np.diff(position)))
        raise ValueError(
            f"expected times of {name!r} that follow one another, got {ordered[place + 1]} right after {ordered[place]}, while the usual step is "
            f"{TimeStep.of(unit).text}; correct the time, or drop these rows"
        )
    gaps = 0 if position is None else int(position[-1]) + 1 - len(position)
    if position is None or (gaps > MAX_GAPS * len(position) and (dates is None or _is_closed(dates[order], position, unit))):
        why = (
            f": {gaps:,} of {int(position[-1]) + 1:,} times with a step of {TimeStep.of(unit).text} are left out, most of them always"
            if position is not None
            else ""
        )
        notes.append(f"the times of {name!r} are not evenly spaced{why}; every row is taken as one step")
        return TimeAxis(ordered, _in_file_order(order, np.arange(len(ticks))), "step", seasons, tuple(notes))
    complete = ordered if not gaps else _with_gaps_filled(ordered, position, unit)
    if gaps:
        left_out = f"{gaps} times of {name!r} are" if gaps > 1 else f"1 time of {name!r} is"
        notes.append(f"{left_out} left out in the file, whose step is {TimeStep.of(unit).text}; the values are missing")
    return TimeAxis(complete, _in_file_order(order, position), unit, seasons, tuple(notes))


def _is_closed(times: pd.DatetimeIndex, position: np.ndarray, unit: str) -> bool:
    """Do the gaps lie where there is hardly ever a row: in the same hours of the day, or on the same days of the week?"""
    if unit in CALENDAR:
        return False
    complete = pd.DatetimeIndex(_with_gaps_filled(times, position, unit))
    is_there = np.zeros(len(complete), dtype=bool)
    is_there[position] = True
    minute = complete.hour * 60 + complete.minute
    for slot in (complete.day_of_week, minute, complete.day_of_week * 1440 + minute):
        _, code = np.unique(slot, return_inverse=True)
        share = np.bincount(code, weights=is_there) / np.bincount(code)
        if np.mean(share[code[~is_there]] < 1 - CLOSED) >= CLOSED:
            return True
    return False


def _in_file_order(order: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return the positions, given for rows in order of time, for the rows in the order of the file."""
    by_row = np.empty_like(position)
    by_row[order] = position
    return by_row


def _fits_nanoseconds(times: pd.DatetimeIndex) -> bool:
    return bool(times.min() > pd.Timestamp("1678-01-01") and times.max() < pd.Timestamp("2262-01-01"))


def _calendar_ticks(times: pd.DatetimeIndex) -> np.ndarray:
    return times.as_unit("s").asi8.astype(np.float64) * SECOND  # int64 nanoseconds overflow before 1678 and after 2262; seconds do not


def _calendar_steps(times: pd.DatetimeIndex, step: np.ndarray) -> tuple[str, np.ndarray, tuple[int, ...]] | None:
    """Return (unit, position, seasons) in months, quarters or years; None where that is not the usual step or two rows share a month."""
    usual_days = float(np.median(step)) / UNITS["day"]
    for unit, (shortest, longest, months) in CALENDAR.items():
        if shortest - 0.5 <= usual_days <= longest + 0.5:
            count = times.year.to_numpy() * 12 + times.month.to_numpy()
            position = (count - count[0]) // months
            if np.all(np.diff(position) > 0):
                return unit, position, CALENDAR_SEASONS[unit]
    return None


def _fixed_steps(ticks: np.ndarray, step: np.ndarray, dated: bool) -> tuple[str, np.ndarray | None, tuple[int, ...]]:
    """Return (unit, position, seasons) for a step of fixed length; position is None when a row lies more than a tenth of a step off the axis."""
    usual = float(np.median(step))
    unit = _unit_of(usual) if dated else "step"
    seasons = tuple(dict.fromkeys(round(cycle / usual) for cycle in CYCLES if dated and 2 <= cycle / usual <= MAX_SEASON))
    exact = (ticks - ticks[0]) / usual
    position = np.round(exact).astype(np.int64)
    on_axis = np.all(np.abs(exact - position) < 0.1) and np.all(np.diff(position) > 0)
    return unit, position if on_axis else None, seasons


def _unit_of(step: float) -> str:
    for unit, length in reversed(UNITS.items()):
        count = step / length
        if count >= 1 and abs(count - round(count)) < 1e-3:
            return unit if round(count) == 1 else f"{round(count)} {unit}"
    return "step"


def _with_gaps_filled(times: pd.Index, position: np.ndarray, unit: str) -> pd.Index:
    """Return the times with those of the gaps put in, each between its neighbours."""
    where = np.arange(int(position[-1]) + 1)
    if not isinstance(times, pd.DatetimeIndex):
        return pd.Index(np.interp(where, position, times.to_numpy(dtype=np.float64)))
    if unit in CALENDAR:
        months = CALENDAR[unit][2]
        first = times[0].to_period("M")
        return pd.PeriodIndex([first + int(i) * months for i in where], freq="M").to_timestamp()
    seconds = times.as_unit("us").asi8
    return pd.DatetimeIndex(
        np.round(np.interp(where, position, seconds - seconds[0])).astype(np.int64) + seconds[0], dtype="datetime64[us]"
    )
