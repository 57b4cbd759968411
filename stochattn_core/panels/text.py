"""Values, times and quantities as words, the same on every page, in tables and in files."""

from __future__ import annotations

import math

import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import Score


def value_text(score: Score, value: float) -> str:
    """A score in a table: a share as per cent, a count with separators, a dash where it is not known."""
    if not math.isfinite(value):
        return "–"
    if score.unit == "percent":
        return f"{value:.1%}"
    return f"{value:,.0f}" if score.unit == "count" else number(value).replace("-", "−")


def head_text(score: Score, units: str) -> str:
    """A score in the head of a table, with the unit of the target where it has one."""
    return f"{score.short} ({units_text(units)})" if units and score.unit == "target" else score.short


def quantity_text(name: str, units: str) -> str:
    """temperature (°C)"""
    return f"{name} ({units_text(units)})" if units else name


def time_text(value: object) -> str:
    """A time as short as it can be told."""
    if not isinstance(value, pd.Timestamp):
        return str(value)
    if value == value.normalize():
        return value.strftime("%Y-%m") if value.day == 1 else value.strftime("%Y-%m-%d")
    return value.strftime("%Y-%m-%d %H:%M")


def start_text(data: Dataset, case: int) -> str:
    """The init time of a map, to the day or the hour."""
    start = data.test.index[case]
    if not isinstance(start, pd.Timestamp):
        return str(start)
    return start.strftime("%Y-%m-%d" if start == start.normalize() else "%Y-%m-%d %H:%M")


def lead_unit_text(unit: str, n: float = 2) -> str:
    """hours, 1 hour; a symbol such as h has no plural.

    >>> lead_unit_text("month"), lead_unit_text("month", 1), lead_unit_text("h")
    ('months', 'month', 'h')
    """
    return f"{unit}s" if len(unit) > 1 and n != 1 else unit


def lead_text(lead: int, data: Dataset) -> str:
    """lead times 1 to 12 months, or lead time 3 months."""
    if len(data.lead_time) == 1:
        lead = data.lead_time[0]
    if not lead:
        return f"lead times {data.lead_time[0]} to {data.lead_time[-1]} {lead_unit_text(data.lead_unit)}".rstrip()
    return f"lead time {lead} {lead_unit_text(data.lead_unit, lead)}".rstrip()
