"""When the fields of a gridded file are: the step, lead times that are multiples of it, and cases in three parts that follow in time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

MAX_CASE = {"train": 1000, "calibration": 300, "test": 300}
MAX_NUMBERS = 250_000_000  # in the inputs of a part: 1 GB
MIN_CASE = 8
MIN_TIME = 60
LEADS = (1, 3, 6, 12, 24, 48, 72, 120, 168, 240)  # h, that forecasters ask for


def step_of(times: pd.DatetimeIndex, file: str, notes: list[str]) -> pd.Timedelta:
    """The commonest step; times that are missing are whole steps."""
    if len(times) < MIN_TIME:
        raise ValueError(
            f"expected at least {MIN_TIME} times in {file!r}, to train, calibrate and test, got {len(times)}; bring a longer period"
        )
    steps = times[1:] - times[:-1]
    step = steps.value_counts().idxmax()
    if (steps % step != pd.Timedelta(0)).any() or step < pd.Timedelta(hours=1) or step % pd.Timedelta(hours=1) != pd.Timedelta(0):
        odd = steps[(steps % step != pd.Timedelta(0))]
        came = f"{step} and {odd[0]}" if len(odd) else f"{step}"
        raise ValueError(
            f"expected times evenly spaced by whole hours in {file!r}, got steps of {came}; resample them, monthly means cannot be used"
        )
    missing = round((times[-1] - times[0]) / step) + 1 - len(times)
    if missing > len(times):
        raise ValueError(
            f"expected most times between the first and the last in {file!r}, {missing} of {missing + len(times)} are missing; bring fewer gaps"
        )
    if missing:
        notes.append(f"{missing} times are missing; starts without a target at the lead time are left out")
    return step


def lead_of(lead_time: int | None, step: pd.Timedelta) -> int:
    hours = int(step / pd.Timedelta(hours=1))
    if lead_time is None:
        return math.ceil(24 / hours) * hours
    if isinstance(lead_time, bool) or int(lead_time) != lead_time or lead_time < 1 or lead_time % hours:
        raise ValueError(
            f"expected a lead time in hours that is a multiple of the step of {hours} h, got {lead_time!r}; try {max(hours, 24)}"
        )
    return int(lead_time)


def leads_of(times: pd.DatetimeIndex, n_number: int, file: str) -> tuple[int, ...]:
    """The lead times in hours, multiples of the step, for which every part has enough cases. n_number: numbers in the inputs of a case."""
    hours = int(step_of(times, file, []) / pd.Timedelta(hours=1))
    known = sorted({hours, *(lead for lead in (*LEADS, lead_of(None, pd.Timedelta(hours=hours))) if lead % hours == 0)})
    cases = {lead: cases_of(times, pd.Timedelta(hours=lead), None, n_number, file) for lead in known}
    return tuple(lead for lead, parts in cases.items() if min(len(init) for init, _ in parts.values()) >= MIN_CASE)


def cases_of(
    times: pd.DatetimeIndex, lead: pd.Timedelta, ends: tuple | None, n_number: int, file: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positions of start and target of the cases of each part."""
    if n_number > MAX_NUMBERS // (3 * MIN_CASE):
        raise ValueError(
            f"expected fields of at most {MAX_NUMBERS // (3 * MIN_CASE):,} numbers, got {n_number:,} in {file!r}; coarsen the grid"
        )
    then = times.get_indexer(times + lead)
    init = np.flatnonzero(then >= 0)
    first, last = times[0], times[-1]
    bounds = [pd.Timestamp(end) for end in ends] if ends else [first + 0.6 * (last - first), first + 0.8 * (last - first)]
    # A part ends with its last target; the next one's first start keeps a whole lead time away from it.
    begins = [first, *(bound + lead for bound in bounds)]
    finishes = [*bounds, last + pd.Timedelta(1)]
    per_day = max(1, round(pd.Timedelta(days=1) / (times[1:] - times[:-1]).min()))
    cases = {}
    for part, begin, finish in zip(("train", "calibration", "test"), begins, finishes, strict=True):
        some = init[(times[init] >= begin) & (times[then[init]] < finish)]
        stride = max(1, math.ceil(len(some) / min(MAX_CASE[part], max(MIN_CASE, MAX_NUMBERS // n_number))))
        while stride > 1 and math.gcd(stride, per_day) > 1:  # so that all hours of the day have their turn
            stride += 1
        cases[part] = (some[::stride], then[some[::stride]])
    return cases


def blocks_of(times: pd.DatetimeIndex, days: float) -> np.ndarray:
    """Cases within the same `days` in one block; at least 3 blocks."""
    span = (times - times[0]) / pd.Timedelta(days=1)
    length = min(days, (span.max() + 1e-6) / 3)
    return np.unique((span // length).astype(int), return_inverse=True)[1]
