"""Values, times and quantities in words, the same on all pages, in tables and in files."""

from __future__ import annotations

import math
import re

import pandas as pd

from stochattn_core.datasets import DATASETS
from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.datasets.time_step import TimeStep
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import Score


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


def time_format(data: Dataset) -> str:
    """Return the format of the times of a dataset: with the time of day where the step of a series is below a day or any init time needs it."""
    index, step = _times(data.test, data), data.step
    if not isinstance(index, pd.DatetimeIndex):
        return ""
    has_seconds = step.unit == "s" or bool((index.second != 0).any())
    has_time = has_seconds or (data.task == "series" and step.is_below_a_day) or bool((index.normalize() != index).any())
    return "%Y-%m-%d" + (" %H:%M:%S" if has_seconds else " %H:%M" if has_time else "")


def short_time_format(data: Dataset) -> str:
    """Return the format of times in titles and on axes: years and months alone where a series has one value in each."""
    full, index, unit = time_format(data), _times(data.test, data), data.step.unit if data.task == "series" else ""
    if full != "%Y-%m-%d" or not isinstance(index, pd.DatetimeIndex) or not (index.day == 1).all():
        return full
    if unit == "year" and (index.month == 1).all():
        return "%Y"
    return "%Y-%m" if unit in ("month", "quarter", "year") else full


def _times(split: Split, data: Dataset) -> pd.Index:
    """Return the times by which a part is ordered: of a table that is split in time, those of its rows."""
    return split.index if data.task != "table" or split.valid_time is None else pd.DatetimeIndex(split.valid_time)


def period_text(split: Split, data: Dataset) -> tuple[str, str] | None:
    """Return the first and the last time of a part in words; None for a table that is split at random."""
    if data.task == "table" and split.valid_time is None:
        return None
    first, last = times_text(_times(split, data)[[0, -1]], data)
    return first, last


def times_text(index: pd.Index, data: Dataset) -> list[str]:
    """Return times of a dataset in words: dates to the precision of its step, numbers without needless digits, labels as they are."""
    form = short_time_format(data)
    return [_time_text(value, form) for value in index]


def time_text(data: Dataset, case: int) -> str:
    """Return the init time of a case of the test part in words."""
    return times_text(data.test.index[[case]], data)[0]


def _time_text(value: object, form: str) -> str:
    if isinstance(value, pd.Timestamp):
        return value.strftime(form or "%Y-%m-%d %H:%M")
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def with_times_as_text(table: pd.DataFrame, data: Dataset) -> pd.DataFrame:
    """Return a table whose columns of dates are text, for the page and for files: 2020-12-31, with the time of day where the step needs it."""
    dates = [name for name in table.columns if pd.api.types.is_datetime64_any_dtype(table[name])]
    form = time_format(data) or "%Y-%m-%d %H:%M"
    return table.assign(**{name: table[name].dt.strftime(form) for name in dates}) if dates else table


def lead_text(lead: int, data: Dataset) -> str:
    """Return "lead times 1 to 12 months" or, for the lead time of 3 steps of 16 h, "lead time 48 h". lead: 0 for all."""
    leads = data.lead_time
    if lead or len(leads) == 1:
        return f"lead time {data.step.lead_text(lead or leads[0])}"
    return f"lead times {data.step.leads_text(leads[0], leads[-1])}"


def lead_head(step: TimeStep) -> str:
    """Return the heading of lead times in a table: "lead_time (h)"."""
    return f"lead_time ({step.unit_text()})" if step.unit else "lead_time"


def dataset_text(data: Dataset) -> str:
    """Return the name of an embedded dataset, which loads it again, or the title of any other."""
    return data.name if data.name in DATASETS else data.title


def file_part(data: Dataset) -> str:
    """Return the words by which a file is named after a dataset: the name of an embedded one, else its title.

    Only characters that every file system takes: "ETTh1.csv: OT" becomes "ETTh1.csv-OT".
    """
    return re.sub(r"[^\w.+-]+", "-", dataset_text(data)).strip("-.") or "data"
