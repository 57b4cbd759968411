"""A grid, fields known everywhere on the sphere, and a map of them: for the tests of maps."""

import numpy as np

from stochattn_core.figures.colour_scale import of_field
from stochattn_core.figures.map import field_map
from stochattn_core.figures.projection import PROJECTIONS, Projection
from stochattn_core.figures.warp import Grid

LATITUDE = np.linspace(-87.1875, 87.1875, 32)
LONGITUDE = np.arange(64) * 5.625
GRID = Grid.of(LATITUDE, LONGITUDE)
MIDDLES = [(0.0, 0.0), (180.0, 40.0), (-100.0, -35.0), (17.3, 85.0)]
EVERYWHERE = [Projection(name, *middle) for name in PROJECTIONS for middle in MIDDLES]


def unit_vector(latitude, longitude):
    north, east = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north) + 0 * east])


def analytic(latitude, longitude):
    """Smooth everywhere on the sphere, poles and date line included, and unlike itself under every mirror and turn."""
    x, y, z = unit_vector(latitude, longitude)
    return 2 * x + y - 1.5 * z + 0.8 * x * y + 0.6 * y * z + 0.5 * x * z


FIELD = analytic(LATITUDE[:, None], LONGITUDE[None])


def hill(latitude, longitude):
    """1 at a place, falling off with the angle from it."""
    rows, columns = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    toward = np.tensordot(unit_vector(latitude, longitude), unit_vector(rows, columns), axes=1)
    return np.exp(-8 * (1 - toward))


def draw(field=FIELD, latitude=LATITUDE, longitude=LONGITUDE, **more):
    return field_map(field, latitude, longitude, **{"title": "t", "subtitle": "s", "quantity": "q", "scale": of_field(field), **more})


def angle(latitude, longitude, other_latitude, other_longitude):
    return np.rad2deg(np.arccos(np.clip(unit_vector(latitude, longitude) @ unit_vector(other_latitude, other_longitude), -1, 1)))
