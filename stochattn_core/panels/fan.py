"""The forecast of a series: one fan over the recent past, or every forecast at one lead time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.fan import central, fan
from stochattn_core.figures.theme import Palette
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.fitted import NO_SPREAD, n_outside, read_fitted
from stochattn_core.panels.text import lead_unit_text, quantity_text, time_text

N_SHOWN = 160  # forecasts at one lead time, the latest


class Numbers(NamedTuple):
    """past: (step,), context at past_time.   members: (member, valid_time).   truth, plain: (valid_time,)."""

    past_time: np.ndarray
    past: np.ndarray
    valid_time: np.ndarray
    members: np.ndarray
    truth: np.ndarray
    plain: np.ndarray
    title: str
    subtitle: str
    quantity: str


def numbers(view: View) -> Numbers:
    """One forecast."""
    data, case, (members, plain) = view.dataset, view.case, view.forecast
    index, context = data.test.index, data.test.inputs[case].numpy()
    context = context[-min(len(context), 3 * len(data.lead_time)) :]
    past_time, valid_time = times_around(index, case, len(context), len(data.lead_time))
    return Numbers(
        past_time,
        context,
        valid_time,
        members,
        data.test.target[case].numpy(),
        plain,
        f"Forecast from {time_text(index[case])}",
        f"M = {len(members)} members · one of N = {len(index):,} forecasts",
        quantity_text(data.target_name, data.units),
    )


def numbers_at_lead(view: View) -> Numbers:
    """All forecasts at one lead time, by valid time."""
    ensemble, lead = view.ensemble, view.lead
    place, first = ensemble.lead_time.index(lead), max(0, len(ensemble.index) - N_SHOWN)
    members, truth = np.asarray(ensemble.members[:, first:, place]), ensemble.target[first:, place]
    valid_time = np.array([times_around(ensemble.index, case, 1, lead)[1][-1] for case in range(first, len(ensemble.index))])
    return Numbers(
        valid_time[:0],
        truth[:0],
        valid_time,
        members,
        truth,
        ensemble.plain[first:, place],
        f"Forecasts {lead} {lead_unit_text(ensemble.lead_unit, lead)}".rstrip() + " ahead",
        f"M = {len(members)} members · N = {len(truth):,} forecasts" + (", the latest" if first else ""),
        quantity_text(ensemble.name, ensemble.units),
    )


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return fan(
        numbers.past_time,
        numbers.past,
        numbers.valid_time,
        numbers.members,
        numbers.truth,
        numbers.plain,
        title=numbers.title,
        subtitle=numbers.subtitle,
        y=numbers.quantity,
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
            "valid_time": numbers.valid_time,
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


def times_around(index: pd.Index, case: int, n_past: int, n_after: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of the last n_past values up to the init time, and of the n_after values after it, at the spacing of the index."""
    if isinstance(index, pd.DatetimeIndex):
        frequency = pd.infer_freq(index[:50]) if len(index) > 3 else None
        step = pd.tseries.frequencies.to_offset(frequency) if frequency else (index[1:] - index[:-1]).min()
        past = [index[case] - step * k for k in range(n_past - 1, -1, -1)]
        return np.array(past, dtype="datetime64[ns]"), np.array(
            [index[case] + step * k for k in range(1, n_after + 1)], dtype="datetime64[ns]"
        )
    spacing = np.min(np.diff(np.asarray(index))) if len(index) > 1 else 1
    return index[case] + spacing * np.arange(1 - n_past, 1), index[case] + spacing * np.arange(1, n_after + 1)


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
