"""Cuts the times of a gridded file into cases: its step, possible lead times, and init times in three parts that follow in time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import PARTS
from stochattn_core.readers.door.calendars import crosses_leap_day

MAX_CASE = {"train": 1000, "calibration": 300, "test": 300}
MAX_NUMBERS = 250_000_000  # in the inputs of a part: 1 GB
MIN_CASE = 8
MIN_TIME = 60
LEAD_TIMES = (1, 3, 6, 12, 24, 48, 72, 120, 168, 240)  # h, those that forecasters ask for
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


def time_step(times: pd.DatetimeIndex, file: str) -> tuple[pd.Timedelta, list[str]]:
    """Return the commonest step between times, and a note on times that are missing.

    ValueError where there are too few times, where a step is not a multiple of the commonest, or where that is not whole hours.
    """
    if len(times) < MIN_TIME:
        raise ValueError(
            f"expected at least {MIN_TIME} times in {file!r}, to train, calibrate and test, got {len(times)}; bring a longer period"
        )
    steps = pd.TimedeltaIndex(times[1:] - times[:-1])
    step = pd.Timedelta(steps.value_counts().index[0])
    odd = steps[(steps % step != pd.Timedelta(0))]
    if len(odd) or step < HOUR or step % HOUR != pd.Timedelta(0):
        came = f"{step} and {odd[0]}" if len(odd) else f"{step}"
        raise ValueError(
            f"expected times evenly spaced by whole hours in {file!r}, got steps of {came}; resample them, monthly means cannot be used"
        )
    n_missing = round((times[-1] - times[0]) / step) + 1 - len(times)
    if n_missing > len(times):
        raise ValueError(
            f"expected most times between the first and the last in {file!r}, {n_missing} of {n_missing + len(times)} are missing; bring fewer gaps"
        )
    return step, [f"{n_missing} times are missing; init times without a target at the lead time are left out"] if n_missing else []


def checked_lead_time(lead_time: int | None, step: pd.Timedelta) -> int:
    """Return the lead time in hours, the first multiple of the step that is a day or more without one; ValueError where it is no multiple."""
    hours = int(step / HOUR)
    if lead_time is None:
        return math.ceil(24 / hours) * hours
    if isinstance(lead_time, bool) or int(lead_time) != lead_time or lead_time < 1 or lead_time % hours:
        raise ValueError(
            f"expected a lead time in hours that is a multiple of the step of {hours} h, got {lead_time!r}; try {max(hours, 24)}"
        )
    return int(lead_time)


def possible_lead_times(times: pd.DatetimeIndex, n_number: int, file: str, *, leap_days: bool = True) -> tuple[int, ...]:
    """Return the lead times in hours, multiples of the step, for which every part has enough cases.

    n_number: numbers in the inputs of a case.
    """
    step, _ = time_step(times, file)
    hours = int(step / HOUR)
    candidates = sorted({hours, *(lead for lead in (*LEAD_TIMES, checked_lead_time(None, step)) if lead % hours == 0)})
    cases = {lead: split_in_time(times, lead * HOUR, None, n_number, file, leap_days=leap_days) for lead in candidates}
    return tuple(lead for lead, parts in cases.items() if min(len(init) for init, _ in parts.values()) >= MIN_CASE)


def split_in_time(
    times: pd.DatetimeIndex,
    lead: pd.Timedelta,
    ends: tuple[object, object] | None,
    n_number: int,
    file: str,
    *,
    leap_days: bool = True,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the cases of each part: the positions of their init times and of their targets in `times`.

    ends: the dates before which train and calibration end, 60 and 80 percent of the period without them.   n_number: numbers in the inputs
    of a case, which limit the number of cases.   leap_days: does the calendar have them? If not, no case reaches across a 29 February.
    """
    if n_number > MAX_NUMBERS // (3 * MIN_CASE):
        raise ValueError(
            f"expected fields of at most {MAX_NUMBERS // (3 * MIN_CASE):,} numbers, got {n_number:,} in {file!r}; coarsen the grid"
        )
    target = times.get_indexer(pd.DatetimeIndex(times + lead))
    has_target = target >= 0 if leap_days else (target >= 0) & ~crosses_leap_day(times, pd.DatetimeIndex(times + lead))
    init = np.flatnonzero(has_target)
    first, last = times[0], times[-1]
    bounds = [pd.Timestamp(str(end)) for end in ends] if ends else [first + 0.6 * (last - first), first + 0.8 * (last - first)]
    # A part ends with its last target; the first init time of the next part comes a whole lead time later.
    begins = [first, *(bound + lead for bound in bounds)]
    finishes = [*bounds, last + pd.Timedelta(1)]
    per_day = max(1, round(DAY / (times[1:] - times[:-1]).min()))
    cases = {}
    for part, begin, finish in zip(PARTS, begins, finishes, strict=True):
        chosen = init[(times[init] >= begin) & (times[target[init]] < finish)]
        stride = max(1, math.ceil(len(chosen) / min(MAX_CASE[part], max(MIN_CASE, MAX_NUMBERS // n_number))))
        while stride > 1 and math.gcd(stride, per_day) > 1:  # so that init times fall on all hours of the day
            stride += 1
        cases[part] = (chosen[::stride], target[chosen[::stride]])
    return cases


def time_blocks(times: pd.DatetimeIndex, days: float) -> np.ndarray:
    """Return blocks of cases within the same `days`, (case,) int from 0 without a gap; shorter ones where there would be fewer than 3."""
    span = np.asarray((times - times[0]) / DAY, dtype=np.float64)
    length = min(days, (span.max() + 1e-6) / 3)
    return np.unique((span // length).astype(int), return_inverse=True)[1]
