"""Spaghetti: two contours of every member on one map. Where the lines part, the forecast is uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from contourpy import LineType, contour_generator

from stochattn_core.figures.map import default_projection, draw_ground, finish_map, line
from stochattn_core.figures.projection import Projection, project_lines
from stochattn_core.figures.theme import BROWSER, Palette, legend_below
from stochattn_core.figures.warp import Grid, padded, padded_rows

REFINE = 3  # steps between two cells when a contour is drawn
NAMES = {"ensemble": "members", "truth": "truth", "plain": "plain model"}
WIDTH = {"ensemble": 1.0, "truth": 2.4, "plain": 1.4}  # pixels


def contour_lines(field: np.ndarray, grid: Grid, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude (degrees, not wrapped) of the contour at the level, (point,), NaN between the lines.

    Lines continue past the first column and up to the poles. They follow a cubic spline through the cells, because straight steps of
    5 degrees have corners; a field with missing cells has no spline, and lines end at these cells.
    """
    rows = padded_rows(grid)
    columns = np.append(grid.columns, 360.0) if grid.is_cyclic else grid.columns
    values = padded(grid.checked(field), grid)
    if np.isfinite(values).all() and min(values.shape) > 3:
        rows, columns, values = _refined(rows, columns, values, grid.is_cyclic)
    values = np.ma.masked_invalid(values)
    lines = contour_generator(columns, rows, values, line_type=LineType.ChunkCombinedNan).lines(level)[0][0]
    if lines is None:
        return np.empty(0), np.empty(0)
    return lines[:, 0] + grid.longitude[0], lines[:, 1]


def _refined(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, is_cyclic: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a grid REFINE times finer, from a spline that continues past the first and last column."""
    from scipy.interpolate import RectBivariateSpline  # imported here because it is slow, and the first map of the app does not need it

    if is_cyclic:
        wide = np.concatenate([columns[-5:-1] - 360, columns, columns[1:5] + 360])
        spline = RectBivariateSpline(rows, wide, np.concatenate([values[:, -5:-1], values, values[:, 1:5]], axis=1))
    else:
        spline = RectBivariateSpline(rows, columns, values)
    fine = [np.interp(np.arange((len(axis) - 1) * REFINE + 1) / REFINE, np.arange(len(axis)), axis) for axis in (rows, columns)]
    return *fine, spline(*fine)


def projected_contours(fields: Sequence[np.ndarray], grid: Grid, projection: Projection, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the contours of all fields as one line with gaps."""
    parts = [contour_lines(field, grid, level) for field in fields]
    gap = np.array([np.nan])
    longitude, latitude = (np.concatenate([piece for part in parts for piece in (part[axis], gap)]) for axis in (0, 1))
    x, y = project_lines(projection, longitude, latitude)
    return x.astype(np.float32), y.astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Contours:
    """The contours of every member, of the truth and of the plain model, for a map on screen or in print.

    members: (member, latitude, longitude); truth, plain: (latitude, longitude), same units; levels: in these units.
    level_text: names of the contours ("5,400 m"), because geopotential is contoured in m2 s-2 but named in metres.
    """

    members: np.ndarray
    latitude: Sequence[float]
    longitude: Sequence[float]
    levels: Sequence[float]
    level_text: Sequence[str]
    title: str
    subtitle: str
    truth: np.ndarray | None = None
    plain: np.ndarray | None = None
    projection: Projection | None = None

    @property
    def plane(self) -> tuple[Grid, Projection]:
        """Grid and projection. ValueError says what is wrong with the latitudes or longitudes."""
        grid = Grid.of(self.latitude, self.longitude)
        return grid, self.projection or default_projection(grid)

    @property
    def fields(self) -> dict[str, Sequence[np.ndarray]]:
        """The fields by their role in a Palette; the plain model last, because the truth would hide it where the two agree."""
        contoured: dict[str, Sequence[np.ndarray]] = {"ensemble": list(self.members)}
        return contoured | {role: [field] for role, field in (("truth", self.truth), ("plain", self.plain)) if field is not None}

    @property
    def names(self) -> list[tuple[tuple[float, float], str]]:
        """Places and texts of the names of the levels; a level whose lines are too short has none."""
        grid, projection = self.plane
        named: dict[tuple[float, float], str] = {}
        for level, text in zip(self.levels, self.level_text, strict=True):
            place = label_place(*projected_contours([self.members.mean(axis=0)], grid, projection, level), projection, list(named))
            if place is not None:
                named[place] = text
        return list(named.items())


def spaghetti(shown: Contours, *, palette: Palette = BROWSER, height: int | None = None) -> go.Figure:
    """Draw the contours for a browser.   height: pixels."""
    grid, projection = shown.plane
    figure = go.Figure()
    draw_ground(figure, grid, projection, palette=palette, over_field=False)
    for coast in figure.data[1:2]:
        coast.update(line={"width": 0.7}, opacity=0.75)
    for i, level in enumerate(shown.levels):
        for role, fields in shown.fields.items():
            x, y = projected_contours(fields, grid, projection, level)
            more = {"name": NAMES[role], "legendgroup": role, "showlegend": i == 0}
            line(figure, x, y, colour=getattr(palette, role), width=WIDTH[role], opacity=0.65 if role == "ensemble" else None, **more)
            if role == "plain":
                figure.data[-1].line.dash = "dash"
    for place, text in shown.names:
        _name_level(figure, place, text, palette)
    finish_map(figure, grid, projection, title=shown.title, subtitle=shown.subtitle, palette=palette, height=height)
    return legend_below(figure, -0.07 if projection.name == "plate-carree" else -0.02)


def label_place(
    x: np.ndarray, y: np.ndarray, projection: Projection, others: Sequence[tuple[float, float]] = ()
) -> tuple[float, float] | None:
    """Return where to write the name of a contour: on its longest line, near the middle, away from the edge and from other names.

    x, y: (point,) with NaN between lines.   others: places of other names.   None if no line is long enough.
    """
    pieces = [piece for piece in np.split(np.arange(len(x)), np.flatnonzero(~np.isfinite(x))) if len(piece) > 8]
    if not pieces:
        return None
    longest = max(pieces, key=len)[1:]  # the first is the gap
    half_x, half_y = projection.extent[1], projection.extent[3]
    if projection.kind.is_round:
        inside = np.hypot(x[longest], y[longest]) < 0.8 * half_x
    else:
        inside = (np.abs(x[longest]) < 0.75 * half_x) & (np.abs(y[longest]) < 0.9 * half_y)
    free = [np.hypot(x[longest] - a, y[longest] - b) > 0.4 * half_x for a, b in others]
    from_middle = np.abs(np.arange(len(longest)) - len(longest) // 2)
    good = np.logical_and.reduce([inside, *free])
    best = longest[np.where(good, from_middle, from_middle + 2 * len(longest)).argmin()]
    return float(x[best]), float(y[best])


def _name_level(figure: go.Figure, place: tuple[float, float], text: str, palette: Palette) -> None:
    """Write the name of a level on the colour of the paper."""
    figure.add_annotation(
        x=place[0],
        y=place[1],
        text=text,
        showarrow=False,
        font={"size": 11, "color": palette.truth},
        bgcolor=palette.paper,
        borderpad=1.5,
        opacity=0.9,
    )
