"""Gains of methods over the concentration alone: estimates and intervals around 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish

ROLES = {"correction": "ensemble", "reference": "reference"}


def gains(
    title: Sequence[str],
    kind: Sequence[str],
    gain: np.ndarray,
    gain_calibration: np.ndarray,
    *,
    level: float,
    recommended: int | None,
    subtitle: str,
    units: str = "",
    palette: Palette = BROWSER,
    height: int | None = None,
) -> go.Figure:
    """Draw the gain of each method with its interval. gain, gain_calibration: (method, 3) estimate, low, high; above 0 is better.

    gain: of the test part, drawn, at 90%.   gain_calibration: of the calibration part, which decides, at `level`, shown on hover; both in
    units of the target.   kind: "correction" or "reference".   recommended: position of the recommended method, or None.
    """
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": palette.truth, "width": 1.2})
    unit = f" {units}" if units else ""
    for place, (name, method_kind, shown, decided) in enumerate(zip(title, kind, gain, gain_calibration, strict=True)):
        colour, best = getattr(palette, ROLES[method_kind]), place == recommended
        figure.add_scatter(
            x=shown[1:],
            y=[place, place],
            mode="lines",
            line={"color": colour, "width": 6 if best else 2.5},
            opacity=0.6 if best else 1,
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=shown[:1],
            y=[place],
            mode="markers",
            marker={
                "color": colour if method_kind == "correction" else palette.paper,
                "size": 12 if best else 9,
                "symbol": "circle" if method_kind == "correction" else "diamond",
                "line": {"color": colour, "width": 2},
            },
            hovertemplate=(
                f"{name}<br>test part: {shown[0]:.3g}{unit} ({shown[1]:.3g} to {shown[2]:.3g})"
                f"<br>calibration part, which decides: {decided[0]:.3g}{unit} ({decided[1]:.3g} to {decided[2]:.3g}, {level:.0%})<extra></extra>"
            ),
        )
    finish(
        figure,
        title="Gain in fair CRPS over ν alone",
        subtitle=subtitle,
        x=f"gain ({units}), better to the right" if units else "gain, better to the right",
        height=height or 118 + 27 * len(title),
        palette=palette,
    )
    figure.update_xaxes(showgrid=True, nticks=6)
    figure.update_yaxes(
        range=[len(title) - 0.5, -0.5],
        tickvals=list(range(len(title))),
        ticktext=[f"<b>{name}</b>" if place == recommended else name for place, name in enumerate(title)],
        showgrid=False,
    )
    return figure
