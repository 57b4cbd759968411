"""One colour for each role in every figure, and the layout that all figures share.

LIGHT and DARK are for figures saved on their own. BROWSER holds names that pages/ui/figure.js replaces with
`chartCategoricalColors` of .streamlit/config.toml in the viewer's browser, so that a figure follows a switch between
light and dark without a run of the script. A test holds config.toml and these palettes together.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import plotly.graph_objects as go


@dataclass(frozen=True)
class Palette:
    """Colours by role. Pairs that meet in one plot differ for common colour deficiencies too; roles also differ by mark."""

    ensemble: str  # members, their mean, spread
    truth: str  # what was observed
    plain: str  # the plain model's one answer
    error: str  # errors of forecasts; cases outside their interval
    reference: str  # reference forecasts (persistence, climatology); the ideal line
    band90: str  # central 90% of the members, and every band of chance
    band50: str  # central 50%
    good: str
    doubtful: str
    bad: str
    text: str
    paper: str

    @property
    def categorical(self) -> tuple[str, ...]:
        return astuple(self)[:10]


LIGHT = Palette(
    ensemble="#1c6fb5",
    truth="#16191f",
    plain="#868d98",
    error="#c4501b",
    reference="#7b57a8",
    band90="#d9e7f4",
    band50="#a5c9e8",
    good="#1b7a5e",
    doubtful="#9a6700",
    bad="#b3263a",
    text="#4a505b",
    paper="#fdfdfb",
)
DARK = Palette(
    ensemble="#63b3f2",
    truth="#f5f2ea",
    plain="#98a0ac",
    error="#f2935c",
    reference="#bda2e6",
    band90="#1e3850",
    band50="#2f618f",
    good="#5cc9a7",
    doubtful="#e6b84a",
    bad="#ff8590",
    text="#b3bac5",
    paper="#12161c",
)
BROWSER = Palette(*[*(f"#{slot:06d}" for slot in range(1, 11)), "#000036", "#000038"])


def finish(
    figure: go.Figure, *, title: str, subtitle: str, x: str = "", y: str = "", height: int = 320, palette: Palette = BROWSER
) -> go.Figure:
    """Give a figure its title, axes, legend and margins. The background stays transparent, so that the page shows through."""
    figure.update_layout(
        title={
            "text": f'{title}<br><span style="font-size:12.5px;font-weight:400">{subtitle}</span>' if title else "",
            "font": {"size": 15},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 17, "l": 2},
        },
        height=height,
        margin={"t": 58, "l": 8, "r": 14, "b": 8, "pad": 4},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hovermode="closest",
        dragmode=False,
        bargap=0.06,
    )
    axis = {"automargin": True, "zeroline": False, "gridwidth": 1, "title": {"standoff": 8}, "fixedrange": True}
    if palette is BROWSER:
        figure.layout.template = go.layout.Template()  # the browser puts in that of the page
    else:
        axis |= {"gridcolor": palette.band90}
        figure.update_layout(paper_bgcolor=palette.paper, font={"color": palette.text})
    figure.update_xaxes(**axis, showgrid=False)
    figure.update_yaxes(**axis)
    if x:
        figure.update_xaxes(title_text=x)
    if y:
        figure.update_yaxes(title_text=y)
    return figure


def legend_below(figure: go.Figure, y: float = -0.16) -> go.Figure:
    """Put the legend below the plot, where it hides nothing. y: how far below, in heights of the plot."""
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": y, "yanchor": "top", "font": {"size": 12}, "itemclick": "toggle", "tracegroupgap": 4},
    )
    return figure


def number(value: float, digits: int = 3) -> str:
    """Return a number with three digits: 0.0123, 1.23, 123, 12,300; a dash for NaN."""
    if value != value:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    if abs(value) < 1e-3:
        return f"{value:.1e}"
    power = int(f"{abs(value):.{digits - 1}e}".split("e")[1])  # after rounding: 9.996 is 10.0
    return f"{value:.{max(0, digits - 1 - power)}f}"


def title_size(n_member: int, n_case: int, more: str = "") -> str:
    """Return the sizes behind a plot in words, for the line under its title."""
    return f"M = {n_member} members · N = {n_case:,} values" + (f", {more}" if more else "")


def units_text(units: str) -> str:
    """Return units as they are printed; files keep the names of CF."""
    return {"degC": "°C", "degF": "°F", "m s-1": "m/s", "m2 s-2": "m²/s²"}.get(units, units)
