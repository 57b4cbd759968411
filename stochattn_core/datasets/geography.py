"""Real coastlines, the land-sea mask computed from them, and an invented orography with hills where Earth has mountains.

The coastlines are Natural Earth 1:110 million (public domain), taken from the npm package world-atlas 2.0.2 (ISC licence).
The orography is NOT measured: smooth hills with the position, width and rough height of the great mountain ranges.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from stochattn_core.data_files import data_file

# Hills: latitude and longitude of the centre (degrees), height (m), half-widths in latitude and longitude (degrees).
HILLS = (
    (46, 247, 1900, 9, 9),  # Rocky Mountains
    (35, 254, 1800, 6, 7),
    (22, 257, 1500, 5, 4),  # Mexico
    (63, 212, 900, 4, 9),  # Alaska
    (-6, 283, 2600, 7, 3.5),  # Andes
    (-20, 292, 3400, 7, 4),
    (-36, 290, 2000, 9, 3),
    (-16, 314, 600, 7, 7),  # Brazil
    (72, 320, 2600, 7, 12),  # Greenland
    (64, 13, 600, 5, 5),  # Scandinavia
    (46, 10, 900, 3, 6),  # Alps
    (39, 40, 1400, 3, 8),  # Anatolia, Caucasus
    (32, 56, 1300, 5, 8),  # Iran
    (22, 45, 800, 7, 5),  # Arabia
    (33, 88, 4700, 5.5, 12),  # Tibet, Himalaya
    (41, 75, 2200, 4, 7),  # Pamir, Tian Shan
    (49, 97, 1700, 6, 11),  # Altai, Mongolia
    (64, 133, 700, 6, 20),  # East Siberia
    (17, 77, 500, 6, 4),  # Deccan
    (22, 8, 600, 6, 9),  # Ahaggar
    (9, 39, 1600, 5, 4),  # Ethiopia
    (-4, 33, 1100, 8, 6),  # East Africa
    (-25, 24, 1100, 7, 7),  # Southern Africa
    (-25, 128, 400, 7, 10),  # Australia
    (-79, 255, 1300, 5, 25),  # West Antarctica
)
LOWLAND = 150.0  # m, wherever there is land


@cache
def coastline() -> tuple[np.ndarray, np.ndarray]:
    """Return (longitude, latitude) in degrees, each (point,) float64 with longitudes -180..180; NaN separates the lines.

    Lines end where they cross the date line, so that a plot draws no line across the map.
    """
    longitude: list[np.ndarray] = []
    latitude: list[np.ndarray] = []
    for ring in _rings():
        jump = np.flatnonzero(np.abs(np.diff(ring[:, 0])) > 180) + 1
        for piece in np.split(ring, jump):
            longitude += [piece[:, 0], np.array([np.nan])]
            latitude += [piece[:, 1], np.array([np.nan])]
    return np.concatenate(longitude), np.concatenate(latitude)


def land_sea_mask(latitude: np.ndarray, longitude: np.ndarray, n_sample: int = 8) -> np.ndarray:
    """Return the share of land in each cell, 0 (sea) to 1 (land): (latitude, longitude) float32.

    latitude, longitude: (cell,) centres in degrees, at least 2, rising, evenly spaced in longitude. Cells end halfway between
    the centres; the outermost cells extend as far outward as inward, but never past a pole.
    n_sample: each cell is sampled at n_sample x n_sample points. A point is land when the meridian from the north pole to it
    crosses a coast an odd number of times, which also holds for outlines around the south pole.
    """
    latitude, longitude = np.asarray(latitude, dtype=np.float64), np.asarray(longitude, dtype=np.float64)
    middle = (latitude[1:] + latitude[:-1]) / 2
    outer = [2 * latitude[0] - middle[0]], [2 * latitude[-1] - middle[-1]]
    edge = np.clip(np.concatenate([outer[0], middle, outer[1]]), -90, 90)
    inside = (np.arange(n_sample) + 0.5) / n_sample
    rows = (edge[:-1, None] + np.diff(edge)[:, None] * inside).ravel()
    width = float(np.median(np.diff(longitude)))
    columns = (longitude[:, None] + width * (inside - 0.5)).ravel()
    start = np.concatenate([ring[:-1] for ring in _rings()])
    end = np.concatenate([ring[1:] for ring in _rings()])
    step = (end[:, 0] - start[:, 0] + 180) % 360 - 180
    land = np.zeros((len(rows), len(columns)), dtype=bool)
    for i, column in enumerate(columns):
        east = (column - start[:, 0] + 180) % 360 - 180  # degrees from the start of each segment of coast to this meridian
        crosses = ((east >= 0) & (east < step)) | ((east < 0) & (east >= step))
        coast = start[crosses, 1] + (end[crosses, 1] - start[crosses, 1]) * east[crosses] / step[crosses]
        land[:, i] = (coast[None] > rows[:, None]).sum(axis=1) % 2 == 1
    return land.reshape(len(latitude), n_sample, len(longitude), n_sample).mean(axis=(1, 3), dtype=np.float32)


def orography(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return the height of the invented land surface in metres: (latitude, longitude) float32, 0 over the sea."""
    rows, columns = np.asarray(latitude, dtype=np.float64)[:, None], np.asarray(longitude, dtype=np.float64)[None]
    height = np.full((rows.size, columns.size), LOWLAND)
    for north, east, top, width_north, width_east in HILLS:
        distance = (columns - east + 180) % 360 - 180
        height += top * np.exp(-(((rows - north) / width_north) ** 2) - (distance / width_east) ** 2)
    # East Antarctica: a dome that rises from the coast at 66 S and falls off towards the west.
    dome = 1 - np.exp(-(np.clip(-66 - rows, 0, None) ** 2) / 64)
    height += 2700 * dome * (0.65 + 0.35 * np.cos(np.deg2rad(columns - 90)))
    return (height * land_sea_mask(latitude, longitude)).astype(np.float32)


@cache
def _rings() -> list[np.ndarray]:
    """Return the closed outlines of the land, each (point, 2): longitude -180..180 and latitude in degrees."""
    with np.load(data_file("coastline_110m.npz")) as file:
        points, start = file["hundredth_degree"] / 100.0, file["start"]
    return [points[i:j] for i, j in pairwise(start)]
