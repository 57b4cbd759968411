"""Wind arrows on a map: evenly spaced in the plane, turned with the projection, correct at the poles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.map import CASING, COAST, default_projection, line
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.theme import BROWSER, Palette
from stochattn_core.figures.warp import Grid, padded, pixels, view

ARROWS = 26  # across a whole globe
LENGTH, HEAD = 1.15, 0.28  # length of the arrow of a strong wind and of the longest barbs, in spacings between arrows
NUDGE = 1e-3  # radians: how far a place is moved along the wind to find its direction on the map


class Arrows(NamedTuple):
    """(arrow,) each. x, y: the middle of the arrow; u, v: its components on the map, m s-1, whose length is the wind speed."""

    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray
    spacing: float  # between arrows, in the units of x


def wind_arrows(u: np.ndarray, v: np.ndarray, grid: Grid, projection: Projection, across: int = ARROWS) -> Arrows:
    """Return the arrows of u, v: (latitude, longitude), eastward and northward wind in m s-1; `across` of them across a whole globe.

    Between cells the vectors are averaged in space, not by components, because near a pole east has another direction in each column.
    """
    place = pixels(projection, grid, across, True)
    flat_u, flat_v = grid.checked(u), grid.checked(v)
    east, north, _ = _directions(np.array(grid.longitude)[None], grid.rows[:, None])
    vector = padded(flat_u * east + flat_v * north, grid).reshape(3, -1)
    vector = (place.weight * vector[:, place.cell]).sum(axis=1)
    longitude, latitude = place.longitude[place.shown].astype(np.float64), place.latitude[place.shown].astype(np.float64)
    east, north, up = _directions(longitude, latitude)
    # Along the surface only, because the mean of vectors between cells points slightly out of it.
    along_east, along_north = (vector * east).sum(axis=0), (vector * north).sum(axis=0)
    speed = np.hypot(along_east, along_north)
    step = NUDGE * (along_east * east + along_north * north) / np.maximum(speed, 1e-12)
    here, ahead, behind = (np.stack(projection.forward(*_place(up + sign * step))) for sign in (0, 1, -1))
    direction = ahead - here
    # At the seam the place ahead is on the other side of the map, so the place behind is used.
    limit = 0.05 * (projection.extent[1] - projection.extent[0])
    lost = ~(np.hypot(*direction) < limit)
    direction[:, lost] = (here - behind)[:, lost]
    direction = direction / np.maximum(np.hypot(*direction), 1e-12)
    keep = np.isfinite(direction).all(axis=0) & np.isfinite(speed)
    x, y = np.meshgrid(place.x, place.y)
    return Arrows(
        x[place.shown][keep].astype(np.float32),
        y[place.shown][keep].astype(np.float32),
        (direction[0] * speed)[keep].astype(np.float32),
        (direction[1] * speed)[keep].astype(np.float32),
        longitude[keep],
        latitude[keep],
        float(place.x[1] - place.x[0]),
    )


def _directions(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit vectors to the east, to the north and up, each (3, *shape)."""
    east_angle, north_angle = np.broadcast_arrays(np.deg2rad(longitude), np.deg2rad(latitude))
    c, s, cp, sp = np.cos(east_angle), np.sin(east_angle), np.cos(north_angle), np.sin(north_angle)
    return np.stack([-s, c, np.zeros_like(s)]), np.stack([-sp * c, -sp * s, cp]), np.stack([cp * c, cp * s, sp])


def _place(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude of vectors (3, place)."""
    return np.rad2deg(np.arctan2(vector[1], vector[0])), np.rad2deg(np.arctan2(vector[2], np.hypot(vector[0], vector[1])))


def arrow_lines(x: np.ndarray, y: np.ndarray, along_x: np.ndarray, along_y: np.ndarray, head: float) -> tuple[np.ndarray, np.ndarray]:
    """Return arrows with their middles at x, y as one line with gaps: shaft, then two barbs. head: length of the longest barb.

    It is a line because Plotly draws its quiver beneath heat maps.
    """
    length = np.hypot(along_x, along_y)
    barb = np.minimum(head, 0.45 * length) / np.maximum(length, 1e-12)
    tail_x, tail_y, tip_x, tip_y = x - along_x / 2, y - along_y / 2, x + along_x / 2, y + along_y / 2
    turn = np.deg2rad(152.0)
    points = [(tail_x, tail_y), (tip_x, tip_y)]
    for sign in (1, -1):
        c, s = np.cos(sign * turn), np.sin(sign * turn)
        points.append((tip_x + barb * (c * along_x - s * along_y), tip_y + barb * (s * along_x + c * along_y)))
        points.append((tip_x, tip_y))
    gap = (np.full_like(tail_x, np.nan),) * 2
    both = np.stack([np.stack(pair) for pair in [*points[:-1], gap]], axis=-1)
    return both[0].ravel().astype(np.float32), both[1].ravel().astype(np.float32)


def strong_speed(arrows: Arrows) -> float:
    """Return the speed that 95% of the arrows do not exceed, so that one jet does not make all others too small."""
    return float(np.quantile(np.hypot(arrows.u, arrows.v), 0.95)) if len(arrows.u) else 0.0


def round_below(value: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above the value; 1 for values of 0 and below."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)))


def add_wind(
    figure: go.Figure,
    u: np.ndarray,
    v: np.ndarray,
    latitude: Sequence[float],
    longitude: Sequence[float],
    *,
    projection: Projection | None = None,
    name: str = "wind",
    units: str = "m/s",
    across: int = ARROWS,
    over_field: bool = True,
    palette: Palette = BROWSER,
) -> go.Figure:
    """Draw arrows over a map with the same grid and projection, and above it an arrow of known speed.

    u, v: (latitude, longitude), eastward and northward.   over_field: dark arrows for a coloured map; otherwise in the colour of the page.
    """
    grid = Grid.of(latitude, longitude)
    projection = projection or default_projection(grid)
    arrows = wind_arrows(u, v, grid, projection, across)
    strong = strong_speed(arrows)
    known = round_below(strong)
    length = LENGTH * arrows.spacing / max(strong, 1e-12)  # of 1 m s-1
    head = HEAD * arrows.spacing
    x, y = arrow_lines(arrows.x, arrows.y, arrows.u * length, arrows.v * length, head)
    if over_field:
        line(figure, x, y, colour=CASING, width=2.6)
    line(figure, x, y, colour=COAST if over_field else palette.truth, width=1.1)
    _, east, south, north = view(projection, grid)
    low, high = figure.layout.yaxis.range
    above = high + 0.04 * (north - south)
    x, y = arrow_lines(np.array([east - known * length / 2]), np.array([above]), np.array([known * length]), np.zeros(1), head)
    line(figure, x, y, colour=palette.plain, width=1.2)
    figure.add_annotation(
        x=east - known * length,
        y=above,
        xanchor="right",
        xshift=-6,
        text=f"{name}, {known:g} {units}",
        showarrow=False,
        font={"size": 11, "color": palette.plain},
    )
    figure.update_yaxes(range=[low, above + 0.03 * (north - south)])
    return figure
