"""A band between two curves, such as the 90% interval of each point."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import Palette


def add_band(figure: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str, palette: Palette, **more: Any) -> None:
    """Add the area between low and high to a figure, each (point,); points where an end is not known are left out. more: of the trace."""
    known = np.isfinite(low) & np.isfinite(high)
    figure.add_scatter(
        x=np.concatenate([x[known], x[known][::-1]]),
        y=np.concatenate([high[known], low[known][::-1]]),
        fill="toself",
        fillcolor=palette.band90,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name=name,
        **more,
    )
