"""The single passes of a search: the deviation of each over its concentration, the fitted line, and where it meets the error."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.curve import concentration_axis
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below, number


def single_passes(
    concentration: np.ndarray,
    deviation: np.ndarray,
    line: np.ndarray,
    *,
    error: float,
    optimum: float,
    subtitle: str,
    units: str = "",
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw d over nu. concentration, deviation, line: (pass,), d and its fitted median, NaN outside the fit.   error: d0.   optimum: nu*."""
    figure = go.Figure()
    figure.add_hline(y=error, line={"color": palette.error, "width": 1.6, "dash": "dash"})
    order = np.argsort(concentration, kind="stable")
    figure.add_scatter(
        x=concentration,
        y=deviation,
        mode="markers",
        marker={"size": 6, "color": palette.ensemble, "opacity": 0.55},
        name="one pass",
        hovertemplate="ν = %{x:,}: d = %{y:.4~g}<extra></extra>",
    )
    figure.add_scatter(
        x=concentration[order],
        y=line[order],
        mode="lines",
        line={"color": palette.truth, "width": 1.6},
        name="fitted line",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[optimum],
        y=[error],
        mode="markers",
        marker={"size": 14, "color": palette.error, "symbol": "diamond"},
        name="optimum",
        hovertemplate=f"ν = {number(optimum)}, where d = d₀ = {number(error)}<extra></extra>",
    )
    finish(
        figure,
        title="Single passes: deviation d",
        subtitle=subtitle,
        x="concentration ν",
        y=f"d ({units})" if units else "d",
        height=height,
        palette=palette,
    )
    concentration_axis(figure, concentration)
    figure.update_yaxes(type="log", nticks=5)
    return legend_below(figure, -0.2)
