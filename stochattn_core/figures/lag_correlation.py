"""Correlation over lead times: of the members' deviations beside that of the errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.band import add_band
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below


def lag_correlation(
    lag: np.ndarray,
    members: np.ndarray,
    errors: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    lag_texts: Sequence[str],
    subtitle: str,
    lag_unit: str = "",
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw both correlations against the lag, (lag,) each. low, high: the 90% interval of that of the errors.   lag_unit: of `lag`."""
    figure = go.Figure()
    add_band(figure, lag, low, high, "90% interval of the errors", palette)
    figure.add_hline(y=0, line={"color": palette.reference, "width": 1.2, "dash": "dot"})
    for values, name, colour in ((errors, "errors of the mean", palette.error), (members, "members about their mean", palette.ensemble)):
        figure.add_scatter(
            x=lag,
            y=values,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 7, "color": colour},
            customdata=list(lag_texts),
            hovertemplate=f"{name}<br>%{{customdata}} apart: %{{y:.2f}}<extra></extra>",
            name=name,
        )
    finish(
        figure,
        title="Correlation over lead times",
        subtitle=subtitle,
        x=f"time between two lead times{f' ({lag_unit})' if lag_unit else ''}",
        y="correlation",
        height=height,
        palette=palette,
    )
    figure.update_yaxes(range=[min(-0.1, float(np.nanmin([*members, *errors])) - 0.05), 1.04])
    return legend_below(figure, -0.2)
