"""Scores by region: where the error and the spread agree, with the range that chance leaves the ratio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below


def by_region(
    label: Sequence[str],
    rmse: np.ndarray,
    spread: np.ndarray,
    ratio: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    subtitle: str,
    place: Sequence[str] | None = None,
    units: str = "",
    palette: Palette = BROWSER,
    height: int | None = None,
) -> go.Figure:
    """All arrays (region,). spread carries sqrt((M+1)/M). low, high: 90% range of the ratio.   place: degrees, for the pointer."""
    row = np.arange(len(label))[::-1]  # the first region on top
    text = list(place or label)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, column_widths=[0.52, 0.48], horizontal_spacing=0.05)
    for one, r, s in zip(row, rmse, spread, strict=True):  # the gap between the two, as a line
        figure.add_scatter(
            x=[r, s],
            y=[one, one],
            mode="lines",
            line={"color": palette.band50, "width": 3},
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=1,
        )
    for values, colour, symbol, name in (
        (rmse, palette.error, "diamond", "RMSE of the mean"),
        (spread, palette.ensemble, "circle", "spread"),
    ):
        figure.add_scatter(
            x=values,
            y=row,
            mode="markers",
            marker={"color": colour, "size": 10, "symbol": symbol},
            name=name,
            text=text,
            hovertemplate=f"%{{text}}<br>{name} %{{x:.3~g}} {units}<extra></extra>",
            row=1,
            col=1,
        )
    known = np.isfinite(low) & np.isfinite(high)
    figure.add_scatter(
        x=ratio,
        y=row,
        mode="markers",
        marker={"color": palette.ensemble, "size": 10},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.where(known, high - ratio, 0),
            "arrayminus": np.where(known, ratio - low, 0),
            "color": palette.ensemble,
            "thickness": 1.6,
            "width": 0,
        },
        name="ratio and its 90% range",
        showlegend=False,
        text=text,
        customdata=np.stack([low, high], axis=-1),
        hovertemplate="%{text}<br>ratio %{x:.3f}, 90% range %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
        row=1,
        col=2,
    )
    figure.add_vline(x=1, line={"color": palette.reference, "width": 1.2, "dash": "dot"}, row=1, col=2)
    finish(figure, title="By region", subtitle=subtitle, height=height or 150 + 44 * len(label), palette=palette)
    figure.update_yaxes(tickvals=row, ticktext=list(label), range=[-0.6, len(label) - 0.4], showgrid=False, row=1, col=1)
    figure.update_yaxes(showgrid=False, tickvals=[], row=1, col=2)
    top = float(np.nanmax(np.concatenate([rmse, spread])))
    figure.update_xaxes(
        range=[0, 1.08 * top if top > 0 else 1], title_text=f"error, spread ({units})" if units else "error, spread", row=1, col=1
    )
    reach = float(np.nanmax(np.concatenate([[1.2], ratio, high[known]])))
    figure.update_xaxes(range=[0, 1.08 * reach], title_text="spread / error", row=1, col=2)
    legend_below(figure)
    return figure.update_layout(legend={"yref": "container", "y": 0.01, "yanchor": "bottom"}, margin_b=46)
