"""Maps over the test period: RMSE and spread on the same scale, and their ratio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.colour_scale import of_magnitude, of_ratio
from stochattn_core.figures.map import field_map, map_subtitle
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.theme import Palette, units_text
from stochattn_core.metrics import by_event
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.field_map import grid_table
from stochattn_core.panels.map_text import GEOPOTENTIAL, cell_area, in_metres, projection_of, read_field_map, small_height

NEAR = (0.8, 1.25)  # ratios between these count as a match
ACROSS = 220  # pixels across a globe when two stand side by side
TAB = "Over the test period"


@dataclass(frozen=True, eq=False)
class Cells:
    """Over the test period, (latitude, longitude) each. spread is multiplied by the finite-size factor, so that it should equal the rmse.

    climatology: standard deviation, or None.
    """

    rmse: np.ndarray
    spread: np.ndarray
    ratio: np.ndarray
    climatology: np.ndarray | None


def cells_of(view: View) -> Cells:
    """Return the maps of a view, computed once for all panels that need them."""
    return view.remember("cells", 0, lambda: _cells(view))


def _cells(view: View) -> Cells:
    ensemble = view.ensemble
    values, factor = by_event(view.known.statistics), ensemble.finite_size_factor
    return Cells(
        values["rmse"].astype(np.float32),
        (values["spread"] * factor).astype(np.float32),
        values["spread_skill_ratio"].astype(np.float32),
        None if ensemble.climatology is None else ensemble.climatology.std(axis=0),
    )


@dataclass(frozen=True, eq=False)
class Numbers:
    cells: Cells
    latitude: Sequence[float]
    longitude: Sequence[float]
    units: str
    projection: Projection
    subtitle: str

    @property
    def is_geopotential(self) -> bool:
        return self.units == units_text(GEOPOTENTIAL)


def numbers(view: View) -> Numbers:
    ensemble = view.ensemble
    subtitle = map_subtitle(n_member=len(ensemble.members), n_forecast=len(ensemble.index))
    projection = projection_of(view.projection)
    return Numbers(cells_of(view), ensemble.latitude, ensemble.longitude, units_text(ensemble.units), projection, subtitle)


def _magnitude(numbers: Numbers, palette: Palette, *, name: str, title: str, quantity: str) -> go.Figure:
    figure = field_map(
        getattr(numbers.cells, name),
        numbers.latitude,
        numbers.longitude,
        title=title,
        subtitle=numbers.subtitle,
        quantity=quantity,
        units=numbers.units,
        scale=of_magnitude(numbers.cells.rmse, numbers.cells.spread),
        projection=numbers.projection,
        across=ACROSS,
        height=small_height(numbers.projection),
        palette=palette,
    )
    return in_metres(figure) if numbers.is_geopotential else figure


def _read_magnitude(numbers: Numbers, *, name: str, quantity: str) -> str:
    values = getattr(numbers.cells, name)
    if not np.nanmax(values, initial=0.0) > 0:
        return "There is no spread: the plain model gives one answer."
    return read_field_map(values, numbers.latitude, numbers.longitude, quantity, numbers.units)


def _ratio(numbers: Numbers, palette: Palette) -> go.Figure:
    return field_map(
        numbers.cells.ratio,
        numbers.latitude,
        numbers.longitude,
        title="Spread / RMSE",
        subtitle=numbers.subtitle,
        quantity="spread / RMSE",
        scale=of_ratio(numbers.cells.ratio),
        projection=numbers.projection,
        across=ACROSS,
        height=small_height(numbers.projection),
        palette=palette,
    )


def read_ratio_map(ratio: np.ndarray, latitude: Sequence[float]) -> str:
    """Return the sentence under the ratio of spread to RMSE: over which shares of the area it matches, is too small or too large."""
    known = np.isfinite(ratio)
    if not known.any() or not np.nanmax(ratio) > 1e-6:
        return "There is no spread: the plain model gives one answer."
    area = cell_area(latitude, ratio.shape)[known]
    values = ratio[known]
    below, above = (float(area[part].sum() / area.sum()) for part in (values < NEAR[0], values > NEAR[1]))
    within = f"The ratio of spread to error is {NEAR[0]} to {NEAR[1]} over {1 - below - above:.0%} of the area"
    if max(below, above) < 0.005:
        return f"{within}."
    return f"{within}; the ensemble is too narrow over {below:.0%} (orange) and too wide over {above:.0%} (violet)."


def _table(numbers: Numbers, *, name: str) -> pd.DataFrame:
    return grid_table(numbers.latitude, numbers.longitude, {name: getattr(numbers.cells, name)})


def _panel(key: str, title: str, name: str, figure: Callable[[Numbers, Palette], go.Figure], reading: Callable[[Numbers], str]) -> Panel:
    table = partial(_table, name=name)
    return Panel(key, title, "tab", numbers, reading, table, figure, tab=TAB, tasks=("grid",), choices=("projection",))


rmse = _panel(
    "period-rmse",
    "RMSE of the mean",
    "rmse",
    partial(_magnitude, name="rmse", title="RMSE of the mean", quantity="RMSE"),
    partial(_read_magnitude, name="rmse", quantity="RMSE"),
)
spread = _panel(
    "period-spread",
    "Spread",
    "spread",
    partial(_magnitude, name="spread", title="Spread, on the same scale", quantity="spread"),
    partial(_read_magnitude, name="spread", quantity="spread"),
)
ratio = _panel("period-ratio", "Spread over RMSE", "ratio", _ratio, lambda numbers: read_ratio_map(numbers.cells.ratio, numbers.latitude))
