"""Interactive map of one field: a warped heat map, coastlines and graticule, with value and place on hover; no request to other hosts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.colour_scale import ColourScale
from stochattn_core.figures.projection import Projection, coastline, graticule, outline, project_lines, projected_coastline, wrapped
from stochattn_core.figures.theme import BROWSER, Palette, finish
from stochattn_core.figures.warp import PIXELS, Grid, pixels, view, warp

# Over a field the coast is dark with a pale casing, visible on every colour of every scale, on light and dark pages.
COAST, CASING = "rgba(14,18,26,0.92)", "rgba(255,255,255,0.55)"
GRATICULE = "rgba(128,132,140,0.32)"
FRAME = "rgba(128,132,140,0.7)"  # around the colour bar, whose dark end would not show on a dark page


def field_map(
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
    across: int = PIXELS,
    palette: Palette = BROWSER,
    height: int | None = None,
) -> go.Figure:
    """Draw a field on a map. field: (latitude, longitude) in units; latitudes in either order, longitudes in either convention; NaN stays blank.

    quantity: name of the value on hover ("spread").   scale: of colour_scale, the same object for maps to be compared.
    smooth: bilinear between the middles of cells; False draws the cells.   across: pixels across a whole globe.
    """
    grid = Grid.of(latitude, longitude)
    projection = projection or default_projection(grid)
    place = pixels(projection, grid, across, smooth)
    values = warp(field, grid, projection, across=across, smooth=smooth)
    number = f",.{scale.decimals}f"
    # Whole degrees are finer than a pixel of the globe and take half the space; a small region needs decimals.
    dtype = np.int16 if grid.is_cyclic else np.float32
    around = [np.nan_to_num(degrees).round().astype(dtype) if grid.is_cyclic else degrees for degrees in (place.latitude, place.longitude)]
    low, high = scale.ends
    bar_ticks = {} if scale.ticks is None else {"tickvals": scale.ticks[0], "ticktext": scale.ticks[1]}
    name = f"{quantity} ({units})" if units else quantity
    form = ".0f" if grid.is_cyclic else ".2f"
    shown = f"%{{text:{number}}}" if scale.is_log else f"%{{z:{number}}}"
    figure = go.Figure()
    figure.add_heatmap(
        x=place.x,
        y=place.y,
        z=scale.place(values),
        text=values if scale.is_log else None,
        customdata=np.stack(around, axis=-1),  # the place only, so that the page sends it once for all fields
        zmin=low,
        zmax=high,
        colorscale=scale.stops,
        hoverongaps=False,
        hovertemplate=(
            f"{quantity} <b>{shown}</b> {units}<br>latitude %{{customdata[0]:{form}}}°, longitude %{{customdata[1]:{form}}}°<extra></extra>"
        ),
        colorbar={
            "orientation": "h",
            "x": 0.5,
            "xanchor": "center",
            "y": 0,
            "yanchor": "top",
            "ypad": 22 if projection.name == "plate-carree" else 12,
            "len": 0.72,
            "thickness": 9,
            "outlinewidth": 1,
            "outlinecolor": FRAME,
            "title": {"text": name, "side": "bottom", "font": {"size": 12}},
            "tickfont": {"size": 11.5},
            "ticks": "",
            "nticks": 7,
            "tickformat": ",~f",
            **bar_ticks,
        },
    )
    draw_ground(figure, grid, projection, palette=palette, over_field=True)
    return finish_map(figure, grid, projection, title=title, subtitle=subtitle, palette=palette, height=height)


def default_projection(grid: Grid) -> Projection:
    """Return Robinson for the globe, and Plate Carrée around its own middle for a region."""
    return Projection() if grid.is_global else Projection("plate-carree", grid.middle[0])


def draw_ground(figure: go.Figure, grid: Grid, projection: Projection, *, palette: Palette, over_field: bool) -> None:
    """Draw graticule, coastline and outline, each as one line."""
    line(
        figure,
        *graticule(projection, 30.0 if grid.is_cyclic else _even_step(max(np.ptp(grid.columns), np.ptp(grid.rows)))),
        colour=GRATICULE,
        width=0.7,
    )
    covered, beyond = coast_over(projection, grid) if over_field else ((), projected_coastline(projection))
    if len(covered):
        line(figure, *covered, colour=CASING, width=2.4)
        line(figure, *covered, colour=COAST, width=0.9)
    if len(beyond):
        line(figure, *beyond, colour=palette.plain, width=0.9)
    line(figure, *outline(projection), colour=palette.plain, width=1.6)


@lru_cache(maxsize=64)
def coast_over(projection: Projection, grid: Grid) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | tuple[()]]:
    """Return the coastline where the field covers it, and where it does not; the latter is empty for a global grid."""
    if grid.is_global:
        return projected_coastline(projection), ()
    longitude, latitude = coastline()
    inside = grid.holds(longitude, latitude)

    def projected(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = project_lines(projection, np.where(part, longitude, np.nan), latitude)
        return x.astype(np.float32), y.astype(np.float32)

    return projected(inside), projected(~inside)


def line(figure: go.Figure, x: np.ndarray, y: np.ndarray, *, colour: str, width: float, **more: Any) -> None:
    """Draw one line with gaps (NaN) and without hover text."""
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": width, "simplify": False},
        connectgaps=False,
        **{"hoverinfo": "skip", "showlegend": False, **more},
    )


def finish_map(
    figure: go.Figure, grid: Grid, projection: Projection, *, title: str, subtitle: str, palette: Palette, height: int | None
) -> go.Figure:
    """Give a map its layout: a metre is as long in x as in y; only straight axes have ticks, in degrees."""
    finish(figure, title=title, subtitle=subtitle, height=height or (540 if projection.kind.is_round else 430), palette=palette)
    west, east, south, north = view(projection, grid)
    whole = (west, east, south, north) == projection.extent
    margin = 0.012 * (east - west)
    figure.update_xaxes(range=[west - margin, east + margin], showgrid=False, zeroline=False, constrain="domain", visible=False)
    figure.update_yaxes(
        range=[south - margin, north + margin],
        showgrid=False,
        zeroline=False,
        constrain="domain",
        constraintoward="middle",
        scaleanchor="x",
        scaleratio=1,
        visible=False,
    )
    figure.update_layout(margin={"t": 58, "b": 8, "l": 8, "r": 8, "pad": 0})
    if projection.name == "plate-carree":
        for update, ticks in (
            (figure.update_xaxes, degree_ticks((west, east), projection.longitude, "EW")),
            (figure.update_yaxes, degree_ticks((south, north), 0.0, "NS")),
        ):
            update(visible=True, tickvals=ticks[0], ticktext=ticks[1], ticks="", showline=False, tickfont={"size": 11})
    elif projection.name in ("robinson", "north-polar") and whole:
        _name_lines(figure, projection, palette)
        figure.update_xaxes(range=[west * 1.12, east * 1.12])
        if projection.name == "north-polar":
            figure.update_yaxes(range=[south * 1.1, north * 1.1])
    return figure


class LineNames(NamedTuple):
    """Degrees at the edge of a map, (name,) each. side: direction of the name from its place, (right, up) of -1, 0, 1."""

    x: np.ndarray
    y: np.ndarray
    text: list[str]
    side: list[tuple[int, int]]


def line_names(projection: Projection) -> LineNames:
    """Return the names of the parallels on Robinson and of the meridians around the pole; none for other projections."""
    if projection.name == "robinson":
        latitude = np.array([-60.0, -30.0, 0.0, 30.0, 60.0])
        x, y = projection.forward(np.full(5, projection.longitude - 179.999), latitude)
        return LineNames(x - 0.03 * projection.extent[1], y, [_degrees(float(degrees), "NS") for degrees in latitude], [(-1, 0)] * 5)
    if projection.name == "north-polar":
        east = np.deg2rad(np.arange(0.0, 360.0, 90.0))
        out = 1.015 * projection.extent[1]
        text = [_degrees(float(wrapped(np.rad2deg(angle) + projection.longitude).round(6)), "EW") for angle in east]
        return LineNames(out * np.sin(east), -out * np.cos(east), text, [(0, -1), (1, 0), (0, 1), (-1, 0)])
    return LineNames(np.empty(0), np.empty(0), [], [])


def _name_lines(figure: go.Figure, projection: Projection, palette: Palette) -> None:
    names = line_names(projection)
    across, up = {-1: "left", 0: "center", 1: "right"}, {-1: "bottom", 0: "middle", 1: "top"}
    figure.add_scatter(
        x=names.x,
        y=names.y,
        mode="text",
        text=names.text,
        textposition=[f"{up[north]} {across[east]}" for east, north in names.side],
        textfont={"size": 10.5, "color": palette.plain},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )


def degree_ticks(ends: tuple[float, float], middle: float, letters: str) -> tuple[np.ndarray, list[str]]:
    """Return places and texts of round degrees on an axis of Plate Carrée. ends and places are counted from the middle."""
    every = 60.0 if ends[1] - ends[0] > 200 else _even_step(ends[1] - ends[0])
    degrees = np.arange(np.ceil((ends[0] + middle) / every - 1e-9), np.floor((ends[1] + middle) / every + 1e-9) + 1) * every
    if letters == "NS":  # the name of the pole would meet that of the meridian in the corner
        degrees = degrees[np.abs(degrees) < 90]
    return degrees - middle, [_degrees(float(wrapped(value) if letters == "EW" else value), letters) for value in degrees]


def _even_step(reach: float) -> float:
    """Return the degrees between lines that make at most 8 of them."""
    return next((step for step in (0.5, 1.0, 2.0, 5.0, 10.0, 20.0) if reach / step <= 8), 30.0)


def _degrees(value: float, letters: str) -> str:
    """Return degrees as text: 60°W, 0°, 180°."""
    size = abs(float(value))
    return f"{size:g}°" + ("" if size in (0.0, 180.0) else letters[0 if value > 0 else 1])


def map_subtitle(*, n_member: int | None = None, n_forecast: int = 1, more: str = "") -> str:
    """Return the sizes behind a map in words: M = 40 members · N = 16 forecasts, and more."""
    parts = [f"M = {n_member} members"] if n_member else []
    parts.append("one forecast" if n_forecast == 1 else f"N = {n_forecast:,} forecasts")
    return " · ".join([*parts, more] if more else parts)
