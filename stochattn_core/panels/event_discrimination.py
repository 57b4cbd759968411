"""ROC curve: does the ensemble give higher probabilities to events than to non-events?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.event import roc
from stochattn_core.figures.theme import Palette
from stochattn_core.metrics.case_estimates import case_estimates
from stochattn_core.metrics.events import probabilities, rates, roc_area
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.event_sums import TAB, KnownEvent, certain_text, known_event


class Numbers(NamedTuple):
    """hit, false_alarm, probability: (threshold,), from never warning to always; probability: the least at which the warning is given."""

    hit: np.ndarray
    false_alarm: np.ndarray
    probability: np.ndarray
    area: tuple[float, float, float]
    known: KnownEvent


def numbers(view: View) -> Numbers:
    known = known_event(view)
    hit, false_alarm = (rate.flip(0).numpy() for rate in rates(known.counts))
    least = np.append(probabilities(known.n_member).numpy(), np.nan)[::-1]  # the first point never warns
    area = case_estimates(
        lambda columns: roc_area(known.sums.of_columns(columns).counts)[..., None],
        known.sums.columns.nan_to_num(),
        known.block,
        scale="share",
    )
    return Numbers(hit, false_alarm, least, area.at(0), known)


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return roc(numbers.false_alarm, numbers.hit, numbers.probability, subtitle=numbers.known.subtitle, palette=palette)


def reading(numbers: Numbers) -> str:
    return certain_text(numbers.known) if numbers.known.is_certain else read_roc(numbers.area)


def table(numbers: Numbers) -> pd.DataFrame:
    return pd.DataFrame({"warn_from_probability": numbers.probability, "hit_rate": numbers.hit, "false_alarm_rate": numbers.false_alarm})


def read_roc(area: tuple[float, float, float]) -> str:
    """Return the sentence under a ROC curve. area: with the ends of its 90% interval."""
    value, low, high = area
    says = f"In {value:.0%} of all pairs of an event and a non-event, the event had the higher forecast probability"
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"{says}. There are too few independent cases for an interval."
    says += f" (90% interval {max(low, 0):.0%} to {min(high, 1):.0%}; 50% is no discrimination)."
    if low <= 0.5 <= high:
        return f"{says} There is no evidence that the ensemble tells events from non-events."
    if high < 0.5:
        return f"{says} It ranks them the wrong way round, beyond chance."
    return f"{says} It tells them apart beyond chance, which does not say that its probabilities are right."


panel = Panel("roc", "Discrimination", "tab", numbers, reading, table, figure, tab=TAB, choices=("lead", "event"))
