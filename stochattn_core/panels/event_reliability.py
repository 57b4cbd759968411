"""Reliability diagram: how often the event happened where the ensemble gave it a probability of 20%, 30%, ..."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.event import reliability as reliability_diagram
from stochattn_core.figures.theme import Palette
from stochattn_core.metrics.consistency import consistency_band
from stochattn_core.metrics.events import reliability
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.event_sums import TAB, known_event


class Numbers(NamedTuple):
    """(bin,) each, of the bins that hold a forecast. low, high: 90% band of chance for probabilities that are right, NaN if not known."""

    probability: np.ndarray
    observed: np.ndarray
    n: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rate: float
    subtitle: str


def numbers(view: View) -> Numbers:
    known = known_event(view)
    points = reliability(known.counts)
    band, used = consistency_band(known.sums.counts, known.block), points.n > 0
    probability, observed, n, low, high = (values[used].numpy() for values in (*points, *band))
    return Numbers(probability, observed, n, low, high, known.rate, known.subtitle)


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return reliability_diagram(
        numbers.probability,
        numbers.observed,
        numbers.n,
        low=numbers.low,
        high=numbers.high,
        base_rate=numbers.rate,
        subtitle=numbers.subtitle,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    return read_reliability(numbers.probability, numbers.observed, numbers.low, numbers.high)


def table(numbers: Numbers) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "forecast_probability": numbers.probability,
            "observed_frequency": numbers.observed,
            "chance_low_90": numbers.low,
            "chance_high_90": numbers.high,
            "n": numbers.n,
        }
    )


def read_reliability(probability: np.ndarray, observed: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return the sentence under a reliability diagram. (bin,) each; low, high: 90% band of chance.

    A tenth of the points of a right forecast lies outside the band, so that a claim needs more than chance alone would put there.
    """
    known = np.isfinite(low) & np.isfinite(high)
    probability, observed, low, high = probability[known], observed[known], low[known], high[known]
    n = len(probability)
    if not n:
        return "There are too few independent cases for a band of chance, so that this diagram shows no more than a tendency."
    beyond = np.maximum(observed - high, low - observed)
    n_outside = int((beyond > 0).sum())
    points = f"{n} point{'' if n == 1 else 's'}"
    if not n_outside:
        return f"None of the {points} lies outside the 90% band of chance: there is no evidence against these probabilities."
    furthest = int(np.argmax(beyond))
    where = f"where the mean forecast was {probability[furthest]:.0%}, the event happened in {observed[furthest]:.0%}"
    verb = "lies" if n_outside == 1 else "lie"
    if n_outside <= at_most_by_chance(n):
        return (
            f"{n_outside} of {points} {verb} outside the 90% band, no more than chance explains. The furthest: {where}. "
            "There is no evidence against these probabilities."
        )
    return f"{n_outside} of {points} {verb} outside the 90% band, more than chance explains. The furthest: {where}."


def at_most_by_chance(n: int) -> int:
    """Return the number of points outside a 90% band that n independent points of a right forecast exceed with probability 5% at most."""
    from scipy import stats

    return int(stats.binom.ppf(0.95, n, 0.1))


panel = Panel("reliability", "Reliability", "tab", numbers, reading, table, figure, tab=TAB, choices=("lead", "event"), in_report=True)
