"""The box that a user draws on a map: from the rectangle in the plane to a region of the globe, and its outline on the map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stochattn_core.figures.map import COAST, default_projection, line
from stochattn_core.figures.projection import Projection, project_lines
from stochattn_core.figures.warp import Grid
from stochattn_core.metrics.regions import Region

LATTICE = 41  # points on each side at which a rectangle is looked up on the globe


def selectable(figure: go.Figure, latitude: Sequence[float], longitude: Sequence[float], projection: Projection | None = None) -> go.Figure:
    """Let the user drag a box: invisible points at the cells can be selected, which the pixels of a heat map cannot."""
    grid = Grid.of(latitude, longitude)
    projection = projection or default_projection(grid)
    columns, rows = np.meshgrid(grid.longitude, grid.latitude)
    x, y = projection.forward(columns, rows)
    shown = np.isfinite(x)
    figure.add_scatter(
        x=x[shown].astype(np.float32),
        y=y[shown].astype(np.float32),
        mode="markers",
        marker={"size": 3, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        hoverinfo="skip",
        showlegend=False,
        name="cells",
    )
    return figure.update_layout(dragmode="select", selectdirection="any")


def drawn_region(x: tuple[float, float], y: tuple[float, float], projection: Projection, label: str = "Your box") -> Region:
    """Return the region between parallels and meridians around a rectangle in the plane. x, y: its ends in the units of the axes.

    If the projection bends them, the region is the smallest that contains the rectangle; one that contains the pole goes all the way round.
    """
    plane = np.meshgrid(np.linspace(min(x), max(x), LATTICE), np.linspace(min(y), max(y), LATTICE))
    longitude, latitude = projection.inverse(*plane)
    seen = np.isfinite(longitude)
    if not seen.any() or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError("the box that was drawn lies off the map or has no area; draw it again over the map")
    south, north = _rounded(float(latitude[seen].min()), -90), _rounded(float(latitude[seen].max()), 90)
    for pole in (-90.0, 90.0):
        at_x, at_y = projection.forward(np.array([projection.longitude]), np.array([pole]))
        if projection.kind.is_round and np.isfinite(at_x[0]) and min(x) <= at_x[0] <= max(x) and min(y) <= at_y[0] <= max(y):
            return Region(label, min(south, pole), max(north, pole))
    around = np.sort(longitude[seen] % 360)
    gap = np.diff(np.append(around, around[0] + 360))
    widest = int(gap.argmax())
    if gap[widest] < 6:
        return Region(label, south, north)
    west, east = around[(widest + 1) % len(around)], around[widest]
    return Region(label, south, north, _half(west), _half(east))


def _half(longitude: float) -> float:
    """Return the longitude in -180 to 180, to a tenth of a degree."""
    return round(float((longitude + 180) % 360 - 180), 1)


def _rounded(latitude: float, pole: float) -> float:
    return pole if abs(latitude - pole) < 0.5 else round(latitude, 1)


def add_region(
    figure: go.Figure,
    region: Region,
    latitude: Sequence[float],
    longitude: Sequence[float],
    *,
    projection: Projection | None = None,
) -> go.Figure:
    """Draw the outline of a region on a map with the same grid and projection."""
    projection = projection or default_projection(Grid.of(latitude, longitude))
    along = np.linspace(region.west, region.west + region.width, max(3, round(region.width) + 1))
    up = np.linspace(region.south, region.north, max(3, round(region.north - region.south) + 1))
    pieces = [(along, np.full_like(along, edge)) for edge in (region.south, region.north) if abs(edge) < 90]
    if region.width < 360:
        pieces += [(np.full_like(up, edge), up) for edge in (region.west, region.west + region.width)]
    if not pieces:
        return figure
    gap = np.array([np.nan])
    x, y = project_lines(projection, *(np.concatenate([part for piece in pieces for part in (piece[axis], gap)]) for axis in (0, 1)))
    line(figure, x.astype(np.float32), y.astype(np.float32), colour=COAST, width=4.2)
    line(figure, x.astype(np.float32), y.astype(np.float32), colour="white", width=2.0)
    return figure
