"""Scores by lead time: for a series from one ensemble, for the planet from one evaluation at each lead time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.datasets.time_step import TimeStep
from stochattn_core.figures.lead_curves import lead_curves
from stochattn_core.figures.theme import Palette, title_size, units_text
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.score_lines import ScoresAt, lines_of
from stochattn_core.panels.text import lead_head
from stochattn_core.verdict.summary import LEAST_RATIO


class Numbers(NamedTuple):
    """lead_time: (point,) as physical times, in units of the step.   lead_texts: (point,) the same in words."""

    lead_time: np.ndarray
    lead_texts: list[str]
    scores: ScoresAt
    units: str
    step: TimeStep


def numbers(view: View) -> Numbers:
    ensemble = view.ensemble
    if ensemble.latitude:
        by_lead = view.by_lead or {ensemble.lead_time[0]: view.summary}
        leads, scores = sorted(by_lead), ScoresAt.of_summaries([by_lead[lead] for lead in sorted(by_lead)])
    else:
        leads, scores = list(ensemble.lead_time), view.remember("by-lead", 0, lambda: ScoresAt.of_event(view.known.statistics))
    step = ensemble.step
    return Numbers(
        np.array([step.lead(lead) for lead in leads]), [step.lead_text(lead) for lead in leads], scores, units_text(ensemble.units), step
    )


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    subtitle = title_size(numbers.scores.n_member, numbers.scores.n_case, "bands: 90% ranges")
    lines = lines_of(numbers.scores, numbers.units)
    return lead_curves(
        numbers.lead_time, lines, subtitle=subtitle, lead_unit=numbers.step.unit_text(), lead_texts=numbers.lead_texts, palette=palette
    )


def reading(numbers: Numbers) -> str:
    ratio, low, high = (values["spread_skill_ratio"] for values in (numbers.scores.values, numbers.scores.low, numbers.scores.high))
    return read_lead_curves(numbers.lead_time, ratio, low, high, numbers.step.unit)


def table(numbers: Numbers) -> pd.DataFrame:
    rows = numbers.scores.table()
    rows.insert(0, lead_head(numbers.step), numbers.lead_time)
    return rows


def read_lead_curves(lead_time: np.ndarray, ratio: np.ndarray, low: np.ndarray, high: np.ndarray, lead_unit: str = "h") -> str:
    """Return the sentence under the scores by lead time: at which of them a ratio of 1 can be excluded. lead_unit: as in TimeStep."""
    known = np.isfinite(ratio)
    lead_time, ratio, low, high = lead_time[known], ratio[known], low[known], high[known]
    if not len(ratio):
        return "The spread-skill ratio is not known at any lead time."
    if not np.max(ratio) > LEAST_RATIO:
        return "There is no spread: the plain model gives one answer at each lead time."
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return "There are too few independent init times for ranges of these scores."
    narrow, wide = lead_time[high < 1], lead_time[low > 1]
    if not len(narrow) and not len(wide):
        return "There is no evidence that spread and error differ: at every lead time the 90% range of the ratio contains 1."
    parts = [f"too narrow at {_leads(narrow, lead_unit)}"] if len(narrow) else []
    parts += [f"too wide at {_leads(wide, lead_unit)}"] if len(wide) else []
    rest = len(lead_time) - len(narrow) - len(wide)
    return f"The ensemble is {' and '.join(parts)}" + (
        "; at the other lead times the 90% range of the ratio contains 1." if rest else ", beyond chance."
    )


def _leads(lead_time: np.ndarray, unit: str) -> str:
    last = TimeStep(unit=unit).unit_text(lead_time[-1])
    if len(lead_time) > 7:
        return f"{len(lead_time)} lead times from {lead_time[0]:g} to {lead_time[-1]:g} {last}"
    return f"{', '.join(f'{lead:g}' for lead in lead_time)} {last}"


panel = Panel(
    "lead-time",
    "By lead time",
    "tab",
    numbers,
    reading,
    table,
    figure,
    tab="By lead time",
    tasks=("series", "grid"),
    is_cached=False,
    in_report=True,
)
