"""Fan chart: one forecast of a series with its central 50% and 90% bands, the truth and the recent past."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

LEVELS = (0.9, 0.5)


def central(members: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper end of the central interval over the members (axis 0), at the Weibull positions p(M+1).

    members: (member, *event).   Returns two (*event) arrays. With few members the ends are the extreme members.
    """
    low, high = np.quantile(members, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
    return low, high


def fan(
    context_time: np.ndarray,
    context: np.ndarray,
    valid_time: np.ndarray,
    members: np.ndarray,
    truth: np.ndarray,
    plain: np.ndarray,
    *,
    title: str,
    y: str,
    subtitle: str,
    x: str = "",
    time_format: str = "",
    palette: Palette = BROWSER,
    height: int = 500,
) -> go.Figure:
    """Draw a fan. members: (member, lead_time); truth, plain, valid_time: (lead_time,); context: (step,) at context_time.

    Times are dates (datetime64), numbers, or labels, which stand in their order and evenly spaced.   x: title of the axis of times.
    time_format: of dates on hover, as in strftime.
    The bands start at the last value that the model was given, so that the line continues into the forecast.
    """
    figure = go.Figure()
    context_time, valid_time = _drawable(context_time), _drawable(valid_time)
    joint_time = np.concatenate([context_time[-1:], valid_time])

    def joined(values: np.ndarray) -> np.ndarray:
        return np.concatenate([context[-1:], values])

    for level, colour in zip(LEVELS, (palette.band90, palette.band50), strict=True):
        low, high = central(members, level)
        figure.add_scatter(
            x=np.concatenate([joint_time, joint_time[::-1]]),
            y=np.concatenate([joined(high), joined(low)[::-1]]),
            fill="toself",
            fillcolor=colour,
            line={"width": 0},
            mode="lines",
            name=f"{level:.0%} of the members",
            hoverinfo="skip",
        )
    figure.add_scatter(x=context_time, y=context, mode="lines", line={"color": palette.truth, "width": 1.4}, name="past", showlegend=False)
    figure.add_scatter(
        x=joint_time, y=joined(plain), mode="lines", line={"color": palette.plain, "width": 2, "dash": "dash"}, name="plain model"
    )
    figure.add_scatter(
        x=joint_time, y=joined(members.mean(axis=0)), mode="lines", line={"color": palette.ensemble, "width": 2.2}, name="ensemble mean"
    )
    figure.add_scatter(
        x=valid_time,
        y=truth,
        mode="lines+markers",
        line={"color": palette.truth, "width": 1.4},
        marker={"size": 5, "color": palette.truth},
        name="truth",
    )
    if len(context_time):
        figure.add_vline(x=_plain_time(context_time[-1]), line={"color": palette.plain, "width": 1, "dash": "dot"})
    finish(figure, title=title, subtitle=subtitle, y=y, height=height, palette=palette)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(title_text=x or None)
    if joint_time.dtype.kind in "OUS":
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=np.concatenate([context_time, valid_time]))
    elif joint_time.dtype.kind != "M":
        figure.update_xaxes(exponentformat="none")  # 12055, where "12.05k" would stand at two ticks
    elif time_format:
        figure.update_xaxes(hoverformat=time_format)
    return legend_below(figure, -0.09)


def _drawable(times: np.ndarray) -> np.ndarray:
    """Return labels of any type as text, because Plotly writes only text, numbers and dates; others as they are."""
    return times.astype(str) if times.dtype == object else times


def _plain_time(value: object) -> object:
    """Return a date as text, because Plotly takes numpy dates in traces but not in shapes."""
    return str(value) if isinstance(value, np.datetime64) else value
