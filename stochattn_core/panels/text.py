"""Values, times and quantities in words, the same on all pages, in tables and in files."""

from __future__ import annotations

import math

import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import Score

WORDS = ("hour", "day", "week", "month", "quarter", "year", "step")  # units of lead time that have a plural


def value_text(score: Score, value: float) -> str:
    """Return a score as text: a share in percent, a count with separators, a dash where it is not known."""
    if not math.isfinite(value):
        return "–"
    if score.unit == "percent":
        return f"{value:.1%}"
    return f"{value:,.0f}" if score.unit == "count" else number(value).replace("-", "−")


def head_text(score: Score, units: str) -> str:
    """Return the heading of a score in a table, with the unit of the target if it has one."""
    return f"{score.short} ({units_text(units)})" if units and score.unit == "target" else score.short


def quantity_text(name: str, units: str) -> str:
    """Return a quantity with its unit: temperature (°C)."""
    return f"{name} ({units_text(units)})" if units else name


def time_text(value: object) -> str:
    """Return a time, without the parts that it does not need."""
    if not isinstance(value, pd.Timestamp):
        return str(value)
    if value == value.normalize():
        return value.strftime("%Y-%m") if value.day == 1 else value.strftime("%Y-%m-%d")
    return value.strftime("%Y-%m-%d %H:%M")


def start_text(data: Dataset, case: int) -> str:
    """Return the init time of a map, to the day or the minute."""
    start = data.test.index[case]
    if not isinstance(start, pd.Timestamp):
        return str(start)
    return start.strftime("%Y-%m-%d" if start == start.normalize() else "%Y-%m-%d %H:%M")


def lead_unit_text(unit: str, n: float = 2) -> str:
    """Return the unit of n lead times: words have a plural, symbols have none.

    >>> lead_unit_text("month"), lead_unit_text("month", 1), lead_unit_text("h"), lead_unit_text("15 min")
    ('months', 'month', 'h', '15 min')
    """
    return f"{unit}s" if unit in WORDS and n != 1 else unit


def lead_text(lead: int, data: Dataset) -> str:
    """Return "lead times 1 to 12 months" or "lead time 3 months"."""
    if len(data.lead_time) == 1:
        lead = data.lead_time[0]
    if not lead:
        return f"lead times {data.lead_time[0]} to {data.lead_time[-1]} {lead_unit_text(data.lead_unit)}".rstrip()
    return f"lead time {lead} {lead_unit_text(data.lead_unit, lead)}".rstrip()
