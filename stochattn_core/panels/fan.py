"""The forecast of a series: one fan over the recent past, or every forecast at one lead time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.fan import central, fan
from stochattn_core.figures.theme import Palette
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.fitted import NO_SPREAD, n_outside, read_fitted
from stochattn_core.panels.text import lead_head, lead_text, quantity_text, short_time_format, time_text

N_SHOWN = 160  # forecasts at one lead time, the latest


class Numbers(NamedTuple):
    """past: (step,), context at past_time.   members: (member, point), the forecasts of the times in `time`.   truth, plain: (point,).

    time_name: what `time` holds, "valid_time", or where valid times are not known a lead time or the init times.
    time_format: of dates in `time`.
    """

    past_time: np.ndarray
    past: np.ndarray
    time: np.ndarray
    members: np.ndarray
    truth: np.ndarray
    plain: np.ndarray
    title: str
    subtitle: str
    quantity: str
    time_name: str
    time_format: str


def numbers(view: View) -> Numbers:
    """One forecast, over its valid times; over its lead times where the valid times are not known."""
    data, case, (members, plain) = view.dataset, view.case, view.forecast
    only = data.test.of_cases(np.array([case]))
    context = np.empty(0, dtype=np.float32) if only.past_values is None else only.past_values[0].numpy()
    context = context[-min(len(context), 3 * len(data.lead_time)) :]
    past, valid = data.past_times(only), data.valid_times(only)
    is_known = past is not None and valid is not None
    past_time = past[0, -len(context) :] if past is not None and is_known else _leads(data, range(1 - len(context), 1))
    return Numbers(
        past_time,
        context,
        valid[0] if valid is not None and is_known else _leads(data, data.lead_time),
        members,
        data.test.target[case].numpy(),
        plain,
        f"Forecast from {time_text(data, case)}",
        f"M = {len(members)} members · one of N = {len(data.test):,} forecasts · {lead_text(0, data)}",
        quantity_text(data.target_name, data.units),
        "valid_time" if is_known else lead_head(data.step),
        short_time_format(data),
    )


def numbers_at_lead(view: View) -> Numbers:
    """All forecasts at one lead time, by valid time; by init time where the valid times are not known."""
    ensemble, lead, data = view.ensemble, view.lead, view.dataset
    place, first = ensemble.lead_time.index(lead), max(0, len(ensemble.index) - N_SHOWN)
    members, truth = np.asarray(ensemble.members[:, first:, place]), ensemble.target[first:, place]
    valid = ensemble.valid_times
    time = ensemble.index.to_numpy()[first:] if valid is None else valid[first:, place]
    return Numbers(
        time[:0],
        truth[:0],
        time,
        members,
        truth,
        ensemble.plain[first:, place],
        f"Forecasts {data.step.lead_text(lead)} ahead",
        f"M = {len(members)} members · N = {len(truth):,} forecasts" + (", the latest" if first else ""),
        quantity_text(ensemble.name, ensemble.units),
        "init_time" if valid is None else "valid_time",
        short_time_format(data),
    )


def _leads(data: Dataset, steps: Sequence[int]) -> np.ndarray:
    return np.array([data.step.lead(step) for step in steps])


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return fan(
        numbers.past_time,
        numbers.past,
        numbers.time,
        numbers.members,
        numbers.truth,
        numbers.plain,
        title=numbers.title,
        subtitle=numbers.subtitle,
        y=numbers.quantity,
        x="" if numbers.time_name == "valid_time" else numbers.time_name.replace("_", " "),
        time_format=numbers.time_format,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    return read_fan(numbers.members, numbers.truth, *central(numbers.members, 0.9))


def reading_at_lead(numbers: Numbers) -> str:
    if not np.ptp(numbers.members, axis=0).max() > 0:
        return NO_SPREAD
    return read_fitted(n_outside(numbers.members, numbers.truth), int(np.isfinite(numbers.truth).sum()))


def table(numbers: Numbers) -> pd.DataFrame:
    members = numbers.members
    low, high = central(members, 0.9)
    return pd.DataFrame(
        {
            numbers.time_name: numbers.time,
            "truth": numbers.truth,
            "plain": numbers.plain,
            "mean": members.mean(axis=0),
            "spread": members.std(axis=0, ddof=1),
            "low_90": low,
            "high_90": high,
        }
    )


def read_fan(members: np.ndarray, truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return the sentence under one fan: at how many lead times the 90% band holds the truth, and that one case proves little."""
    known = np.isfinite(truth)
    if not known.any():
        return "The truth of this case is not known."
    if np.ptp(members, axis=0).max() < 1e-9:
        return "The plain model (ν = ∞) gives one line without uncertainty; move the slider to a smaller ν."
    n_inside = int(((truth >= low) & (truth <= high))[known].sum())
    if n_inside == known.sum():
        return f"The 90% band holds the truth at all {n_inside} lead times. One case proves little; the PIT histogram counts all cases."
    return f"The 90% band holds the truth at {n_inside} of {int(known.sum())} lead times. One case proves little; the PIT histogram counts all cases."


panel = Panel(
    "fan", "Forecast", "forecast", numbers, reading, table, figure, tasks=("series",), choices=("case",), serves=lambda view: not view.lead
)
panel_at_lead = Panel(
    "fan-at-lead",
    "Forecasts at one lead time",
    "forecast",
    numbers_at_lead,
    reading_at_lead,
    table,
    figure,
    tasks=("series",),
    choices=("lead",),
    serves=lambda view: bool(view.lead),
)
