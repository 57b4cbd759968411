"""Coverage curve: how often central intervals of every nominal level hold the truth."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish, title_size


def coverage(
    level: np.ndarray, observed: np.ndarray, *, n_member: int, n_case: int, palette: Palette = BROWSER, height: int = 360
) -> go.Figure:
    """level, observed: (level,) nominal and observed coverage, both in 0..1."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": palette.reference, "width": 1.2, "dash": "dot"},
        hoverinfo="skip",
        name="says = holds",
    )
    figure.add_scatter(
        x=np.concatenate([level, level[::-1]]),
        y=np.concatenate([observed, level[::-1]]),
        fill="toself",
        fillcolor=palette.band90,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
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
        title="Coverage: what intervals say against what they hold",
        subtitle=title_size(n_member, n_case),
        x="nominal level",
        y="observed",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[0, 1.01], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.01], tickformat=".0%")
    return figure
