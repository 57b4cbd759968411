"""Projections between longitude, latitude and the plane of a map: four of them, lines cut at their seams, coastlines from a file.

No request to other hosts: the projections are those of cartopy, the coastline is data/coastline_110m.npz.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

import cartopy.crs as ccrs
import numpy as np

from stochattn_core.data_files import data_file

COASTLINE = data_file("coastline_110m.npz")
RADIUS = 6371229.0  # m, of the sphere that weather models use
SPHERE = ccrs.Globe(semimajor_axis=RADIUS, semiminor_axis=RADIUS, ellipse=None)
DEGREES = ccrs.Geodetic(globe=SPHERE)
LINE_STEP = 1.5  # degrees: straight lines are bent to the projection at least this often


class Kind(NamedTuple):
    """A kind of projection: its name on the page, its constructor and its shape."""

    label: str
    crs: Callable[[float, float], ccrs.Projection]  # of the longitude and latitude of the middle
    is_round: bool  # a disc around the middle; otherwise seamed at 180 degrees from the middle meridian
    rim: float = 90.0  # degrees from the middle to the edge of a disc


PROJECTIONS = {
    "robinson": Kind("Robinson", lambda longitude, latitude: ccrs.Robinson(longitude, globe=SPHERE), False),
    "plate-carree": Kind("Plate Carrée", lambda longitude, latitude: ccrs.PlateCarree(longitude, globe=SPHERE), False),
    "north-polar": Kind(
        "North polar stereographic", lambda longitude, latitude: ccrs.NorthPolarStereo(longitude, globe=SPHERE), True, rim=70.0
    ),
    "orthographic": Kind("Orthographic", lambda longitude, latitude: ccrs.Orthographic(longitude, latitude, globe=SPHERE), True, rim=89.8),
}


@dataclass(frozen=True)
class Projection:
    """A projection and the place in its middle, in degrees. The latitude is used by the orthographic projection alone."""

    name: str = "robinson"
    longitude: float = 0.0
    latitude: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in PROJECTIONS:
            raise ValueError(f"no projection is called {self.name!r}; choose one of {', '.join(PROJECTIONS)}")
        if not -90 <= self.latitude <= 90 or not np.isfinite(self.longitude):
            raise ValueError(
                f"the middle of a map is a latitude within -90 to 90 and a longitude, in degrees, got {self.latitude}, {self.longitude}"
            )

    @property
    def kind(self) -> Kind:
        return PROJECTIONS[self.name]

    @property
    def label(self) -> str:
        return self.kind.label

    @property
    def crs(self) -> ccrs.Projection:
        return _crs(self)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, east, south, north of the whole map: metres, or degrees from the middle meridian in Plate Carrée."""
        if self.kind.is_round:
            return (-self._disc, self._disc, -self._disc, self._disc)
        (west, east), (south, north) = self.crs.x_limits, self.crs.y_limits
        return float(west), float(east), float(south), float(north)

    @property
    def _disc(self) -> float:
        rim = np.deg2rad(self.kind.rim)
        return RADIUS * float(2 * np.tan(rim / 2) if self.name == "north-polar" else np.sin(rim))

    def forward(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x, y of places in degrees, any shape; NaN where the map does not show them."""
        longitude, latitude = np.broadcast_arrays(np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64))
        if self.kind.is_round:
            plane = self.crs.transform_points(DEGREES, longitude.ravel(), latitude.ravel()).reshape(*longitude.shape, 3)
            x, y = plane[..., 0], plane[..., 1]
            shown = np.hypot(x, y) <= self._disc * (1 + 1e-9)  # False where PROJ gives NaN or infinity
            return np.where(shown, x, np.nan), np.where(shown, y, np.nan)
        # Degrees from the middle meridian, never exactly 180, where x could come out on either side.
        east = np.clip(wrapped(longitude - self.longitude), -180 + 1e-7, 180 - 1e-7)
        if self.name == "plate-carree":
            return east, latitude.copy()
        plane = _crs(Projection(self.name)).transform_points(DEGREES, east.ravel(), latitude.ravel())
        return plane[:, 0].reshape(east.shape), plane[:, 1].reshape(east.shape)

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return longitude (-180 to 180) and latitude of points of the plane, any shape; NaN off the map."""
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        if self.kind.is_round:
            places = DEGREES.transform_points(self.crs, x.ravel(), y.ravel())
            shown = np.hypot(x, y) <= self._disc
            longitude, latitude = places[:, 0].reshape(x.shape), places[:, 1].reshape(x.shape)
        else:
            if self.name == "plate-carree":
                east, latitude = x, y
            else:
                places = DEGREES.transform_points(_crs(Projection(self.name)), x.ravel(), y.ravel())
                east, latitude = places[:, 0].reshape(x.shape), places[:, 1].reshape(x.shape)
            back, _ = Projection(self.name).forward(east, latitude)
            # PROJ gives places for points off the map too; they do not lead back to the same point.
            shown = (np.abs(back - x) < 1e-3 * self.extent[1]) & (np.abs(latitude) <= 90) & (np.abs(x) <= self.extent[1])
            longitude = east + self.longitude
        shown = shown & np.isfinite(longitude) & np.isfinite(latitude)
        return np.where(shown, wrapped(np.where(shown, longitude, 0.0)), np.nan), np.where(shown, latitude, np.nan)


@lru_cache(maxsize=64)
def _crs(projection: Projection) -> ccrs.Projection:
    return projection.kind.crs(projection.longitude, projection.latitude)


def wrapped(degrees: np.ndarray) -> np.ndarray:
    """Return the same longitudes within -180 to 180; 180 becomes -180."""
    return (degrees + 180.0) % 360.0 - 180.0


def project_lines(projection: Projection, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x, y of lines given in degrees, (point,) with NaN between lines. Lines end at the edge of the map and go on at the other side.

    Between two points a line is straight in longitude and latitude, the shorter way round.
    """
    longitude, latitude = _bent(longitude, latitude)
    if not projection.kind.is_round:
        longitude, latitude = _cut(longitude, latitude, projection.longitude)
    x, y = projection.forward(longitude, latitude)
    gap = ~(np.isfinite(x) & np.isfinite(y))
    x[gap] = y[gap] = np.nan
    keep = ~gap | np.concatenate([[False], ~gap[:-1]])  # one NaN is enough between two lines
    return x[keep], y[keep]


def _bent(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines with points inserted, so that no step is longer than LINE_STEP."""
    longitude, latitude = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    if len(longitude) < 2:
        return longitude.copy(), latitude.copy()
    east, north = wrapped(np.diff(longitude)), np.diff(latitude)
    length = np.fmax(np.abs(east), np.abs(north))
    n = np.where(np.isfinite(length), np.ceil(np.nan_to_num(length) / LINE_STEP), 1).astype(int).clip(1)
    start = np.repeat(np.arange(len(n)), n)
    share = (np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)) / np.repeat(n, n)
    # At share 0 take the point itself: NaN times 0 from the gap after a line would remove its last point.
    whole = share == 0
    bent_longitude = np.where(whole, longitude[start], longitude[start] + share * east[start])
    bent_latitude = np.where(whole, latitude[start], latitude[start] + share * north[start])
    return np.append(bent_longitude, longitude[-1]), np.append(bent_latitude, latitude[-1])


def _cut(longitude: np.ndarray, latitude: np.ndarray, middle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines cut where they cross the meridian opposite to the middle: an end, a gap and a new beginning."""
    east = wrapped(longitude - middle)
    with np.errstate(invalid="ignore"):
        seam = np.flatnonzero(np.abs(np.diff(east)) > 180)
    side = np.sign(east[seam])
    to_seam, beyond = 180 - np.abs(east[seam]), 180 - np.abs(east[seam + 1])
    share = to_seam / np.maximum(to_seam + beyond, 1e-12)
    crossing = latitude[seam] + share * (latitude[seam + 1] - latitude[seam])
    place = np.repeat(seam + 1, 3)
    edge = 180 - 1e-7
    new_east = np.stack([side * edge, np.full_like(side, np.nan), -side * edge], axis=-1).ravel()
    new_latitude = np.stack([crossing, np.full_like(side, np.nan), crossing], axis=-1).ravel()
    return np.insert(east, place, new_east) + middle, np.insert(latitude, place, new_latitude)


@cache
def coastline() -> tuple[np.ndarray, np.ndarray]:
    """Return (longitude, latitude) in degrees, (point,) float64, NaN between the lines. Natural Earth 1:110 million, public domain."""
    if not COASTLINE.is_file():
        raise ValueError(f"expected the coastlines in data/{COASTLINE.name}, and there is no such file; restore it from the repository")
    with np.load(COASTLINE) as file:
        points, start = file["hundredth_degree"] / 100.0, file["start"]
    return _joined([points[i:j] for i, j in pairwise(start)])


def _joined(lines: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    gap = np.full((1, 2), np.nan)
    both = np.concatenate([part for line in lines for part in (line, gap)])
    return both[:, 0], both[:, 1]


@lru_cache(maxsize=64)
def projected_coastline(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return the coastline as x, y (point,) float32, NaN between the lines."""
    return _frozen(*project_lines(projection, *coastline()))


@lru_cache(maxsize=64)
def graticule(projection: Projection, step: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Return meridians and parallels every `step` degrees as x, y (point,) float32."""
    along = np.linspace(-180, 180, 241)
    parallels = [np.stack([along + projection.longitude, np.full_like(along, value)], -1) for value in np.arange(-90 + step, 90, step)]
    up = np.linspace(-90, 90, 121)
    meridians = [np.stack([np.full_like(up, value), up], -1) for value in np.arange(-180, 180, step)]
    return _frozen(*project_lines(projection, *_joined(parallels + meridians)))


@lru_cache(maxsize=64)
def outline(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Return the closed edge of the whole map as x, y (point,) float32."""
    west, east, south, north = projection.extent
    if projection.kind.is_round:
        turn = np.linspace(0, 2 * np.pi, 241)
        return _frozen(east * np.cos(turn), east * np.sin(turn))
    if projection.name == "plate-carree":
        return _frozen(np.array([west, east, east, west, west]), np.array([south, south, north, north, south]))
    up = np.linspace(-90, 90, 121)
    x, y = Projection(projection.name).forward(np.full_like(up, 179.999999), up)
    return _frozen(np.concatenate([x, -x[::-1], x[:1]]), np.concatenate([y, y[::-1], y[:1]]))


def _frozen(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 arrays for the browser, read-only because the cache returns them again."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    x.flags.writeable = y.flags.writeable = False
    return x, y
