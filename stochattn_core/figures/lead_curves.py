"""Scores over lead time with their 90% ranges: one plot for each group of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

APART = 0.085  # smallest distance of two labels of levels, in shares of an axis from 0 to 1
COLUMNS = 2


@dataclass(frozen=True, eq=False)
class Line:
    """One score in a plot. values, low, high: (point,), its 90% range NaN where unknown.

    axes: title of the plot that it shares with others.   label: in the legend, "" for none.   name: on hover.   role: of the palette.
    units: of the axis.   is_share: between 0 and 1, shown in percent.   ideal: the best value, drawn as a dotted line, or None.
    level: of an interval, written at the end of the line, or None.
    """

    axes: str
    label: str
    name: str
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    role: str = "ensemble"
    dash: str = "solid"
    units: str = ""
    is_share: bool = False
    ideal: float | None = None
    level: float | None = None

    @property
    def has_range(self) -> bool:
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())


def lead_curves(
    lead_time: np.ndarray,
    lines: Sequence[Line],
    *,
    subtitle: str,
    lead_unit: str = "h",
    lead_texts: Sequence[str] = (),
    palette: Palette = BROWSER,
    height: int | None = None,
) -> go.Figure:
    """Draw every line over lead_time (lead_time,), in the plot that its axes name, two plots a row, in the order of the lines.

    lead_unit: of the axes, in the plural.   lead_texts: (point,) lead times in words, for hover; from the numbers without them.
    """
    lead_texts = lead_texts or [f"{lead:g} {lead_unit}".rstrip() for lead in lead_time]
    axes = list(dict.fromkeys(line.axes for line in lines))
    n_row = math.ceil(len(axes) / COLUMNS)
    figure = make_subplots(
        rows=n_row, cols=COLUMNS, shared_xaxes=True, horizontal_spacing=0.09, vertical_spacing=0.26 / max(n_row, 1), subplot_titles=axes
    )
    cells = {title: {"row": 1 + place // COLUMNS, "col": 1 + place % COLUMNS} for place, title in enumerate(axes)}
    for line in lines:
        _draw(figure, lead_time, line, lead_texts, palette, cells[line.axes])
    for title, cell in cells.items():
        _frame(figure, lead_time, [line for line in lines if line.axes == title], palette, cell)
    finish(figure, title="Scores by lead time", subtitle=subtitle, height=height or 60 + 230 * n_row, palette=palette)
    figure.update_layout(margin={"t": 84, "r": 34})
    figure.update_annotations(font={"size": 12.5, "color": palette.text}, selector=lambda note: note.text in axes)
    for title, cell in cells.items():
        mine = [line for line in lines if line.axes == title]
        if all(line.is_share for line in mine):
            figure.update_yaxes(range=[0, 1.02], tickformat=".0%", **cell)
        elif any(line.ideal is not None for line in mine):
            figure.update_yaxes(range=[0, max(1.3, _top(mine) * 1.08)], **cell)
        else:
            figure.update_yaxes(title_text=mine[0].units or None, rangemode="tozero", **cell)
    figure.update_xaxes(tickvals=_days(lead_time) if lead_unit == "h" else None, range=[0, float(lead_time[-1]) * 1.03])
    figure.update_xaxes(title_text=f"lead time ({lead_unit})" if lead_unit else "lead time", row=n_row)
    return legend_below(figure, -0.07 - 0.14 / n_row)


def _draw(figure: go.Figure, x: np.ndarray, line: Line, lead_texts: Sequence[str], palette: Palette, cell: dict[str, int]) -> None:
    colour = getattr(palette, line.role)
    if line.has_range:  # a pale band in the line's colour
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([line.high, line.low[::-1]]),
            fill="toself",
            fillcolor=colour,
            opacity=0.2,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            **cell,
        )
    figure.add_scatter(
        x=x,
        y=line.values,
        mode="lines+markers",
        line={"color": colour, "dash": line.dash, "width": 2},
        marker={"size": 5, "color": colour},
        name=line.label,
        showlegend=bool(line.label),
        text=lead_texts,
        hovertemplate=f"{line.name} at %{{text}}: %{{y:{'.1%' if line.is_share else '.3~g'}}}<extra></extra>",
        **cell,
    )


def _frame(figure: go.Figure, x: np.ndarray, lines: Sequence[Line], palette: Palette, cell: dict[str, int]) -> None:
    """Draw the ideal values of a plot, and the labels of its levels at the right end."""
    for ideal in sorted({line.ideal for line in lines if line.ideal is not None}):
        figure.add_hline(y=ideal, line={"color": palette.reference, "width": 1.1, "dash": "dot"}, **cell)
    named = [line for line in lines if line.level is not None]
    for line, y in zip(named, apart([float(line.values[-1]) for line in named]), strict=True):
        figure.add_annotation(
            x=x[-1],
            y=float(y),
            xanchor="left",
            xshift=8,
            text=f"{line.level:.0%}",
            showarrow=False,
            font={"size": 11, "color": palette.text},
            **cell,
        )


def _top(lines: Sequence[Line]) -> float:
    return float(np.nanmax(np.concatenate([values for line in lines for values in (line.values, line.high)]), initial=1.0))


def apart(heights: Sequence[float], least: float = APART) -> np.ndarray:
    """Return rising heights, moved as little as possible, with at least `least` between neighbours."""
    place = np.arange(len(heights)) * least
    free = np.asarray(heights, dtype=float) - place  # these must not fall: the nearest such sequence, by pooling neighbours that do
    pools: list[list[float]] = []
    for value in free:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools] or [np.empty(0)]) + place


def _days(lead_time: np.ndarray) -> np.ndarray:
    """Return the hours at which the axis has a tick: whole days if the lead times span more than one day."""
    last = float(lead_time[-1])
    step = next((step for step in (6, 12, 24, 48, 120, 240) if last / step <= 6), 480)
    return np.arange(0, last + 1e-9, step)
