"""From fields on a latitude-longitude grid to the pixels of a map, without gaps at the poles and the date line; indices are cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cartopy.img_transform as img_transform
import numpy as np

from stochattn_core.figures.projection import LINE_STEP, Projection, wrapped

PIXELS = 300  # across a map that is twice as wide as high; a disc of similar area has fewer


@dataclass(frozen=True)
class Grid:
    """Cell middles in degrees. Latitudes rise or fall; longitudes go east, in either convention, and may cross 0 or 180."""

    latitude: tuple[float, ...]
    longitude: tuple[float, ...]

    @classmethod
    def of(cls, latitude: Sequence[float], longitude: Sequence[float]) -> Grid:
        rows, columns = np.asarray(latitude, dtype=np.float64), np.asarray(longitude, dtype=np.float64)
        if rows.ndim != 1 or columns.ndim != 1 or len(rows) < 2 or len(columns) < 2:
            raise ValueError(
                f"a map needs at least 2 latitudes and 2 longitudes, each on one axis, got shapes {rows.shape} and {columns.shape}; "
                "give the middles of the cells in degrees"
            )
        step = np.diff(rows)
        if not ((step > 0).all() or (step < 0).all()) or not (np.abs(rows) <= 90).all():
            raise ValueError(
                f"latitudes must rise or fall steadily within -90 to 90 degrees, got {rows.min():g} to {rows.max():g}; sort the rows"
            )
        east = (columns - columns[0]) % 360
        if not (np.diff(east) > 0).all():
            raise ValueError(
                f"longitudes must go east steadily, once around at most, got {columns[0]:g} to {columns[-1]:g}; sort the columns"
            )
        return cls(tuple(rows.tolist()), tuple(columns.tolist()))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.latitude), len(self.longitude)

    @property
    def rises(self) -> bool:
        return self.latitude[1] > self.latitude[0]

    @property
    def rows(self) -> np.ndarray:
        """Latitudes from south to north."""
        return np.sort(self.latitude)

    @property
    def columns(self) -> np.ndarray:
        """Longitudes as degrees east of the first."""
        return (np.array(self.longitude) - self.longitude[0]) % 360

    @property
    def is_cyclic(self) -> bool:
        """Whether it goes all the way round: the step from the last column to the first is like the others."""
        columns = self.columns
        return bool(360 - columns[-1] <= 1.5 * np.diff(columns).max())

    @property
    def reaches(self) -> tuple[bool, bool]:
        """Whether the cells extend to the south pole, and to the north pole."""
        rows = self.rows
        return bool(rows[0] - (rows[1] - rows[0]) <= -90), bool(rows[-1] + (rows[-1] - rows[-2]) >= 90)

    @property
    def is_global(self) -> bool:
        return self.is_cyclic and all(self.reaches)

    @property
    def row_edges(self) -> np.ndarray:
        return _edges(self.rows).clip(-90, 90)

    @property
    def column_edges(self) -> np.ndarray:
        """Degrees east of the first middle; the first is negative."""
        return _edges(self.columns)

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the grid; 0, 0 for the whole globe."""
        if self.is_cyclic:
            return 0.0, float((self.rows[0] + self.rows[-1]) / 2)
        return float(wrapped(self.longitude[0] + self.columns[-1] / 2)), float((self.rows[0] + self.rows[-1]) / 2)

    def holds(self, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        """Return whether places in degrees lie within its cells; False where NaN."""
        edge = self.column_edges
        with np.errstate(invalid="ignore"):
            east = (longitude - self.longitude[0] - edge[0]) % 360 + edge[0]
            return (latitude >= self.row_edges[0]) & (latitude <= self.row_edges[-1]) & (self.is_cyclic | (east <= edge[-1]))

    def checked(self, field: np.ndarray) -> np.ndarray:
        """Return the field as float32, (..., latitude, longitude), from south to north."""
        field = np.asarray(field, dtype=np.float32)
        if field.shape[-2:] != self.shape:
            raise ValueError(
                f"expected a field (latitude, longitude) of {self.shape[0]} x {self.shape[1]} cells, got {field.shape}; "
                "name its last two axes in this order"
            )
        return field if self.rises else field[..., ::-1, :]


def _edges(middles: np.ndarray) -> np.ndarray:
    half = np.diff(middles) / 2
    return np.concatenate([[middles[0] - half[0]], middles[:-1] + half, [middles[-1] + half[-1]]])


class Pixels(NamedTuple):
    """The lattice of a map. y from south to north; places are NaN off the map and off the grid."""

    x: np.ndarray  # (column,) middles of the pixels, float32
    y: np.ndarray  # (row,)
    longitude: np.ndarray  # (row, column) degrees, float32
    latitude: np.ndarray
    cell: np.ndarray  # (4, shown) positions in the padded field, flattened
    weight: np.ndarray  # (4, shown) float32, sums to 1
    shown: np.ndarray  # (row, column) bool


@lru_cache(maxsize=64)
def view(projection: Projection, grid: Grid) -> tuple[float, float, float, float]:
    """Return west, east, south, north in the plane: the whole map for a global grid, else the extent of the grid with a margin."""
    if grid.is_cyclic and (not projection.kind.is_round or grid.is_global or grid.reaches[1]):
        return projection.extent
    rows, columns = grid.row_edges, grid.column_edges
    along = np.linspace(columns[0], min(columns[-1], columns[0] + 360), max(2, round((columns[-1] - columns[0]) / LINE_STEP)))
    up = np.linspace(rows[0], rows[-1], max(2, round((rows[-1] - rows[0]) / LINE_STEP)))
    x, y = projection.forward(along[None] + grid.longitude[0], up[:, None])
    if not np.isfinite(x).any():
        raise ValueError(
            f"the {projection.label} map around {projection.latitude:g}, {projection.longitude:g} shows nothing of this grid, "
            f"whose middle is {grid.middle[1]:g}, {grid.middle[0]:g}; choose that as the middle, or another projection"
        )
    ends = np.array([np.nanmin(x), np.nanmax(x), np.nanmin(y), np.nanmax(y)])
    margin = 0.03 * max(ends[1] - ends[0], ends[3] - ends[2])
    limit = projection.extent
    west, south = np.maximum(ends[[0, 2]] - margin, [limit[0], limit[2]])
    east, north = np.minimum(ends[[1, 3]] + margin, [limit[1], limit[3]])
    return float(west), float(east), float(south), float(north)


@lru_cache(maxsize=48)
def pixels(projection: Projection, grid: Grid, across: int = PIXELS, smooth: bool = True) -> Pixels:
    """Return the place of every pixel on the globe, and the cells from which it takes its value.

    smooth: bilinear between the middles of cells, weights by degrees; otherwise the cell that holds the pixel.
    """
    west, east, south, north = view(projection, grid)
    aspect = (east - west) / (north - south)
    n_x = max(8, round(across * min(1.5, np.sqrt(aspect / 2))))  # the number of pixels is the same for every aspect
    n_y = max(8, round(n_x / aspect))
    x, y, _ = img_transform.mesh_projection(projection.crs, n_x, n_y, x_extents=(west, east), y_extents=(south, north))
    longitude, latitude = projection.inverse(x, y)
    rows, columns = grid.rows, grid.columns
    edge = grid.column_edges
    with np.errstate(invalid="ignore"):
        eastward = (longitude - grid.longitude[0] - edge[0]) % 360 + edge[0]
        shown = grid.holds(longitude, latitude)
        if grid.is_cyclic:
            eastward %= 360
    if smooth:
        rows, columns = padded_rows(grid), np.append(columns, 360.0) if grid.is_cyclic else columns
    row = np.interp(latitude[shown], rows, np.arange(len(rows)))
    if smooth or not grid.is_cyclic:
        column = np.interp(eastward[shown], columns, np.arange(len(columns)))
    else:
        column = np.interp(eastward[shown], np.append(columns, 360.0), np.arange(len(columns) + 1))
    if not smooth:
        row, column = np.floor(row + 0.5), np.floor(column + 0.5) % len(columns)
    low_row, low_column = np.floor(row).astype(np.int32), np.floor(column).astype(np.int32)
    up, right = (row - low_row).astype(np.float32), (column - low_column).astype(np.float32)
    high_row, high_column = np.minimum(low_row + 1, len(rows) - 1), np.minimum(low_column + 1, len(columns) - 1)
    width = len(columns)
    cell = np.stack(
        [low_row * width + low_column, low_row * width + high_column, high_row * width + low_column, high_row * width + high_column]
    )
    weight = np.stack([(1 - up) * (1 - right), (1 - up) * right, up * (1 - right), up * right])
    longitude, latitude = (np.where(shown, degrees, np.nan).astype(np.float32) for degrees in (longitude, latitude))
    lattice = Pixels(x[0].astype(np.float32), y[:, 0].astype(np.float32), longitude, latitude, cell.astype(np.int32), weight, shown)
    for array in lattice:
        array.flags.writeable = False
    return lattice


def padded_rows(grid: Grid) -> np.ndarray:
    """Return latitudes with the poles added where the cells extend to them."""
    south, north = grid.reaches
    rows = grid.rows
    return np.concatenate([[-90.0] if south and rows[0] > -90 else [], rows, [90.0] if north and rows[-1] < 90 else []])


def padded(field: np.ndarray, grid: Grid) -> np.ndarray:
    """Return (..., latitude, longitude) with a row of means at each pole and the first column again at 360 degrees."""
    south, north = grid.reaches
    rows = grid.rows
    parts = [field]
    if south and rows[0] > -90:
        parts.insert(0, np.broadcast_to(field[..., :1, :].mean(axis=-1, keepdims=True), field[..., :1, :].shape))
    if north and rows[-1] < 90:
        parts.append(np.broadcast_to(field[..., -1:, :].mean(axis=-1, keepdims=True), field[..., -1:, :].shape))
    field = np.concatenate(parts, axis=-2)
    return np.concatenate([field, field[..., :1]], axis=-1) if grid.is_cyclic else field


def warp(field: np.ndarray, grid: Grid, projection: Projection, *, across: int = PIXELS, smooth: bool = True) -> np.ndarray:
    """Return a field on the lattice of `pixels`. field: (latitude, longitude).   Returns (row, column) float32, NaN where it shows nothing.

    If a cell is missing (NaN), pixels nearer to it than to other cells are NaN, and other pixels leave it out.
    """
    place = pixels(projection, grid, across, smooth)
    field = grid.checked(field)
    flat = (padded(field, grid) if smooth else field).ravel()
    values = flat[place.cell]
    if np.isfinite(flat).all():
        shown = (place.weight * values).sum(axis=0)
    else:
        known = np.isfinite(values)
        weight = (place.weight * known).sum(axis=0)
        total = (place.weight * np.where(known, values, 0)).sum(axis=0)
        shown = np.where(weight > 0.5, total / np.maximum(weight, 1e-6), np.nan)
    out = np.full(place.shown.shape, np.nan, dtype=np.float32)
    out[place.shown] = shown
    return out
