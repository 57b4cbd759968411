"""Correlation of the map of spread with the map of error, beside that of the climatological standard deviation."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

WAYS = ("as it is", "zonal mean removed")


def map_association(
    spread: tuple[float, float], climatology: tuple[float, float], *, subtitle: str, palette: Palette = BROWSER, height: int = 230
) -> go.Figure:
    """Draw the correlations. spread, climatology: with the RMSE map as it is, and with zonal means removed; NaN where unknown."""
    figure = go.Figure()
    row = np.array([1.0, 0.0])
    for values, colour, symbol, name in (
        (climatology, palette.reference, "diamond-open", "climatological standard deviation alone"),
        (spread, palette.ensemble, "circle", "spread of the ensemble"),
    ):
        figure.add_scatter(
            x=np.array(values),
            y=row,
            mode="markers+text",
            marker={"color": colour, "size": 12, "symbol": symbol, "line": {"width": 2, "color": colour}},
            text=["" if value != value else f"{value:.2f}".replace("-", "−") for value in values],
            textposition="top center" if symbol == "circle" else "bottom center",
            textfont={"size": 11.5, "color": colour},
            name=name,
            hovertemplate=f"{name}: correlation %{{x:.3f}}<extra></extra>",
            cliponaxis=False,
        )
    finish(
        figure,
        title="Is the spread large where the error is?",
        subtitle=subtitle,
        x="correlation with the RMSE map",
        height=height,
        palette=palette,
    )
    worst = min((value for value in (*spread, *climatology) if value == value), default=0.0)
    figure.update_xaxes(range=[min(-0.05, worst - 0.08), 1.05], nticks=7)
    figure.add_vline(x=0, line={"color": palette.plain, "width": 1})
    figure.update_yaxes(tickvals=row, ticktext=list(WAYS), range=[-0.6, 1.6])
    return legend_below(figure, -0.42)
