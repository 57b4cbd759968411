"""The time step of a series: its length in words and numbers, and the times that lie so many steps from another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86400, "week": 7 * 86400}
MONTHS = {"month": 1, "quarter": 3, "year": 12}  # counted on the calendar, because they have no fixed length
WORDS = ("day", "week", *MONTHS, "step")  # these have a plural; the symbols s, min and h have none
SPELLINGS = {"second": "s", "minute": "min", "hour": "h", "d": "day"}
CF_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "day": "days"}


@dataclass(frozen=True)
class TimeStep:
    """A step of `count` units.

    unit: "s", "min", "h", "day", "week", "month", "quarter", "year"; "step" where the rows of a series are counted; "" where nothing is
    known; any other word stays as it is.   A lead time of n steps is the physical time n * count, such as 48 h for 3 steps of 16 h.
    """

    count: int | float = 1
    unit: str = ""

    @classmethod
    def of(cls, text: str) -> TimeStep:
        """Return the step that a text names, in the singular or the plural.

        >>> TimeStep.of("16 h"), TimeStep.of("months"), TimeStep.of("")
        (TimeStep(count=16, unit='h'), TimeStep(count=1, unit='month'), TimeStep(count=1, unit=''))
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)?\s*(.*)", text.strip())
        number, unit = match.groups() if match else (None, text.strip())
        singular = unit[:-1] if unit.endswith("s") and unit[:-1] in (*WORDS, *SPELLINGS) else unit
        return cls(_whole(float(number)) if number else 1, SPELLINGS.get(singular, singular))

    @property
    def text(self) -> str:
        """The step in words: "1 h", "10 min", "1 month"; "" where the unit is not known."""
        return self.lead_text(1) if self.unit else ""

    @property
    def is_below_a_day(self) -> bool:
        return SECONDS.get(self.unit, SECONDS["day"]) * self.count < SECONDS["day"]

    def lead(self, n: int) -> int | float:
        """Return n steps as a number of units."""
        return _whole(n * self.count)

    def lead_text(self, n: int) -> str:
        """Return n steps in words.

        >>> TimeStep(16, "h").lead_text(3), TimeStep(1, "month").lead_text(3), TimeStep(1, "month").lead_text(1)
        ('48 h', '3 months', '1 month')
        """
        return f"{self.lead(n)} {self.unit_text(self.lead(n))}".rstrip()

    def leads_text(self, first: int, last: int) -> str:
        """Return a range of steps in words: "16 to 384 h"."""
        return f"{self.lead(first)} to {self.lead_text(last)}"

    def unit_text(self, value: float = 2) -> str:
        """Return the unit behind a value: words have a plural, symbols have none."""
        return f"{self.unit}s" if self.unit in WORDS and value != 1 else self.unit

    def times(self, index: pd.Index, steps: Sequence[int]) -> np.ndarray | None:
        """Return the times that lie so many steps after each entry of the index, (entry, step); None where they cannot be known.

        steps: negative before the entry.   Months, quarters and years keep the day of the month and the time of day, and month ends stay
        month ends. Dates come back as datetime64 (in UTC where they have a zone), numbers as numbers. Labels that are neither have no such
        times, nor do dates whose step has no length (rows that are not evenly spaced).
        """
        n = np.asarray(steps) * self.count
        if isinstance(index, pd.DatetimeIndex):
            start = (index.tz_convert("UTC") if index.tz else index).tz_localize(None).as_unit("us").to_numpy()[:, None]
            if self.unit in SECONDS:
                return start + np.round(n * SECONDS[self.unit] * 1e6).astype("timedelta64[us]")
            return _months_later(start, n * MONTHS[self.unit]) if self.unit in MONTHS else None
        if pd.api.types.is_numeric_dtype(index) and self.unit:
            return index.to_numpy()[:, None] + n
        return None


def _months_later(start: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the same day and time so many months later. start: (entry, 1) datetime64.   months: (step,)."""
    month = start.astype("datetime64[M]")
    day = (start.astype("datetime64[D]") - month).astype(int)  # 0 is the first of the month
    at_end = bool((day > 26).all()) and bool((day == np.minimum(day.max(), _days_in(month) - 1)).all())
    later = month + np.round(months).astype("timedelta64[M]")
    day = np.minimum(day.max() if at_end else day, _days_in(later) - 1)
    return later.astype("datetime64[us]") + day.astype("timedelta64[D]") + (start - start.astype("datetime64[D]"))


def _days_in(month: np.ndarray) -> np.ndarray:
    return ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)


def _whole(value: float) -> int | float:
    """Return the value as an int if it is one, else without the last digits of its rounding error."""
    return int(value) if value == int(value) else float(f"{value:.12g}")
