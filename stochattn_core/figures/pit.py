"""PIT histogram: the position of the truth among the members. It is flat for a calibrated ensemble."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish, title_size


def pit(
    density: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    n_member: int,
    n_case: int,
    more: str = "",
    palette: Palette = BROWSER,
    height: int = 262,
) -> go.Figure:
    """Draw a PIT histogram. density: (bin,) share of the cases times the number of bins, 1 when flat. low, high: (bin,) 90% band of chance.

    Bars above the band have the colour of an error: the truth falls there too often.
    """
    n_bin = len(density)
    edge = np.linspace(0, 1, n_bin + 1)
    middle = (edge[:-1] + edge[1:]) / 2
    too_often = density > high
    figure = go.Figure()
    figure.add_bar(
        x=middle,
        y=density,
        width=0.94 / n_bin,
        marker={"color": [palette.error if is_high else palette.ensemble for is_high in too_often], "line": {"width": 0}},
        customdata=np.stack([edge[:-1], edge[1:], low, high], axis=-1),
        hovertemplate=(
            "PIT %{customdata[0]:.2f} to %{customdata[1]:.2f}<br>%{y:.2f} times the expected frequency"
            "<br>chance allows %{customdata[2]:.2f} to %{customdata[3]:.2f}<extra></extra>"
        ),
    )
    step = np.repeat(edge, 2)[1:-1]
    figure.add_scatter(
        x=step, y=np.repeat(high, 2), mode="lines", line={"width": 1, "color": palette.truth, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=step, y=np.repeat(low, 2), mode="lines", line={"width": 1, "color": palette.truth, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_hline(y=1, line={"color": palette.truth, "width": 1.4})
    finish(
        figure,
        title="PIT: where the truth falls in the ensemble",
        subtitle=title_size(n_member, n_case, more),
        x="share of members below the truth",
        y="relative frequency",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1], ticktext=["0", "¼", "½", "¾", "1"])
    figure.update_yaxes(range=[0, max(1.35, float(np.nanmax([density.max(), high.max()])) * 1.06)], nticks=6)
    return figure
