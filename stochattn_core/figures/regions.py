"""Scores by region: one plot for each group of scores, the regions from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.lead_curves import Line
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

SYMBOLS = {"error": "diamond", "ensemble": "circle", "plain": "x", "reference": "square"}


def by_region(
    label: Sequence[str],
    lines: Sequence[Line],
    *,
    subtitle: str,
    place: Sequence[str] | None = None,
    palette: Palette = BROWSER,
    height: int | None = None,
) -> go.Figure:
    """Draw every line over the regions: values, low and high are (region,).   place: degrees, shown on hover."""
    axes = list(dict.fromkeys(line.axes for line in lines))
    row = np.arange(len(label))[::-1]  # the first region on top
    text = list(place or label)
    figure = make_subplots(rows=1, cols=len(axes), shared_yaxes=True, horizontal_spacing=0.05)
    for column, title in enumerate(axes, 1):
        mine = [line for line in lines if line.axes == title]
        cell = {"row": 1, "col": column}
        if len(mine) > 1:  # the gap between the first two lines
            for y, left, right in zip(row, mine[0].values, mine[1].values, strict=True):
                gap = {"x": [left, right], "y": [y, y], "line": {"color": palette.band50, "width": 3}}
                figure.add_scatter(mode="lines", hoverinfo="skip", showlegend=False, **gap, **cell)
        for line in mine:
            _draw(figure, line, row, text, palette, cell, has_range=len(mine) == 1)
        for ideal in {line.ideal for line in mine if line.ideal is not None}:
            figure.add_vline(x=ideal, line={"color": palette.reference, "width": 1.2, "dash": "dot"}, **cell)
        units = mine[0].units
        top = float(np.nanmax(np.concatenate([[1.2 if mine[0].ideal == 1 else 0.0], *(_reach(line, len(mine) == 1) for line in mine)])))
        figure.update_xaxes(range=[0, 1.08 * top if top > 0 else 1], title_text=f"{title} ({units})" if units else title, **cell)
    finish(figure, title="By region", subtitle=subtitle, height=height or 150 + 44 * len(label), palette=palette)
    figure.update_yaxes(showgrid=False, tickvals=[], row=1)
    figure.update_yaxes(tickvals=row, ticktext=list(label), range=[-0.6, len(label) - 0.4], showgrid=False, row=1, col=1)
    legend_below(figure)
    return figure.update_layout(legend={"yref": "container", "y": 0.01, "yanchor": "bottom"}, margin_b=46)


def _reach(line: Line, has_range: bool) -> np.ndarray:
    return np.where(np.isfinite(line.high), line.high, line.values) if has_range else line.values


def _draw(
    figure: go.Figure, line: Line, row: np.ndarray, text: list[str], palette: Palette, cell: dict[str, int], *, has_range: bool
) -> None:
    colour = getattr(palette, line.role)
    known = np.isfinite(line.low) & np.isfinite(line.high)
    shown = "%{x:.1%}" if line.is_share else "%{x:.3~g}"
    reach = {
        "type": "data",
        "symmetric": False,
        "array": np.where(known, line.high - line.values, 0),
        "arrayminus": np.where(known, line.values - line.low, 0),
        "color": colour,
        "thickness": 1.6,
        "width": 0,
    }
    figure.add_scatter(
        x=line.values,
        y=row,
        mode="markers",
        marker={"color": colour, "size": 10, "symbol": SYMBOLS.get(line.role, "circle")},
        error_x=reach if has_range else None,
        name=line.name,
        showlegend=not has_range,
        text=text,
        customdata=np.stack([line.low, line.high], axis=-1),
        hovertemplate=(
            f"%{{text}}<br>{line.name} {shown} {line.units}" + "<br>90% range %{customdata[0]:.3~g} to %{customdata[1]:.3~g}<extra></extra>"
        ),
        **cell,
    )
