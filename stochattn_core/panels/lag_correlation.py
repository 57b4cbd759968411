"""Do the members of a series stray from their mean as persistently as the errors do?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from stochattn_core.figures.lag_correlation import lag_correlation as lag_figure
from stochattn_core.figures.theme import Palette, title_size
from stochattn_core.metrics.joint import LagCorrelation, lag_correlation
from stochattn_core.panels.base import Panel, View

TAB = "Joint behaviour"


class Numbers(NamedTuple):
    """lag: (lag,) in units of lag_unit.   lag_texts: (lag,) in words."""

    lag: np.ndarray
    lag_texts: Sequence[str]
    lag_unit: str
    correlation: LagCorrelation
    subtitle: str


def numbers(view: View) -> Numbers:
    ensemble, step = view.ensemble, view.ensemble.step
    leads = ensemble.lead_time
    correlation = lag_correlation(np.asarray(ensemble.members), ensemble.target, ensemble.block)
    steps = [lead - leads[0] for lead in leads]
    subtitle = title_size(ensemble.n_member, int(np.isfinite(ensemble.target).all(1).sum()) * len(leads))
    return Numbers(
        np.array([step.lead(lag) for lag in steps]), [step.lead_text(lag) for lag in steps], step.unit_text(), correlation, subtitle
    )


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    members, errors, _ = numbers.correlation
    return lag_figure(
        numbers.lag,
        members.value.numpy(),
        errors.value.numpy(),
        low=errors.low.numpy(),
        high=errors.high.numpy(),
        lag_texts=numbers.lag_texts,
        lag_unit=numbers.lag_unit,
        subtitle=numbers.subtitle,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    members, errors, gap = numbers.correlation
    first = 1  # neighbouring lead times: most pairs of lead times have this lag
    n_lead = len(gap.value)
    over_all_lags = float((gap.value * torch.arange(n_lead, 0, -1))[first:].sum())
    return read_correlation(float(members.value[first]), float(errors.value[first]), gap.at(first), over_all_lags=over_all_lags)


def table(numbers: Numbers) -> pd.DataFrame:
    members, errors, gap = numbers.correlation
    return pd.DataFrame(
        {
            f"lag{f' ({numbers.lag_unit})' if numbers.lag_unit else ''}": numbers.lag,
            "members": members.value.numpy(),
            "errors": errors.value.numpy(),
            "errors_low_90": errors.low.numpy(),
            "errors_high_90": errors.high.numpy(),
            "members_minus_errors": gap.value.numpy(),
            "members_minus_errors_low_90": gap.low.numpy(),
            "members_minus_errors_high_90": gap.high.numpy(),
        }
    )


def read_correlation(members: float, errors: float, gap: tuple[float, float, float], *, over_all_lags: float) -> str:
    """Return the sentence under the correlations: whether neighbouring lead times depend on one another among members as among errors.

    members, errors: at a lag of one lead time.   gap: members minus errors with its 90% interval.   over_all_lags: the sum of such gaps over all
    pairs of lead times, on which the variance of their mean depends.
    """
    if not np.isfinite(members):
        return "There is no spread, so that the members say nothing about the joint behaviour of errors."
    both = f"From one lead time to the next, members' deviations have a correlation of {members:.2f} and errors of {errors:.2f}"
    _, low, high = gap
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"{both}. There are too few independent cases to compare them."
    interval = f"difference {gap[0]:+.2f}, 90% interval {low:+.2f} to {high:+.2f}".replace("-", "−")
    if low <= 0 <= high:
        return f"{both}: there is no evidence that they differ ({interval})."
    side, too = ("less", "small") if high < 0 else ("more", "large")
    text = f"{both}: the members stray {side} persistently than the errors ({interval})."
    if np.sign(over_all_lags) != np.sign(gap[0]):
        return text
    return f"{text} If the spread were the same and right at every lead time, that of the mean over lead times would be too {too}."


panel = Panel(
    "lag-correlation",
    "Correlation over lead times",
    "tab",
    numbers,
    reading,
    table,
    figure,
    tab=TAB,
    tasks=("series",),
    serves=lambda view: view.evaluation is not None and len(view.ensemble.lead_time) > 1 and view.ensemble.n_member > 1,
    in_report=True,
)
