"""Relative economic value: what a user saves who acts on the forecast probability, by the ratio of cost to loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from stochattn_core.figures.event import economic_value as value_figure
from stochattn_core.figures.theme import Palette
from stochattn_core.metrics.case_estimates import case_estimates
from stochattn_core.metrics.events import economic_value, value_envelope
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.event_sums import TAB, KnownEvent, certain_text, known_event

RATIOS = np.arange(1, 50) / 50  # cost over loss


class Numbers(NamedTuple):
    """(ratio,) each. value: of acting where the probability is at least the ratio, with its 90% interval.   envelope: of the best threshold."""

    ratio: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    envelope: np.ndarray
    known: KnownEvent


def numbers(view: View) -> Numbers:
    known, ratio = known_event(view), torch.from_numpy(RATIOS)
    values = case_estimates(
        lambda columns: economic_value(known.sums.of_columns(columns).counts, ratio),
        known.sums.columns.nan_to_num(),
        known.block,
        is_curve=True,
    )
    arrays = (values.value.numpy(), values.low.numpy(), values.high.numpy(), value_envelope(known.counts, ratio).numpy())
    return Numbers(RATIOS, *arrays, known)


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    subtitle = numbers.known.subtitle
    return value_figure(
        numbers.ratio, numbers.value, numbers.envelope, low=numbers.low, high=numbers.high, subtitle=subtitle, palette=palette
    )


def reading(numbers: Numbers) -> str:
    if numbers.known.is_certain:
        return certain_text(numbers.known)
    return read_value(numbers.ratio, numbers.value, numbers.low, numbers.high)


def table(numbers: Numbers) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cost_loss_ratio": numbers.ratio,
            "value": numbers.value,
            "value_low_90": numbers.low,
            "value_high_90": numbers.high,
            "value_of_best_threshold": numbers.envelope,
        }
    )


def read_value(ratio: np.ndarray, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return the sentence under a value curve: where it is above 0 beyond chance. (ratio,) each; low, high: ends of the 90% interval."""
    best = int(np.nanargmax(value))
    saves = f"{value[best]:.0%} of what a perfect forecast would save"
    if not np.isfinite(low).any():
        return f"The largest value is {saves}, at a cost-loss ratio of {ratio[best]:.0%}. There are too few cases for an interval."
    sure = ratio[low > 0]
    if not len(sure):
        return (
            "At no cost-loss ratio does the 90% interval of the value lie above 0: there is no evidence that acting on these probabilities is "
            "better than always or never acting."
        )
    where = f"of {sure[0]:.0%}" if len(sure) == 1 else f"from {sure[0]:.0%} to {sure[-1]:.0%}"
    at = "At a cost-loss ratio" if len(sure) == 1 else f"At {'all' if _is_one_run(low > 0) else 'some'} cost-loss ratios"
    text = (
        f"{at} {where}, acting on these probabilities saves more than always or never acting: the 90% interval lies above 0. The largest value "
        f"is {saves}, at {ratio[best]:.0%}."
    )
    n_losing = int((high < 0).sum())
    if n_losing:
        text += f" At {n_losing} of the {len(ratio)} ratios shown it lies below 0, and acting on them costs more."
    return text


def _is_one_run(is_sure: np.ndarray) -> bool:
    places = np.flatnonzero(is_sure)
    return len(places) == places[-1] - places[0] + 1


panel = Panel("economic-value", "Economic value", "tab", numbers, reading, table, figure, tab=TAB, choices=("lead", "event"))
