"""RMSE and spread as two curves over lead time, and their ratio beneath, with 1 where it should be."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below, title_size


def by_lead_time(
    lead_time: np.ndarray,
    rmse: np.ndarray,
    spread: np.ndarray,
    plain_rmse: np.ndarray,
    *,
    ratio: np.ndarray,
    n_member: int,
    n_case: int,
    lead_unit: str = "",
    units: str = "",
    palette: Palette = BROWSER,
    height: int = 440,
) -> go.Figure:
    """All arrays (lead_time,). spread carries the factor sqrt((M+1)/M), so that it meets the RMSE when calibrated."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.64, 0.36], vertical_spacing=0.07)
    for values, colour, dash, name in (
        (plain_rmse, palette.plain, "dash", "RMSE of the plain model"),
        (rmse, palette.error, "solid", "RMSE of the ensemble mean"),
        (spread, palette.ensemble, "solid", "spread"),
    ):
        figure.add_scatter(
            x=lead_time,
            y=values,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 5},
            name=name,
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=lead_time,
        y=ratio,
        mode="lines+markers",
        line={"color": palette.ensemble, "width": 2},
        marker={"size": 5},
        showlegend=False,
        row=2,
        col=1,
    )
    figure.add_hline(y=1, line={"color": palette.reference, "width": 1.2, "dash": "dot"}, row=2, col=1)
    finish(figure, title="Error and spread by lead time", subtitle=title_size(n_member, n_case), height=height, palette=palette)
    figure.update_xaxes(title_text=f"lead time ({lead_unit})" if lead_unit else "lead time", row=2, col=1)
    figure.update_yaxes(title_text=units or "error, spread", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="spread / error", range=[0, max(1.3, float(np.nanmax(ratio)) * 1.1)], row=2, col=1)
    figure.update_layout(hovermode="x unified")
    return legend_below(figure, -0.18)
