"""Places on a map in words, and the projections and sizes of maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.theme import number

GEOPOTENTIAL = "m2 s-2"
MIDDLES = {"orthographic": (-40.0, 40.0)}  # view point of the globe: above the Atlantic storm track
HEIGHT, ROUND_HEIGHT = 360, 470  # pixels of a small map


def projection_of(name: str) -> Projection:
    return Projection(name, *MIDDLES.get(name, ()))


def small_height(projection: Projection) -> int:
    return ROUND_HEIGHT if projection.kind.is_round else HEIGHT


def variable_title(data: Dataset) -> str:
    """Return the forecast variable in words."""
    choice = planet.choice_of(data.name)
    return planet.variable_title(choice[0]) if choice else data.target_name


def in_metres(figure: go.Figure) -> go.Figure:
    """Add the height, geopotential / 9.80665 m s-2, to the hover text of a map of geopotential."""
    heat = figure.data[0]
    heat.text = (
        np.nan_to_num(np.asarray(heat.z) / STANDARD_GRAVITY).round().astype(np.int16)
    )  # customdata stays the same, so that it is sent once
    heat.hovertemplate = heat.hovertemplate.replace("<br>latitude", " = %{text:,d} m<br>latitude", 1)
    return figure


def place_of_maximum(latitude: Sequence[float], longitude: Sequence[float], field: np.ndarray) -> str:
    """Return where a field is greatest: 53°N 170°E."""
    row, column = np.unravel_index(np.nanargmax(field), field.shape)
    north, east = float(latitude[int(row)]), (float(longitude[int(column)]) + 180) % 360 - 180
    return f"{abs(north):.0f}°{'N' if north >= 0 else 'S'} {abs(east):.0f}°{'E' if east >= 0 else 'W'}"


def cell_area(latitude: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """Return the relative areas of cells, (latitude, longitude)."""
    return np.broadcast_to(np.cos(np.deg2rad(np.asarray(latitude)))[:, None], shape)


def read_field_map(field: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], quantity: str, units: str = "") -> str:
    """Return the sentence under the mean, one member or the truth: where it is greatest and least."""
    if not np.isfinite(field).any():
        return f"The {quantity} is missing in every cell."
    high, low = place_of_maximum(latitude, longitude, field), place_of_maximum(latitude, longitude, -field)
    ends = [number(float(end)).replace("-", "−") for end in (np.nanmax(field), np.nanmin(field))]
    return (
        f"The {quantity} is greatest near {high} ({ends[0]} {units}".rstrip() + f") and least near {low} ({ends[1]} {units}".rstrip() + ")."
    )
