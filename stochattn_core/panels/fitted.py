"""Predicted against true values of the cases of a table, with 90% intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.figures.fan import central
from stochattn_core.figures.fitted import fitted
from stochattn_core.figures.theme import Palette
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.cases import rows_of
from stochattn_core.panels.text import quantity_text

NO_SPREAD = "There are no intervals: the plain model gives one answer."


class Numbers(NamedTuple):
    """case: the position of the marked case."""

    ensemble: Ensemble
    case: int


def numbers(view: View) -> Numbers:
    return Numbers(view.ensemble, view.case)


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    ensemble = numbers.ensemble
    return fitted(
        np.asarray(ensemble.members),
        ensemble.target,
        ensemble.plain,
        quantity=quantity_text(ensemble.name, ensemble.units),
        case=np.asarray(ensemble.index),
        chosen=numbers.case,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    ensemble = numbers.ensemble
    if not ensemble.spread.max() > 0:
        return NO_SPREAD
    return read_fitted(n_outside(np.asarray(ensemble.members), ensemble.target), int(np.isfinite(ensemble.target).sum()))


def table(numbers: Numbers) -> pd.DataFrame:
    return rows_of(numbers.ensemble)


def read_fitted(outside: int, n_case: int) -> str:
    """Return the sentence under predicted against true: how many of all truths lie outside their 90% interval; 10% should."""
    share = outside / max(n_case, 1)
    chance = 1.645 * np.sqrt(0.09 / max(n_case, 1))
    sentence = f"{outside:,} of {n_case:,} truths ({share:.0%}) lie outside their 90% interval; 10% is expected"
    if abs(share - 0.1) <= chance:
        return f"{sentence}. Chance alone can explain the difference."
    return f"{sentence}. The intervals are too {'narrow' if share > 0.1 else 'wide'}."


def n_outside(members: np.ndarray, truth: np.ndarray) -> int:
    """Return how many truths lie outside their 90% interval. members: (member, case).   truth: (case,), NaN where missing."""
    low, high = central(members, 0.9)
    return int(((truth < low) | (truth > high)).sum())


panel = Panel("fitted", "Predicted against true", "forecast", numbers, reading, table, figure, tasks=("table",), choices=("case",))
