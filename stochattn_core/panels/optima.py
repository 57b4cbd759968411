"""The optimum of each objective, with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.objectives import ROLES, Span, optima
from stochattn_core.figures.theme import Palette
from stochattn_core.panels.base import Panel
from stochattn_core.panels.objectives import tuning_of
from stochattn_core.tuning import OBJECTIVES, Tuning

SHORT = {"pooled": "pooled", "per-sample": "per-sample", "averaged": "averaged", "ratio": "ratio", "crps": "fair CRPS", "w1": "W1"}


def spans(tuning: Tuning) -> list[Span]:
    """Return the intervals of the chosen objective, drawn thick, then those of the others."""
    role = dict(zip(OBJECTIVES, ROLES, strict=True))
    chosen = [
        Span(name.capitalize(), tuning.optimum, min(low, tuning.optimum), max(high, tuning.optimum), role[tuning.objective], strong=True)
        for name, (low, high) in tuning.intervals.items()
    ]
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
        subtitle=f"{tuning.interval[0]:.0%} intervals · thick: {chosen} · dotted: ν* = {tuning.concentration:,}",
        height=400,
        palette=palette,
    )


def reading(tuning: Tuning) -> str:
    return read_optima(tuning.intervals)


def table(tuning: Tuning) -> pd.DataFrame:
    rows = [(span.name, span.value, span.low, span.high) for span in spans(tuning)]
    return pd.DataFrame(rows, columns=["objective", "optimum", "low", "high"])


def read_optima(intervals: Mapping[str, tuple[float, float]]) -> str:
    """Return the sentence under the intervals: which one is wider and is exported. intervals: by name."""
    if len(intervals) == 1:
        (name,) = intervals
        return f"There is one interval, from the {name}; this objective has no posterior for a second one."
    factor = {name: high / low for name, (low, high) in intervals.items()}
    wider, other = max(factor, key=lambda name: factor[name]), min(factor, key=lambda name: factor[name])
    sentence = f"The {wider} interval spans a factor of {factor[wider]:.2f}, the {other} interval one of {factor[other]:.2f}. The wider one is exported"
    return (
        f"{sentence}. Only the bootstrap takes account of few or dependent cases." if factor[wider] > 2 * factor[other] else f"{sentence}."
    )


panel = Panel("optima", "Intervals", "tune", tuning_of, reading, table, figure, tab="intervals", is_cached=False)
