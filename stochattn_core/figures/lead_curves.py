"""Scores against lead time with the range that chance leaves them: error and spread, their ratio, CRPS, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

COVERED = (50, 80, 90, 95)
APART = 0.085  # least distance of two names of levels, in shares of the coverage axis
TITLES = ("error and spread", "spread / error", "fair CRPS", "coverage of central intervals")


def lead_curves(
    lead_time: np.ndarray,
    score: Mapping[str, np.ndarray],
    low: Mapping[str, np.ndarray],
    high: Mapping[str, np.ndarray],
    *,
    n_member: int,
    subtitle: str,
    units: str = "",
    lead_unit: str = "h",
    palette: Palette = BROWSER,
    height: int = 520,
) -> go.Figure:
    """score, low, high: by the names of metrics.scores, (lead_time,) each; low and high are the 90% range by blocks of init times.

    Drawn: rmse, spread (times sqrt((M+1)/M), so that it meets the RMSE), rmse_plain; spread_skill_ratio; crps_fair and
    mae_plain, the CRPS of one forecast; coverage_50 to 95. A score that is not there is not drawn, nor a level beyond (M-1)/(M+1),
    the share that all M members together hold.
    """
    figure = make_subplots(rows=2, cols=2, shared_xaxes=True, horizontal_spacing=0.09, vertical_spacing=0.13, subplot_titles=TITLES)
    m = np.sqrt((n_member + 1) / n_member)
    lines = [
        ("rmse_plain", "plain model: RMSE, absolute error", palette.plain, "dash", 1.0, (1, 1)),
        ("rmse", "RMSE of the mean", palette.error, "solid", 1.0, (1, 1)),
        ("spread", "ensemble: spread, fair CRPS, coverage", palette.ensemble, "solid", m, (1, 1)),
        ("spread_skill_ratio", "", palette.ensemble, "solid", 1.0, (1, 2)),
        ("mae_plain", "", palette.plain, "dash", 1.0, (2, 1)),
        ("crps_fair", "", palette.ensemble, "solid", 1.0, (2, 1)),
    ]
    levels = [level for level in COVERED if f"coverage_{level}" in score and level / 100 <= (n_member - 1) / (n_member + 1) + 1e-9]
    lines += [(f"coverage_{level}", "", palette.ensemble, "solid", 1.0, (2, 2)) for level in levels]
    for name, label, colour, dash, factor, (row, column) in lines:
        if name not in score:
            continue
        place = {"row": row, "col": column}
        if name in low and np.isfinite(low[name]).all():
            _band(figure, lead_time, factor * low[name], factor * high[name], colour, place)
        percent = name.startswith("coverage")
        figure.add_scatter(
            x=lead_time,
            y=factor * score[name],
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 5, "color": colour},
            name=label,
            showlegend=bool(label),
            hovertemplate=f"{name.replace('_', ' ')} at %{{x:g}} {lead_unit}: %{{y:{'.1%' if percent else '.3~g'}}}<extra></extra>",
            **place,
        )
    figure.add_hline(y=1, line={"color": palette.reference, "width": 1.2, "dash": "dot"}, row=1, col=2)
    for level in levels:
        figure.add_hline(y=level / 100, line={"color": palette.reference, "width": 1.0, "dash": "dot"}, row=2, col=2)
    for level, y in zip(levels, apart([score[f"coverage_{level}"][-1] for level in levels]), strict=True):
        _name_level(figure, lead_time[-1], y, level, palette)
    finish(figure, title="Scores by lead time", subtitle=subtitle, height=height, palette=palette)
    figure.update_layout(margin={"t": 84, "r": 34})
    figure.update_annotations(font={"size": 12.5, "color": palette.text}, selector=lambda one: one.text in TITLES)
    step = _hours(lead_time) if lead_unit == "h" else None
    figure.update_xaxes(tickvals=step, range=[0, lead_time[-1] * 1.03])
    figure.update_xaxes(title_text=f"lead time ({lead_unit})", row=2)
    for row, column in ((1, 1), (2, 1)):
        figure.update_yaxes(title_text=units or None, rangemode="tozero", row=row, col=column)
    ratio = np.concatenate([score.get("spread_skill_ratio", np.ones(1)), high.get("spread_skill_ratio", np.ones(1))])
    figure.update_yaxes(range=[0, max(1.3, float(np.nanmax(ratio)) * 1.08)], row=1, col=2)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", row=2, col=2)
    return legend_below(figure, -0.14)


def _band(figure: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, place: Mapping[str, int]) -> None:
    """The range as a pale band in the line's colour."""
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=colour,
        opacity=0.2,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        **place,
    )


def apart(heights: Sequence[float], least: float = APART) -> np.ndarray:
    """Rising heights moved as little as puts `least` between neighbours: those that meet spread around their common middle."""
    place = np.arange(len(heights)) * least
    free = np.asarray(heights, dtype=float) - place  # must not fall: the nearest such, by pooling neighbours that do
    pools: list[list[float]] = []
    for one in free:
        pools.append([one])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools] or [[]]) + place


def _name_level(figure: go.Figure, x: float, y: float, level: int, palette: Palette) -> None:
    figure.add_annotation(
        x=x,
        y=float(y),
        xanchor="left",
        xshift=8,
        text=f"{level}%",
        showarrow=False,
        font={"size": 11, "color": palette.text},
        row=2,
        col=2,
    )


def _hours(lead_time: np.ndarray) -> np.ndarray:
    """Whole days on the axis when the leads span more than one."""
    last = float(lead_time[-1])
    step = next((one for one in (6, 12, 24, 48, 120, 240) if last / one <= 6), 480)
    return np.arange(0, last + 1e-9, step)
