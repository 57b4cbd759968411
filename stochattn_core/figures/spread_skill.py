"""Spread against error, in bins of cases with similar spread; on the diagonal for a calibrated ensemble."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish, number, title_size


def spread_skill(
    spread: np.ndarray,
    error: np.ndarray,
    count: np.ndarray,
    *,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    ratio: float,
    n_member: int,
    n_case: int,
    units: str = "",
    palette: Palette = BROWSER,
    height: int = 262,
) -> go.Figure:
    """Draw error over spread. spread: (bin,) root-mean member variance times sqrt((M+1)/M); error: (bin,) RMSE of the ensemble mean.

    low, high: (bin,) 90% range of error.   count: (bin,) values.
    """
    keep = (count > 0) & np.isfinite(spread) & np.isfinite(error)
    spread, error, count = spread[keep], error[keep], count[keep]
    reach = {} if low is None or high is None else {"array": (high[keep] - error), "arrayminus": (error - low[keep])}
    top = 1.12 * max(float(np.max(spread, initial=0)), float(np.max(error, initial=0)), 1e-12)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        mode="lines",
        line={"color": palette.reference, "width": 1.2, "dash": "dot"},
        hoverinfo="skip",
        name="spread = error",
    )
    figure.add_scatter(
        x=spread,
        y=error,
        mode="lines+markers",
        line={"color": palette.band50, "width": 1.5},
        marker={"size": 9, "color": palette.ensemble, "line": {"width": 1, "color": palette.paper}},
        error_y={"type": "data", "symmetric": False, "color": palette.band50, "thickness": 1.5, "width": 0, **reach} if reach else None,
        customdata=count,
        hovertemplate="spread %{x:.4g}<br>error %{y:.4g}<br>%{customdata:,} values<extra></extra>",
        name="bins",
    )
    # each side of the diagonal has its meaning written on it, unless the points are there
    if not ratio > 1.6:
        figure.add_annotation(x=top * 0.98, y=top * 0.06, text="too wide", showarrow=False, xanchor="right", font={"size": 11.5})
    if not ratio < 0.6:
        figure.add_annotation(x=top * 0.03, y=top * 0.95, text="too narrow", showarrow=False, xanchor="left", font={"size": 11.5})
    unit = f" ({units})" if units else ""
    finish(
        figure,
        title=f"Spread against error: ratio {number(ratio)}",
        subtitle=title_size(n_member, n_case),
        x=f"spread{unit}",
        y=f"RMSE of the mean{unit}",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[0, top], nticks=6)
    figure.update_yaxes(range=[0, top], nticks=6)
    return figure
