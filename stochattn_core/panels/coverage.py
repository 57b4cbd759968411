"""Coverage: how often central intervals of each nominal level contain the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.coverage import coverage
from stochattn_core.figures.theme import Palette
from stochattn_core.metrics import coverage_curve
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.fitted import NO_SPREAD


class Numbers(NamedTuple):
    """(level,) each, for the levels that the members can reach: 19 members span 90%, so they have no 95% interval."""

    nominal: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    width: np.ndarray
    n_member: int
    n: int


def numbers(view: View) -> Numbers:
    curve, score = coverage_curve(view.statistics), view.summary.scores
    reached = curve.attainable >= curve.nominal - 1e-9
    nominal, observed, low, high, width = (
        values[reached] for values in (curve.nominal, curve.observed, curve.low, curve.high, curve.width)
    )
    return Numbers(nominal, observed, low, high, width, view.summary.n_member, int(score["n"]))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    size = {"n_member": numbers.n_member, "n_case": numbers.n}
    return coverage(numbers.nominal, numbers.observed, low=numbers.low, high=numbers.high, palette=palette, **size)


def reading(numbers: Numbers) -> str:
    if not numbers.width.max() > 0:
        return NO_SPREAD
    return read_coverage(numbers.nominal, numbers.observed)


def table(numbers: Numbers) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "nominal": numbers.nominal,
            "observed": numbers.observed,
            "observed_low_90": numbers.low,
            "observed_high_90": numbers.high,
            "mean_width": numbers.width,
        }
    )


def read_coverage(level: np.ndarray, observed: np.ndarray) -> str:
    """Return the sentence under a coverage curve: the largest gap between nominal and observed coverage."""
    gap = observed - level
    worst = int(np.argmax(np.abs(gap)))
    if abs(gap[worst]) < 0.03:
        return "Intervals hold the truth as often as they should, within 3 percentage points at every level."
    kind = "rarely: the ensemble is too narrow" if gap[worst] < 0 else "often: the ensemble is too wide"
    return f"Intervals hold the truth too {kind}. The largest gap: {level[worst]:.0%} intervals hold {observed[worst]:.0%} of the truths."


panel = Panel("coverage", "Coverage", "tab", numbers, reading, table, figure, tab="Coverage", choices=("lead",), in_report=True)
