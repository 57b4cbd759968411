"""Objectives over the concentration: their costs on one axis, and the optimum of each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.curve import concentration_axis
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below, number

ROLES = ("ensemble", "error", "doubtful", "reference", "good", "truth")  # of the objectives in their order
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "solid")


class Span(NamedTuple):
    """One line of `optima`: an estimate with its interval. role: of the palette.   strong: drawn thick."""

    name: str
    value: float
    low: float
    high: float
    role: str = "plain"
    strong: bool = False


def scaled(cost: np.ndarray) -> np.ndarray:
    """Return the cost scaled to 0 at its minimum and 1 at its maximum; NaN where it is infinite or unknown.

    >>> scaled(np.array([3.0, 1.0, np.inf, 2.0])).tolist()
    [1.0, 0.0, nan, 0.5]
    """
    known = np.where(np.isfinite(cost), cost, np.nan)
    if not np.isfinite(known).any():
        return known
    low, high = np.nanmin(known), np.nanmax(known)
    return (known - low) / (high - low) if high > low else np.where(np.isfinite(known), 0.0, np.nan)


def objective_curves(
    grid: np.ndarray,
    cost: Mapping[str, np.ndarray],
    optimum: Mapping[str, float],
    *,
    chosen: str,
    subtitle: str,
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw every objective over nu. grid: (point,).   cost: (point,), optimum: both by title. The axis is `scaled`; hover gives the cost."""
    figure = go.Figure()
    for (title, values), role, dash in zip(cost.items(), ROLES, DASHES, strict=False):
        colour, strong = getattr(palette, role), title == chosen
        figure.add_scatter(
            x=grid,
            y=scaled(values),
            customdata=values,
            mode="lines+markers" if strong else "lines",
            line={"color": colour, "width": 3.4 if strong else 1.5, "dash": "solid" if strong else dash},
            marker={"size": 7, "color": colour},
            name=title,
            legendgroup=title,
            zorder=2 if strong else 1,
            hovertemplate=f"{title}<br>ν = %{{x:,}}: %{{customdata:.4~g}}<extra></extra>",
        )
        figure.add_scatter(
            x=[optimum[title]],
            y=[-0.045],
            mode="markers",
            marker={"size": 13 if strong else 9, "color": colour, "symbol": "triangle-up"},
            legendgroup=title,
            showlegend=False,
            zorder=4 if strong else 3,
            cliponaxis=False,
            hovertemplate=f"{title}: minimum at ν = {number(optimum[title])}<extra></extra>",
        )
    finish(
        figure,
        title="Objectives over ν; triangles mark their minima",
        subtitle=subtitle,
        x="concentration ν",
        y="cost, scaled to 0 to 1",
        height=height,
        palette=palette,
    )
    concentration_axis(figure, grid)
    figure.update_yaxes(range=[-0.09, 1.06], tickvals=[0, 0.5, 1], ticktext=["min", "", "max"])
    return legend_below(figure, -0.2)


def optima(
    spans: Sequence[Span], grid: np.ndarray, *, concentration: int, subtitle: str, palette: Palette = BROWSER, height: int | None = None
) -> go.Figure:
    """Draw estimates with their intervals over the logarithm of nu, the first on top, and the chosen concentration as a line."""
    figure = go.Figure()
    figure.add_vline(x=concentration, line={"color": palette.ensemble, "width": 1.4, "dash": "dot"})
    for place, span in enumerate(spans):
        colour = getattr(palette, span.role)
        figure.add_scatter(
            x=[span.low, span.high],
            y=[place, place],
            mode="lines",
            line={"color": colour, "width": 7 if span.strong else 2.5},
            opacity=0.55 if span.strong else 1,
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[span.value],
            y=[place],
            mode="markers",
            marker={"color": colour, "size": 11 if span.strong else 8},
            hovertemplate=f"{span.name}<br>ν = {number(span.value)}, {number(span.low)} to {number(span.high)}<extra></extra>",
            cliponaxis=False,
        )
    finish(
        figure,
        title="ν* of each objective, with its interval",
        subtitle=subtitle,
        x="concentration ν",
        height=height or 118 + 24 * len(spans),
        palette=palette,
    )
    ends = [end for span in spans for end in (span.low, span.high)]
    concentration_axis(figure, np.array([*grid, *ends, concentration]))
    figure.update_yaxes(
        range=[len(spans) - 0.5, -0.5],
        tickvals=list(range(len(spans))),
        ticktext=[f"<b>{span.name}</b>" if span.strong else span.name for span in spans],
        showgrid=False,
    )
    return figure
