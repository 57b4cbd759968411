"""Curves over the concentration: the spread-skill ratio, and the strip above the slider."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish

TICKS = (1, 4, 16, 64, 256, 1024, 4096)


def _mark(
    figure: go.Figure, concentration: float | None, interval: tuple[float, float] | None, palette: Palette, label: bool = True
) -> None:
    if interval is not None:
        figure.add_vrect(x0=interval[0], x1=interval[1], fillcolor=palette.band50, opacity=0.45, line_width=0, layer="below")
    if concentration is not None:
        figure.add_vline(x=concentration, line={"color": palette.ensemble, "width": 2})
        if label:
            figure.add_annotation(
                x=math.log10(concentration),
                y=1,
                yref="paper",
                yanchor="bottom",
                text=f"ν* = {concentration:,.0f}",
                showarrow=False,
                font={"size": 12},
            )


def concentration_axis(figure: go.Figure, values: np.ndarray) -> None:
    """Give a figure a logarithmic axis of nu that covers these values, with ticks at powers of 4."""
    low, high = float(np.min(values)), float(np.max(values))
    pad = max((high / low) ** 0.04, 1.1)
    figure.update_xaxes(
        type="log",
        range=[math.log10(low / pad), math.log10(high * pad)],
        tickvals=list(TICKS),
        ticktext=[f"{tick:,}" for tick in TICKS],
    )


def ratio_curve(
    grid: np.ndarray,
    ratio: np.ndarray,
    *,
    concentration: float | None,
    interval: tuple[float, float] | None,
    subtitle: str,
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw the spread-skill ratio over nu, with nu* and its interval. grid, ratio: (grid,); the ratio should be 1."""
    figure = go.Figure()
    figure.add_hline(y=1, line={"color": palette.reference, "width": 1.2, "dash": "dot"})
    figure.add_scatter(
        x=grid,
        y=ratio,
        mode="lines+markers",
        line={"color": palette.ensemble, "width": 2},
        marker={"size": 7, "color": palette.ensemble},
        hovertemplate="ν = %{x:,}<br>ratio %{y:.3f}<extra></extra>",
    )
    finish(
        figure,
        title="Spread-skill ratio",
        subtitle=subtitle,
        x="concentration ν",
        y="spread / error",
        height=height,
        palette=palette,
    )
    concentration_axis(figure, np.array([*grid, *(interval or ()), *([concentration] if concentration else [])]))
    figure.update_yaxes(range=[0, max(1.25, float(np.nanmax(ratio, initial=0)) * 1.1)])
    figure.update_layout(margin_t=78)
    _mark(figure, concentration, interval, palette)
    return figure


def slider_strip(
    position: np.ndarray,
    ratio: np.ndarray,
    *,
    n_position: int,
    chosen: int,
    ticks: dict[float, str],
    coming: Sequence[float] = (),
    best: float | None = None,
    interval: tuple[float, float] | None = None,
    inset: int = 6,
    palette: Palette = BROWSER,
    height: int = 104,
) -> go.Figure:
    """Draw the ratios computed so far in the coordinates of the slider below: position 0 is its left end, n_position - 1 its right end.

    position, ratio: (point,).   coming: positions that are still to be computed.   best, interval and the keys of ticks are positions too.
    inset: pixels from the edge of the figure to the end of the slider's track.
    """
    top = max(1.5, min(3.2, float(np.nanmax(ratio, initial=0)) * 1.2))
    figure = go.Figure()
    figure.add_hline(y=1, line={"color": palette.reference, "width": 1.2, "dash": "dot"})
    if interval is not None:
        figure.add_vrect(x0=interval[0], x1=interval[1], fillcolor=palette.band50, opacity=0.55, line_width=0, layer="below")
    if best is not None:
        figure.add_scatter(x=[best, best], y=[0, top], mode="lines", line={"color": palette.ensemble, "width": 2}, hoverinfo="skip")
        figure.add_annotation(x=best, y=top, yanchor="bottom", text="ν*", showarrow=False, font={"size": 13, "color": palette.ensemble})
    figure.add_scatter(
        x=list(coming),
        y=[0] * len(coming),
        mode="markers",
        marker={"size": 4, "symbol": "circle-open", "color": palette.reference, "opacity": 0.7, "line": {"width": 1}},
        hovertemplate="not computed yet<extra></extra>",
        cliponaxis=False,
    )
    order = np.argsort(position)
    figure.add_scatter(
        x=position[order],
        y=np.minimum(ratio[order], top),
        mode="lines+markers",
        line={"color": palette.ensemble, "width": 1.6},
        marker={
            "size": [11 if here == chosen else 6 for here in position[order]],
            "color": palette.ensemble,
            "line": {"width": 2, "color": palette.paper},
        },
        customdata=ratio[order],
        hovertemplate="spread-skill ratio %{customdata:.3f}<extra></extra>",
        cliponaxis=False,
    )
    here = ratio[position == chosen]
    if len(here):
        offset = math.inf if best is None else best - chosen
        near = abs(offset) < n_position / 8  # keep clear of the label and the line of nu* and of the falling curve
        left, right = near and offset > 0, near and offset <= 0 and chosen <= n_position - 3
        figure.add_annotation(
            x=chosen,
            y=float(min(here[0], top)),
            text=f"<b>{here[0]:.2f}</b>",
            showarrow=False,
            yshift=-12 if left else 14,
            xshift=10 if right else -6 if left and chosen >= 2 else 0,
            xanchor="left" if right or chosen < 2 else "right" if left or chosen > n_position - 3 else "center",
            font={"size": 13, "color": palette.ensemble},
            bgcolor=palette.paper,
            borderpad=0,
        )
    finish(figure, title="", subtitle="", height=height, palette=palette)
    figure.update_layout(margin={"t": 18, "b": 20, "l": inset, "r": inset, "pad": 0}, title=None)
    figure.update_xaxes(
        range=[0, n_position - 1],
        automargin=False,
        tickvals=list(ticks),
        ticktext=list(ticks.values()),
        ticks="",
        tickangle=0,
        tickfont={"size": 11.5},
    )
    figure.update_yaxes(range=[0, top], visible=False, automargin=False)
    figure.add_annotation(
        x=1,
        xref="paper",
        y=1,
        yanchor="bottom",
        xanchor="right",
        text="ratio 1: spread = error",
        showarrow=False,
        font={"size": 11.5, "color": palette.reference},
    )
    return figure
