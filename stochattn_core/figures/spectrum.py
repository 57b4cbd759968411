"""Spectra by zonal wavenumber: truth, one member and mean; below, the ratio of each to the truth."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from stochattn_core.figures.band import add_band
from stochattn_core.figures.theme import BROWSER, Palette, finish, legend_below

TICKS = (1, 2, 3, 5, 8, 12, 20, 32, 64, 128, 256)


def spectrum(
    wavenumber: np.ndarray,
    truth: np.ndarray,
    member: np.ndarray,
    mean: np.ndarray,
    *,
    low: np.ndarray,
    high: np.ndarray,
    subtitle: str,
    plain: np.ndarray | None = None,
    units: str = "",
    palette: Palette = BROWSER,
    height: int = 470,
) -> go.Figure:
    """Draw power by wavenumber. All arrays: (wavenumber,), k = 1 and up; powers in units squared.

    low, high: 90% range of member / truth, NaN where the truth has no power; no ratio is drawn there.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.06)
    lines = [
        (mean, palette.ensemble, "dash", 1.8, "ensemble mean"),
        (member, palette.ensemble, "solid", 2.2, "one member"),
        (truth, palette.truth, "solid", 2.0, "truth"),
    ]
    if plain is not None:
        lines.insert(0, (plain, palette.plain, "dash", 1.8, "plain model"))
    ratio = np.where(np.isfinite(low) & np.isfinite(high) & (truth > 0), member / np.where(truth > 0, truth, 1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for values, colour, dash, width, name in lines:
            common = {"x": wavenumber, "mode": "lines", "line": {"color": colour, "dash": dash, "width": width}, "legendgroup": name}
            text = f"{name}: %{{y:.3~g}}<extra></extra>"
            figure.add_scatter(y=np.where(values > 0, values, np.nan), name=name, hovertemplate=text, row=1, col=1, **common)
            if name != "truth":
                figure.add_scatter(
                    y=np.where(np.isfinite(ratio), values / truth, np.nan),
                    name=name,
                    showlegend=False,
                    hovertemplate=text,
                    row=2,
                    col=1,
                    **common,
                )
    add_band(figure, wavenumber, low, high, "90% range of a member", palette, zorder=-1, row=2, col=1)
    figure.add_hline(y=1, line={"color": palette.reference, "width": 1.2, "dash": "dot"}, row=2, col=1)
    finish(figure, title="Power by zonal wavenumber", subtitle=subtitle, height=height, palette=palette)
    ticks = [tick for tick in TICKS if tick <= wavenumber[-1]]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    last = wavenumber[np.isfinite(ratio)][-1] if np.isfinite(ratio).any() else wavenumber[-1]
    figure.update_xaxes(range=[np.log10(wavenumber[0] * 0.93), np.log10(last * 1.06)])
    figure.update_xaxes(title_text="zonal wavenumber (waves around a latitude circle)", row=2, col=1)
    power = np.concatenate([truth[np.isfinite(ratio)], member[np.isfinite(ratio)]])
    ends = np.log10([power.min(), power.max()]) if len(power) else (-1, 0)
    figure.update_yaxes(range=[ends[0] - 0.4, ends[1] + 0.3], row=1, col=1)
    figure.update_yaxes(type="log", exponentformat="power", nticks=6, title_text=f"power, ({units})²" if units else "power", row=1, col=1)
    top = np.nanmax(np.concatenate([[1.0], ratio, high[np.isfinite(high)]]))
    figure.update_yaxes(range=[0, min(max(1.35, float(top) * 1.08), 4.0)], title_text="ratio to truth", row=2, col=1)
    figure.update_layout(hovermode="x unified")
    return legend_below(figure, -0.17)
