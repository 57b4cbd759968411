"""Coverage curve: how often central intervals of each nominal level contain the truth."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.band import add_band
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below, title_size


def coverage(
    level: np.ndarray,
    observed: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    n_member: int,
    n_case: int,
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw observed over nominal coverage. level, observed: (level,) in 0..1; low, high: (level,) the 90% range of observed."""
    figure = go.Figure()
    add_band(figure, level, low, high, "90% range", palette)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": palette.reference, "width": 1.4, "dash": "dot"},
        hoverinfo="skip",
        name="observed = nominal",
    )
    figure.add_scatter(
        x=level,
        y=observed,
        mode="lines+markers",
        line={"color": palette.ensemble, "width": 2},
        marker={"size": 7, "color": palette.ensemble},
        hovertemplate="a %{x:.0%} interval holds the truth in %{y:.1%} of the cases<extra></extra>",
        name="ensemble",
    )
    finish(
        figure,
        title="Coverage of central intervals",
        subtitle=title_size(n_member, n_case),
        x="nominal level",
        y="observed",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[0, 1.01], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.01], tickformat=".0%")
    return legend_below(figure, -0.2)
