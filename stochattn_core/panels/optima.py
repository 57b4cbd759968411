"""The optimum of each objective, with its interval."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.objectives import ROLES, Span, optima
from stochattn_core.figures.theme import Palette, number
from stochattn_core.panels.base import Panel
from stochattn_core.panels.objectives import tuning_of
from stochattn_core.tuning import OBJECTIVES, Tuning

SHORT = {"pooled": "pooled", "per-sample": "per-sample", "averaged": "averaged", "ratio": "ratio", "crps": "fair CRPS", "w1": "W1"}


def spans(tuning: Tuning) -> list[Span]:
    """Return the intervals of the chosen objective, drawn thick, then those of the others."""
    role = dict(zip(OBJECTIVES, ROLES, strict=True))
    _, low, high = tuning.interval
    chosen = [Span(f"{SHORT[tuning.objective]}: ν*", tuning.optimum, low, high, role[tuning.objective], strong=True)]
    others = [
        Span(f"{SHORT[name]} (grid)" if name == tuning.objective else SHORT[name], optimum.value, optimum.low, optimum.high, role[name])
        for name, optimum in tuning.optima.items()
        if name != tuning.objective or tuning.thompson
    ]
    return chosen + others


def figure(tuning: Tuning, palette: Palette) -> go.Figure:
    chosen = OBJECTIVES[tuning.objective].title
    return optima(
        spans(tuning),
        tuning.grid,
        concentration=tuning.concentration,
        subtitle=f"{tuning.interval[0]:.0%} intervals · thick: {chosen} · dotted: used, ν = {tuning.concentration:,}",
        height=400,
        palette=palette,
    )


def reading(tuning: Tuning) -> str:
    return read_optima(tuning.optimum, tuning.interval, tuning.n_effective)


def table(tuning: Tuning) -> pd.DataFrame:
    rows = [(span.name, span.value, span.low, span.high) for span in spans(tuning)]
    return pd.DataFrame(rows, columns=["objective", "optimum", "low", "high"])


def read_optima(optimum: float, interval: tuple[float, float, float], n_effective: float) -> str:
    """Return the sentence under the intervals: nu*, its interval, and the independent cases behind it. interval: (level, low, high)."""
    level, low, high = interval
    if not math.isfinite(n_effective):
        return f"ν* is {number(optimum)}; there are too few independent calibration cases for an interval, so the whole range is shown."
    n = max(math.floor(n_effective), 1)  # rounded down, because the sentence compares it with 20
    behind = f"{n:,} independent calibration case{'s' if n > 1 else ''}"
    sentence = f"ν* is {number(optimum)} ({level:.0%} interval {number(low)} to {number(high)}), on {behind}."
    return f"{sentence} With fewer than 20, the interval is not to be trusted." if n_effective < 20 else sentence


panel = Panel("optima", "Intervals", "tune", tuning_of, reading, table, figure, tab="intervals", is_cached=False)
