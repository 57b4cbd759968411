"""Cuts the times of a gridded file into cases: its step, possible lead times, and init times in three parts that follow in time.

Everything is counted in the ticks of a TimeAxis, so that a step is the same in every calendar, and between calendar months.
"""

from __future__ import annotations

import math

import numpy as np

from stochattn_core.datasets.base import PARTS
from stochattn_core.readers.door.calendars import TICKS, LeadUnit, TimeAxis

MAX_CASE = {"train": 1000, "calibration": 300, "test": 300}
MAX_NUMBERS = 400_000_000  # that are read, init times and targets of all parts together: 1.6 GB
SHARE = {"train": 0.6, "calibration": 0.2, "test": 0.2}  # of these numbers
MIN_CASE = 8
MIN_TIME = 60
LEAD_TIMES: dict[LeadUnit, tuple[int, ...]] = {  # those that forecasters ask for
    "h": (1, 3, 6, 12, 24, 48, 72, 120, 168, 240),
    "month": (1, 2, 3, 6, 9, 12),
    "year": (1, 2, 3, 5, 10),
}
DEFAULT: dict[LeadUnit, int] = {"h": 24, "month": 1, "year": 1}  # the first possible lead time that is not shorter
CYCLE: dict[LeadUnit, int] = {"h": 86400, "month": 12, "year": 1}  # ticks of the day and of the year, over which init times are spread


def time_step(times: TimeAxis, file: str) -> tuple[int, list[str]]:
    """Return the commonest step between times, in ticks, and a note on times that are missing.

    ValueError where there are too few times, where a step is not a multiple of the commonest, or where it divides no whole hours.
    """
    if len(times) < MIN_TIME:
        single = ", because a single field cannot be forecast" if len(times) == 1 else ""
        raise ValueError(
            f"expected at least {MIN_TIME} times in {file!r}, to train, calibrate and test, got {len(times)}; bring a longer period{single}"
        )
    steps = np.diff(times.tick)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[np.argmax(counts)])
    odd = steps[steps % step != 0]
    if len(odd) or (times.unit == "h" and not _lead_candidates(times.unit, step)):
        came = f"{step_text(step, times.unit)} and {step_text(int(odd[0]), times.unit)}" if len(odd) else step_text(step, times.unit)
        raise ValueError(
            f"expected times evenly spaced by whole hours in {file!r}, got steps of {came}; resample them, to one field every hour or day for example"
        )
    n_missing = int(times.tick[-1] - times.tick[0]) // step + 1 - len(times)
    if n_missing > len(times):
        raise ValueError(
            f"expected most times between the first and the last in {file!r}, {n_missing} of {n_missing + len(times)} are missing; bring fewer gaps"
        )
    return step, [f"{n_missing} times are missing; init times without a target at the lead time are left out"] if n_missing else []


def step_text(step: int, unit: LeadUnit) -> str:
    """Return a step in ticks as text.

    >>> step_text(21600, "h"), step_text(1800, "h"), step_text(3, "month"), step_text(12, "year")
    ('6 h', '30 min', '3 months', '1 year')
    """
    if unit == "h":
        return f"{step // 3600} h" if step % 3600 == 0 else f"{step // 60} min" if step % 60 == 0 else f"{step} s"
    n = step // TICKS[unit]
    return f"{n} {unit}" + ("s" if n != 1 else "")


def lead_text(lead_time: int, unit: LeadUnit) -> str:
    """Return a lead time as text: 24 h, 1 month, 3 months."""
    return step_text(lead_time * TICKS[unit], unit)


def chosen_lead_time(
    lead_time: int | None, times: TimeAxis, n_number: int, ends: tuple[object, object] | None, file: str
) -> tuple[int, list[str]]:
    """Return the lead time in the unit of the times, and a note where another one than the usual was chosen.

    Without one it is the first multiple of the step that is not below DEFAULT, or the longest that the period allows.   n_number, ends: see
    split_in_time. ValueError where it is no multiple of the step.
    """
    step, _ = time_step(times, file)
    least = math.lcm(step, TICKS[times.unit]) // TICKS[times.unit]  # the shortest lead time in whole units
    usual = _usual_lead_time(times.unit, step)
    if lead_time is None:
        if _is_long_enough(split_in_time(times, usual, ends, n_number, file)):
            return usual, []
        possible = possible_lead_times(times, n_number, file, ends)
        shorter = max((lead for lead in possible if lead < usual), default=usual)
        text = lead_text(shorter, times.unit)
        return shorter, [
            f"the period is too short for a lead time of {lead_text(usual, times.unit)}: {text} is used"
        ] if shorter < usual else []
    whole = not isinstance(lead_time, bool) and isinstance(lead_time, int | float | np.number) and math.isfinite(lead_time)
    if not whole or int(lead_time) != lead_time or lead_time < 1 or lead_time % least:
        plural = {"h": "hours", "month": "months", "year": "years"}[times.unit]
        raise ValueError(
            f"expected a lead time in {plural} that is a multiple of the step of {step_text(step, times.unit)}, got {lead_time!r}; try {usual}"
        )
    return int(lead_time), []


def possible_lead_times(times: TimeAxis, n_number: int, file: str, ends: tuple[object, object] | None = None) -> tuple[int, ...]:
    """Return the lead times in the unit of the times for which every part has enough cases.

    n_number, ends: see split_in_time.
    """
    candidates = _lead_candidates(times.unit, time_step(times, file)[0])
    return tuple(lead for lead in candidates if _is_long_enough(split_in_time(times, lead, ends, n_number, file)))


def _usual_lead_time(unit: LeadUnit, step: int) -> int:
    least = math.lcm(step, TICKS[unit]) // TICKS[unit]
    return math.ceil(DEFAULT[unit] / least) * least


def _lead_candidates(unit: LeadUnit, step: int) -> list[int]:
    """Return the lead times that the step allows, in the unit: those that forecasters ask for, the shortest, and the usual one."""
    least = math.lcm(step, TICKS[unit]) // TICKS[unit]
    if unit == "h" and least > max(LEAD_TIMES["h"]) and step % TICKS[unit]:
        return []
    return sorted({least, *(lead for lead in (*LEAD_TIMES[unit], _usual_lead_time(unit, step)) if lead % least == 0)})


def _is_long_enough(parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> bool:
    return min(len(init) for init, _ in parts.values()) >= MIN_CASE


def split_in_time(
    times: TimeAxis, lead_time: int, ends: tuple[object, object] | None, n_number: int, file: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the cases of each part: the positions of their init times and of their targets in `times`.

    ends: the dates before which train and calibration end, 60 and 80 percent of the period without them.   n_number: numbers in the inputs
    of a case, which limit the number of cases.
    """
    most = int(min(SHARE.values()) * MAX_NUMBERS) // (2 * MIN_CASE)
    if n_number > most:
        raise ValueError(f"expected fields of at most {most:,} numbers, got {n_number:,} in {file!r}; coarsen the grid")
    tick, lead = times.tick, times.ticks(lead_time)
    position = np.searchsorted(tick, tick + lead)
    target = np.where(position < len(tick), position, 0)
    init = np.flatnonzero(tick[target] == tick + lead)
    first, last = int(tick[0]), int(tick[-1])
    bounds = [times.tick_of(end) for end in ends] if ends else [first + 0.6 * (last - first), first + 0.8 * (last - first)]
    # A part ends with its last target; the first init time of the next part comes a whole lead time later.
    begins = [first, *(bound + lead for bound in bounds)]
    finishes = [*bounds, last + 1]
    per_cycle = max(1, round(CYCLE[times.unit] / np.diff(tick).min()))
    cases = {}
    for part, begin, finish in zip(PARTS, begins, finishes, strict=True):
        chosen = init[(tick[init] >= begin) & (tick[target[init]] < finish)]
        most_case = int(SHARE[part] * MAX_NUMBERS) // (2 * n_number)
        stride = max(1, math.ceil(len(chosen) / min(MAX_CASE[part], max(MIN_CASE, most_case))))
        while stride > 1 and math.gcd(stride, per_cycle) > 1:  # so that init times fall on all hours of the day, and on all months
            stride += 1
        cases[part] = (chosen[::stride], target[chosen[::stride]])
    return cases
