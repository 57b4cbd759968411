"""One attention row: its weights with one draw, the standard deviation of many draws, and the distribution of the output."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below


def row_weights(
    probability: np.ndarray, draw: np.ndarray, *, concentration: int, palette: Palette = BROWSER, height: int = 350
) -> go.Figure:
    """Draw the weights of a row and one draw. probability: (key,) the softmax row p; draw: (key,) counts / nu."""
    key = np.arange(1, len(probability) + 1)
    figure = go.Figure()
    figure.add_bar(
        x=key,
        y=probability,
        marker={"color": palette.band50},
        name="p, used by the plain model",
        hovertemplate="key %{x}: p = %{y:.3f}<extra></extra>",
    )
    for place, weight in zip(key, draw, strict=True):  # a stem for each key
        figure.add_scatter(
            x=[place, place],
            y=[0, weight],
            mode="lines",
            line={"color": palette.ensemble, "width": 1.6},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=key,
        y=draw,
        mode="markers",
        marker={"color": palette.ensemble, "size": 9},
        name="counts/ν of this draw",
        hovertemplate="key %{x}: %{y:.3f}<extra></extra>",
    )
    finish(
        figure,
        title="One row, one draw",
        subtitle=f"{concentration:,} draws over {len(key)} keys",
        x="key",
        y="weight",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(range=[0, max(0.05, float(max(probability.max(), draw.max()))) * 1.12])
    return legend_below(figure, -0.26)


def row_deviation(
    probability: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    *,
    concentration: int,
    n_draw: int,
    palette: Palette = BROWSER,
    height: int = 350,
) -> go.Figure:
    """Draw the standard deviation of each weight over p. mean, deviation: (key,) over n_draw draws. The line is sqrt(p (1 - p) / nu)."""
    figure = go.Figure()
    p = np.linspace(0, 1, 101)
    figure.add_scatter(
        x=p,
        y=np.sqrt(p * (1 - p) / concentration),
        mode="lines",
        line={"color": palette.reference, "width": 1.6, "dash": "dot"},
        name="expected, √(p(1−p)/ν)",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=probability,
        y=deviation,
        mode="markers",
        marker={"size": 9, "color": palette.ensemble},
        customdata=np.stack([np.arange(1, len(mean) + 1), mean], axis=-1),
        hovertemplate="key %{customdata[0]}: p %{x:.3f}, mean of the draws %{customdata[1]:.3f}<br>standard deviation %{y:.4f}<extra></extra>",
        name=f"keys, over {n_draw:,} draws",
    )
    finish(
        figure,
        title="Spread of many draws",
        subtitle=f"ν = {concentration:,}; the mean stays p, the spread falls as 1/√ν",
        x="p of the key",
        y="standard deviation of its weight",
        height=height,
        palette=palette,
    )
    figure.update_xaxes(range=[-0.02, min(1.02, max(0.2, float(probability.max()) * 1.25))])
    figure.update_yaxes(rangemode="tozero")
    return legend_below(figure, -0.26)


def row_output(
    outputs: np.ndarray, plain: float, deviation: float, *, concentration: int, palette: Palette = BROWSER, height: int = 350
) -> go.Figure:
    """Draw the distribution of the output. outputs: (draw,).   plain: p @ v.   deviation: their expected standard deviation."""
    edge = np.linspace(outputs.min() - 1e-9, outputs.max() + 1e-9, 36)
    density, _ = np.histogram(outputs, bins=edge, density=True)
    figure = go.Figure()
    figure.add_bar(
        x=(edge[:-1] + edge[1:]) / 2,
        y=density,
        width=np.diff(edge) * 0.94,
        marker={"color": palette.ensemble},
        name="outputs",
        hoverinfo="skip",
    )
    if deviation > 0:
        x = np.linspace(plain - 4 * deviation, plain + 4 * deviation, 161)
        figure.add_scatter(
            x=x,
            y=np.exp(-0.5 * ((x - plain) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi)),
            mode="lines",
            line={"color": palette.reference, "width": 1.6, "dash": "dot"},
            name="normal with the expected variance",
            hoverinfo="skip",
        )
    figure.add_vline(x=plain, line={"color": palette.plain, "width": 2, "dash": "dash"})
    finish(
        figure,
        title="The output becomes a distribution",
        subtitle=f"{len(outputs):,} draws; dashed: the plain model",
        x="output of the row",
        y="density",
        height=height,
        palette=palette,
    )
    return legend_below(figure, -0.26)
