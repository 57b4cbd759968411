"""A map for print by cartopy and matplotlib: PNG, SVG or PDF, with title, units and colour bar. No request to other hosts.

It uses matplotlib.figure.Figure and never pyplot, because all threads of a server would share the state of pyplot.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator
from plotly.colors import hex_to_rgb, unlabel_rgb

from stochattn_core.figures.colour_scale import ColourScale
from stochattn_core.figures.map import default_projection, degree_ticks, line_names
from stochattn_core.figures.projection import Projection, graticule, outline, projected_coastline
from stochattn_core.figures.spaghetti import NAMES, Contours, projected_contours
from stochattn_core.figures.theme import LIGHT
from stochattn_core.figures.warp import Grid, view, warp
from stochattn_core.figures.wind import HEAD, LENGTH, arrow_lines, round_below, strong_speed, wind_arrows

FORMATS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
ACROSS = 1200  # pixels of the field across the globe: 300 dpi on a page
INK, PALE = "#16191f", "#6d747f"
CONTOUR: dict[str, dict[str, Any]] = {
    "ensemble": {"linewidth": 0.55, "alpha": 0.6, "zorder": 3},
    "truth": {"linewidth": 1.4, "zorder": 4},
    "plain": {"linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 5},
}


def map_export(
    field: np.ndarray,
    latitude: Sequence[float],
    longitude: Sequence[float],
    *,
    title: str,
    subtitle: str,
    quantity: str,
    units: str = "",
    scale: ColourScale,
    projection: Projection | None = None,
    smooth: bool = True,
    wind: tuple[np.ndarray, np.ndarray] | None = None,
    wind_name: str = "wind",
    inches: float = 7.0,
) -> Figure:
    """Draw a field on a map for print. field: (latitude, longitude) in units; the arguments are those of map.field_map.

    wind: u and v, (latitude, longitude) m s-1, for arrows.   wind_name: their name.   inches: width.
    """
    grid = Grid.of(latitude, longitude)
    projection = projection or default_projection(grid)
    figure, axes = _frame(grid, projection, title, subtitle, inches)
    shown = view(projection, grid)
    colours = LinearSegmentedColormap.from_list("scale", [tuple(part / 255 for part in _rgb(colour)) for colour in scale.colours], N=512)
    low, high = scale.ends
    image = axes.imshow(
        scale.place(warp(field, grid, projection, across=ACROSS, smooth=smooth)),
        origin="lower",
        extent=shown,
        transform=projection.crs,
        cmap=colours,
        norm=Normalize(low, high),
        interpolation="nearest",
        zorder=1,
    )
    coast = projected_coastline(projection)
    axes.plot(*coast, color="white", linewidth=1.3, alpha=0.5, zorder=4)
    axes.plot(*coast, color=INK, linewidth=0.55, zorder=5)
    if wind is not None:
        _wind(axes, *wind, grid, projection, wind_name)

    whole = figure.get_figheight()
    bar = figure.colorbar(image, cax=figure.add_axes((0.2, 0.5 / whole, 0.6, 0.09 / whole)), orientation="horizontal", extend="neither")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=INK, pad=3)
    if scale.ticks is not None:
        bar.set_ticks(scale.ticks[0], labels=scale.ticks[1])
    else:
        bar.ax.xaxis.set_major_formatter(lambda value, place: f"{value:,.6g}".replace("-", "−"))
        bar.ax.xaxis.set_major_locator(MaxNLocator(6))
    bar.set_label(f"{quantity} ({units})" if units else quantity, fontsize=9, color=INK)
    return figure


def spaghetti_export(shown: Contours, *, inches: float = 7.0) -> Figure:
    """Draw the contours of spaghetti.spaghetti for print.   inches: width."""
    grid, projection = shown.plane
    figure, axes = _frame(grid, projection, shown.title, shown.subtitle, inches)
    axes.plot(*projected_coastline(projection), color=LIGHT.plain, linewidth=0.5, zorder=2.5)
    looks = {role: {"color": getattr(LIGHT, role), **CONTOUR[role]} for role in shown.fields}
    for level in shown.levels:
        for role, fields in shown.fields.items():
            axes.plot(*projected_contours(fields, grid, projection, level), **looks[role])
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 1.0}
    for place, text in shown.names:
        axes.text(*place, text, color=INK, fontsize=7.5, ha="center", va="center", bbox=paper, zorder=9)
    lines = [
        Line2D([], [], **{**look, "alpha": 1, "linewidth": max(look["linewidth"], 0.9)}, label=NAMES[role]) for role, look in looks.items()
    ]
    bottom = 0.3 / figure.get_figheight()
    figure.legend(handles=lines, loc="center", bbox_to_anchor=(0.5, bottom), ncols=len(lines), frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def _frame(grid: Grid, projection: Projection, title: str, subtitle: str, inches: float) -> tuple[Figure, GeoAxes]:
    """Return a page with title, sizes and graticule, the part of the map that is shown, and space for a legend below."""
    west, east, south, north = view(projection, grid)
    is_round = projection.kind.is_round
    map_inches = inches * (0.72 if is_round else 1.0)
    height = map_inches * (north - south) / (east - west)
    figure = Figure(figsize=(inches, height + 1.5), facecolor="white", layout=None)
    whole = figure.get_figheight()
    share = map_inches / inches * (0.94 if projection.name == "orthographic" else 0.88)  # room for the degrees
    axes: GeoAxes = figure.add_axes(
        ((1 - share) / 2, 0.82 / whole, share, height * share * inches / map_inches / whole), projection=projection.crs
    )
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    _cut_out(axes, projection, (west, east, south, north))
    axes.plot(*graticule(projection), color="#808890", linewidth=0.35, alpha=0.55, zorder=2)
    axes.plot(*outline(projection), color=PALE, linewidth=1.0, zorder=6)
    figure.text(0.03, 1 - 0.22 / whole, title, fontsize=11.5, color=INK, va="center", weight="bold")
    figure.text(0.03, 1 - 0.43 / whole, subtitle, fontsize=8.5, color=LIGHT.text, va="center")
    return figure, axes


def file_bytes(figure: Figure, file_format: str, dpi: int = 300) -> bytes:
    """Return the bytes of a file. file_format: png, svg or pdf. The same figure gives the same bytes, because no date is written."""
    if file_format not in FORMATS:
        raise ValueError(f"a map is saved as {', '.join(FORMATS)}, got {file_format!r}; choose one of them")
    about = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[file_format]
    target = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "map", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(target, format=file_format, dpi=dpi, metadata=about)
    return target.getvalue()


def _cut_out(axes: GeoAxes, projection: Projection, shown: tuple[float, float, float, float]) -> None:
    """Frame a map: a whole map by its edge, a region by its box."""
    axes.spines["geo"].set_visible(False)
    if projection.name == "plate-carree":
        for set_ticks, set_labels, ticks in (
            (axes.set_xticks, axes.set_xticklabels, degree_ticks(shown[:2], projection.longitude, "EW")),
            (axes.set_yticks, axes.set_yticklabels, degree_ticks(shown[2:], 0.0, "NS")),
        ):
            set_ticks(ticks[0])
            set_labels(ticks[1])
        axes.tick_params(length=0, labelsize=7.5, labelcolor=PALE, pad=3)
    if shown == projection.extent:
        across, up = {-1: "right", 0: "center", 1: "left"}, {-1: "top", 0: "center", 1: "bottom"}
        for x, y, text, (east, north) in zip(*line_names(projection), strict=True):
            axes.text(x, y, text, color=PALE, fontsize=7.5, ha=across[east], va=up[north], clip_on=False)
    if shown == projection.extent:
        axes.set_boundary(Outline(np.stack(outline(projection), axis=-1).astype(float)), transform=projection.crs)


def _wind(axes: GeoAxes, u: np.ndarray, v: np.ndarray, grid: Grid, projection: Projection, name: str) -> None:
    arrows = wind_arrows(u, v, grid, projection, across=34)
    strong = strong_speed(arrows)
    length = LENGTH * arrows.spacing / max(strong, 1e-12)
    x, y = arrow_lines(arrows.x, arrows.y, arrows.u * length, arrows.v * length, HEAD * arrows.spacing)
    axes.plot(x, y, color="white", linewidth=1.4, alpha=0.5, zorder=7)
    axes.plot(x, y, color=INK, linewidth=0.6, zorder=8)
    known = round_below(strong)
    _, east, south, north = view(projection, grid)
    above = north + 0.03 * (north - south)
    x, y = arrow_lines(
        np.array([east - known * length / 2]), np.array([above]), np.array([known * length]), np.zeros(1), HEAD * arrows.spacing
    )
    axes.plot(x, y, color=PALE, linewidth=0.9, clip_on=False)
    axes.text(
        east - known * length - 0.012 * (north - south),
        above,
        f"{name}, {known:g} m/s",
        color=PALE,
        fontsize=8,
        ha="right",
        va="center",
        clip_on=False,
    )


def _rgb(colour: str) -> tuple[float, float, float]:
    return hex_to_rgb(colour) if colour.startswith("#") else unlabel_rgb(colour)
