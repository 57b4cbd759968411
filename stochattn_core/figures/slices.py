"""Slices in which an ensemble is not calibrated: their ratio, bias and coverage, and their PIT histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.theme import BROWSER, Palette, finish

LONGEST = 34  # characters of a name in one line


@dataclass(frozen=True, eq=False)
class Estimates:
    """One quantity in every row: here, low, high, elsewhere and is_selected are (row,).   is_share: shown in percent."""

    title: str
    ideal: float
    is_share: bool
    here: np.ndarray
    low: np.ndarray
    high: np.ndarray
    elsewhere: np.ndarray
    is_selected: np.ndarray


def slices(names: Sequence[str], estimates: Sequence[Estimates], *, subtitle: str, palette: Palette = BROWSER) -> go.Figure:
    """Draw every estimate with its interval, one row for each name from top to bottom; open circles are the rest of the values."""
    figure = make_subplots(rows=1, cols=len(estimates), shared_yaxes=True, horizontal_spacing=0.04)
    row = np.arange(len(names))[::-1]
    for column, each in enumerate(estimates, 1):
        cell = {"row": 1, "col": column}
        colours = np.where(each.is_selected, palette.error, palette.ensemble)
        has_range, has_rest, known = np.isfinite(each.low + each.high), np.isfinite(each.elsewhere), np.isfinite(each.here)
        for place in np.flatnonzero(has_range):
            ends, y = [each.low[place], each.high[place]], [row[place]] * 2
            figure.add_scatter(x=ends, y=y, mode="lines", line={"color": colours[place], "width": 2}, hoverinfo="skip", **cell)
        figure.add_scatter(
            x=each.elsewhere[has_rest],
            y=row[has_rest],
            mode="markers",
            marker={"symbol": "circle-open", "size": 9, "color": palette.plain},
            hovertemplate=f"elsewhere: {each.title} %{{x:{'.1%' if each.is_share else '.2f'}}}<extra></extra>",
            **cell,
        )
        figure.add_scatter(
            x=each.here[known],
            y=row[known],
            mode="markers",
            marker={"size": 9, "color": list(colours[known])},
            text=[_hover(name, each, place) for place, name in enumerate(names) if known[place]],
            hovertemplate="%{text}<extra></extra>",
            **cell,
        )
        figure.add_vline(x=each.ideal, line={"color": palette.reference, "width": 1.2, "dash": "dot"}, **cell)
        figure.update_xaxes(title_text=each.title, tickformat=".0%" if each.is_share else "", nticks=5, **cell)
    finish(figure, title="Where does it fail?", subtitle=subtitle, height=150 + 46 * len(names), palette=palette)
    figure.update_yaxes(showgrid=False, range=[-0.6, len(names) - 0.4])
    figure.update_yaxes(tickvals=row, ticktext=[_in_lines(name) for name in names], row=1, col=1)
    return figure


def _hover(name: str, estimates: Estimates, place: int) -> str:
    here, low, high = (
        f"{value:.1%}" if estimates.is_share else f"{value:.2f}"
        for value in (estimates.here[place], estimates.low[place], estimates.high[place])
    )
    ends = f"90% range {low} to {high}" if np.isfinite(estimates.low[place]) else "90% range not known"
    return f"{name}<br>{estimates.title} {here}<br>{ends}"


def slice_pits(names: Sequence[str], density: np.ndarray, *, subtitle: str, palette: Palette = BROWSER) -> go.Figure:
    """Draw one PIT histogram for each slice, side by side. density: (slice, bin), 1 when flat."""
    n_bin = density.shape[1]
    figure = make_subplots(
        rows=1, cols=len(names), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=[_in_lines(name) for name in names]
    )
    middle = (np.arange(n_bin) + 0.5) / n_bin
    for column, values in enumerate(density, 1):
        cell = {"row": 1, "col": column}
        figure.add_bar(
            x=middle,
            y=values,
            width=0.94 / n_bin,
            marker={"color": palette.ensemble, "line": {"width": 0}},
            hovertemplate="PIT near %{x:.2f}<br>%{y:.2f} times the expected frequency<extra></extra>",
            **cell,
        )
        figure.add_hline(y=1, line={"color": palette.truth, "width": 1.4}, **cell)
    finish(figure, title="PIT of the slices", subtitle=subtitle, height=330, palette=palette)
    figure.update_annotations(font={"size": 11})
    figure.update_xaxes(range=[0, 1], tickvals=[0, 0.5, 1], ticktext=["0", "½", "1"])
    figure.update_yaxes(range=[0, max(1.35, float(density.max()) * 1.06)], nticks=6)
    return figure.update_layout(margin_t=104)


def _in_lines(name: str) -> str:
    """Break a long name after commas, and the bounds in brackets off."""
    lines: list[str] = []
    for part in name.replace(" (", ",(").split(","):
        text = part.strip()
        if lines and len(lines[-1]) + len(text) < LONGEST:
            lines[-1] += f" {text}" if text.startswith("(") else f", {text}"
        else:
            lines.append(text)
    return "<br>".join(lines)
