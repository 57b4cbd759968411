"""Predicted against true with intervals: the forecast view of a table."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.fan import central
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below, title_size

N_SHOWN = 160


def shown_cases(truth: np.ndarray, n_shown: int = N_SHOWN) -> np.ndarray:
    """Return which cases to draw if there are many: every k-th by the size of the truth, so that the tails are included."""
    order = np.argsort(truth, kind="stable")
    order = order[np.isfinite(truth[order])]
    if len(order) <= n_shown:
        return order
    return order[np.linspace(0, len(order) - 1, n_shown).round().astype(int)]


def fitted(
    members: np.ndarray,
    truth: np.ndarray,
    plain: np.ndarray,
    *,
    quantity: str,
    case: np.ndarray | None = None,
    chosen: int | None = None,
    palette: Palette = BROWSER,
    height: int = 500,
) -> go.Figure:
    """Draw forecasts over truths. members: (member, case); truth, plain: (case,). Bars: central 90% intervals; diamonds: truth outside."""
    shown = shown_cases(truth)
    if chosen is not None and chosen not in shown and np.isfinite(truth[chosen]):
        shown = np.append(shown, chosen)
    case = np.arange(len(truth)) if case is None else np.asarray(case)
    drawn, true, mean = members[:, shown], truth[shown], members[:, shown].mean(axis=0)
    low, high = central(drawn, 0.9)
    outside = (true < low) | (true > high)
    ends = np.array([np.nanmin([low.min(), true.min()]), np.nanmax([high.max(), true.max()])])

    figure = go.Figure()
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": palette.reference, "width": 1.2, "dash": "dot"},
        name="forecast = truth",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=true,
        y=plain[shown],
        mode="markers",
        marker={"size": 5, "color": palette.plain, "symbol": "x-thin", "line": {"width": 1.2, "color": palette.plain}},
        name="plain model",
        hoverinfo="skip",
    )
    for mask, colour, symbol, name in (
        (~outside, palette.ensemble, "circle", "truth inside its 90% interval"),
        (outside, palette.error, "diamond", "outside"),
    ):
        figure.add_scatter(
            x=true[mask],
            y=mean[mask],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (high - mean)[mask],
                "arrayminus": (mean - low)[mask],
                "color": palette.band50 if colour == palette.ensemble else colour,
                "thickness": 1.2,
                "width": 0,
            },
            mode="markers",
            marker={"size": 6, "color": colour, "symbol": symbol},
            customdata=np.stack([case[shown][mask].astype(str), low[mask].round(3).astype(str), high[mask].round(3).astype(str)], axis=-1),
            hovertemplate="case %{customdata[0]}<br>true %{x:.4g}<br>mean %{y:.4g}<br>90% %{customdata[1]} to %{customdata[2]}<extra></extra>",
            name=f"{name} ({mask.mean():.0%})" if len(mask) else name,
        )
    if chosen is not None and np.isfinite(truth[chosen]):
        figure.add_scatter(
            x=truth[[chosen]],
            y=members[:, [chosen]].mean(axis=0),
            mode="markers",
            marker={"size": 15, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": palette.truth}},
            name="marked case",
            hoverinfo="skip",
        )
    more = f"{len(shown)} shown" if len(shown) < len(truth) else ""
    finish(
        figure,
        title="Predicted against true, with 90% intervals",
        subtitle=title_size(len(members), len(truth), more),
        x=f"true {quantity}",
        y=f"predicted {quantity}",
        height=height,
        palette=palette,
    )
    return legend_below(figure, -0.13)
