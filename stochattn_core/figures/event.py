"""Figures of a threshold event: reliability diagram, ROC curve, and relative economic value."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.band import add_band
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

HISTOGRAM = (0.0, 0.17)  # height of the histogram under a reliability diagram, as a share of the plot
DIAGRAM = (0.27, 1.0)


def _diagonal(figure: go.Figure, name: str, palette: Palette) -> None:
    line = {"color": palette.reference, "width": 1.4, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip", name=name)


def reliability(
    probability: np.ndarray,
    observed: np.ndarray,
    n: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    base_rate: float,
    subtitle: str,
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw observed frequency against forecast probability, and how many forecasts there are. (bin,) each.

    low, high: band of chance for probabilities that are right, NaN where it is not known.   n: number of forecasts.
    Points outside the band have the colour of an error.
    """
    figure = go.Figure()
    add_band(figure, probability, low, high, "90% band of chance", palette)
    _diagonal(figure, "observed = forecast", palette)
    figure.add_scatter(
        x=[0, 1],
        y=[base_rate, base_rate],
        mode="lines",
        line={"color": palette.plain, "width": 1, "dash": "dash"},
        hoverinfo="skip",
        name="base rate",
    )
    outside = (observed < low) | (observed > high)
    figure.add_scatter(
        x=probability,
        y=observed,
        mode="lines+markers",
        line={"color": palette.ensemble, "width": 2},
        marker={"size": 8, "color": palette.ensemble},
        customdata=np.stack([n, low, high], -1),
        hovertemplate=(
            "forecast %{x:.0%}, observed %{y:.0%}<br>chance allows %{customdata[1]:.0%} to %{customdata[2]:.0%}"
            "<br>%{customdata[0]:,.0f} forecasts<extra></extra>"
        ),
        name="ensemble",
    )
    if outside.any():
        figure.add_scatter(
            x=probability[outside],
            y=observed[outside],
            mode="markers",
            marker={"size": 9, "color": palette.error},
            hoverinfo="skip",
            name="outside the band",
        )
    figure.add_bar(
        x=probability,
        y=n / max(n.sum(), 1),
        yaxis="y2",
        width=0.04,
        marker={"color": palette.ensemble, "line": {"width": 0}},
        hovertemplate="forecast %{x:.0%}: %{y:.1%} of all forecasts<extra></extra>",
        showlegend=False,
    )
    finish(
        figure,
        title="Reliability of the event",
        subtitle=subtitle,
        x="forecast probability",
        y="observed frequency",
        height=height,
        palette=palette,
    )
    figure.update_layout(yaxis2={**figure.layout.yaxis.to_plotly_json(), "domain": HISTOGRAM, "title": {"text": "share"}, "nticks": 3})
    figure.update_layout(yaxis2_tickformat=".0%", yaxis={"domain": DIAGRAM, "range": [-0.02, 1.02], "tickformat": ".0%"})
    figure.update_xaxes(range=[-0.03, 1.03], tickformat=".0%", anchor="y2")
    return legend_below(figure, -0.2)


def roc(
    false_alarm: np.ndarray, hit: np.ndarray, probability: np.ndarray, *, subtitle: str, palette: Palette = BROWSER, height: int = 400
) -> go.Figure:
    """Draw hit rate against false alarm rate. (threshold,) each; probability: the least forecast probability at which the warning is given."""
    figure = go.Figure()
    _diagonal(figure, "no discrimination", palette)
    figure.add_scatter(
        x=false_alarm,
        y=hit,
        mode="lines+markers",
        line={"color": palette.ensemble, "width": 2},
        marker={"size": 6, "color": palette.ensemble},
        customdata=probability,
        hovertemplate="warn from %{customdata:.0%} on<br>hit rate %{y:.1%}, false alarm rate %{x:.1%}<extra></extra>",
        name="ensemble",
    )
    finish(
        figure,
        title="Discrimination (ROC)",
        subtitle=subtitle,
        x="false alarm rate",
        y="hit rate",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    return legend_below(figure, -0.2)


def economic_value(
    ratio: np.ndarray,
    value: np.ndarray,
    envelope: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    subtitle: str,
    palette: Palette = BROWSER,
    height: int = 400,
) -> go.Figure:
    """Draw relative economic value against the cost-loss ratio, (ratio,) each, with the 90% interval of value and its envelope."""
    figure = go.Figure()
    shown = [np.clip(values, -1, 1) for values in (low, high, value)]
    add_band(figure, ratio, shown[0], shown[1], "90% interval", palette)
    figure.add_hline(y=0, line={"color": palette.reference, "width": 1.4, "dash": "dot"})
    figure.add_scatter(
        x=ratio,
        y=envelope,
        mode="lines",
        line={"color": palette.plain, "width": 1.6, "dash": "dash"},
        hovertemplate="cost/loss %{x:.0%}: at most %{y:.0%} with the best threshold<extra></extra>",
        name="best threshold, chosen afterwards",
    )
    figure.add_scatter(
        x=ratio,
        y=shown[2],
        mode="lines",
        line={"color": palette.ensemble, "width": 2},
        customdata=value,
        hovertemplate="cost/loss %{x:.0%}: %{customdata:.0%} of the saving of a perfect forecast<extra></extra>",
        name="act where probability ≥ cost/loss",
    )
    finish(
        figure,
        title="Relative economic value",
        subtitle=subtitle,
        x="cost-loss ratio",
        y="value",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    least = float(np.nanmin(shown[2], initial=0))
    figure.update_yaxes(range=[min(-0.1, max(-1.0, least - 0.05)), 1.02], tickformat=".0%")
    return legend_below(figure, -0.2)
