"""One forecast of a grid as a map: the mean, the spread, the error, one member, the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.colour_scale import ColourScale, of_error, of_field, of_magnitude
from stochattn_core.figures.map import field_map, map_subtitle
from stochattn_core.figures.map_export import map_export
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.theme import Palette, number, units_text
from stochattn_core.figures.wind import add_wind
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.map_text import (
    GEOPOTENTIAL,
    cell_area,
    in_metres,
    place_of_maximum,
    projection_of,
    read_field_map,
    variable_title,
)
from stochattn_core.panels.text import time_text

FIELDS = {"mean": "Mean", "spread": "Spread", "error": "Error", "member": "Member", "contours": "Spaghetti", "truth": "Truth"}
WIND_NAME = "true wind"


class Numbers(NamedTuple):
    """One map as it is drawn and exported. values: (latitude, longitude).   quantity: the name shown on hover.   wind: u and v."""

    values: np.ndarray
    quantity: str
    title: str
    subtitle: str
    scale: ColourScale
    sentence: str
    data: Dataset
    projection: Projection
    wind: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def drawn(self) -> dict[str, Any]:
        """The arguments of a map of this field, on the page and in print."""
        return {
            "field": self.values,
            "latitude": self.data.latitude,
            "longitude": self.data.longitude,
            "title": self.title,
            "subtitle": self.subtitle,
            "quantity": self.quantity,
            "units": units_text(self.data.units),
            "scale": self.scale,
            "projection": self.projection,
        }


def numbers(view: View) -> Numbers:
    """Return the chosen field of one forecast."""
    data, (members, _) = view.dataset, view.forecast
    units, place = units_text(data.units), (data.latitude, data.longitude)
    truth = data.test.target[view.case].numpy()
    mean, spread = members.mean(axis=0), members.std(axis=0, ddof=1)
    of_value = of_error if "component_of_wind" in data.target_name else of_field  # eastward or westward: zero is the middle
    values, quantity, title, scale = {
        "mean": (mean, "ensemble mean", "Ensemble mean", of_value(mean, truth)),
        "spread": (spread, "spread", "Spread", of_magnitude(spread)),
        "error": (mean - truth, "mean minus truth", "Error of the mean", of_error(mean - truth)),
        "member": (members[view.member - 1], f"forecast of member {view.member}", f"Member {view.member}", of_value(mean, truth)),
        "truth": (truth, "truth", "Truth", of_value(mean, truth)),
    }[view.map_field]
    if view.map_field == "error":
        sentence = read_error_map(values, spread, *place, units)
    elif view.map_field == "spread" and not spread.max() > 0:
        sentence = "There is no spread: every member is the same."
    else:
        sentence = read_field_map(values, *place, quantity, units)
    return Numbers(
        values,
        quantity,
        f"{title}: {variable_title(data)}",
        about_forecast(data, view.case, 0 if view.map_field in ("truth", "member") else len(members)),
        scale,
        sentence,
        data,
        projection_of(view.projection),
        view.wind_fields() if view.has_wind else None,
    )


def about_forecast(data: Dataset, case: int, n_member: int) -> str:
    """Return the line under the title: number of members, init time, lead time."""
    return map_subtitle(n_member=n_member, more=f"from {time_text(data, case)}, {data.step.lead_text(data.lead_time[0])} ahead")


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    drawn, data = numbers.drawn, numbers.data
    figure = field_map(**drawn, height=None if numbers.projection.kind.is_round else 470, palette=palette)
    if data.units == GEOPOTENTIAL:
        figure = in_metres(figure)
    if numbers.wind is not None:
        place = data.latitude, data.longitude
        figure = add_wind(figure, *numbers.wind, *place, projection=numbers.projection, name=WIND_NAME, palette=palette)
    return figure


def print_figure(numbers: Numbers) -> Figure:
    """Return the same map for print."""
    return map_export(**numbers.drawn, wind=numbers.wind, wind_name=WIND_NAME)


def table(numbers: Numbers) -> pd.DataFrame:
    return grid_table(numbers.data.latitude, numbers.data.longitude, {numbers.quantity: numbers.values})


def grid_table(latitude: Sequence[float], longitude: Sequence[float], fields: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return one row for each cell: latitude, longitude and the fields, (latitude, longitude) each."""
    rows, columns = np.meshgrid(latitude, longitude, indexing="ij")
    return pd.DataFrame(
        {"latitude": rows.ravel(), "longitude": columns.ravel()} | {name: np.ravel(values) for name, values in fields.items()}
    )


def read_error_map(error: np.ndarray, spread: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], units: str = "") -> str:
    """Return the sentence under the error of the mean in one forecast: the place of the largest error, and its size in spreads.

    error: mean minus truth; spread: standard deviation of the members; both (latitude, longitude).
    """
    known = np.isfinite(error)
    if not known.any():
        return "The truth of this forecast is not known."
    size = np.abs(np.where(known, error, 0.0))
    row, column = np.unravel_index(size.argmax(), size.shape)
    side = "high" if error[row, column] > 0 else "low"
    start = f"The mean is {number(float(size.max()))} {units}".rstrip() + f" too {side} near {place_of_maximum(latitude, longitude, size)}"
    if not spread[row, column] > 0:
        return f"{start}; the plain model gives no spread to compare it with."
    area = cell_area(latitude, error.shape)[known]
    outside = float((area * (size[known] > 1.645 * spread[known])).sum() / area.sum())
    times = number(float(size[row, column] / spread[row, column]), 2)
    return f"{start}, {times} times the spread there. The error exceeds 1.64 spreads over {outside:.0%} of the area; about 10% is expected."


panel = Panel(
    "map",
    "Map",
    "forecast",
    numbers,
    lambda numbers: numbers.sentence,
    table,
    figure,
    tasks=("grid",),
    choices=("map_field", "projection", "case", "member", "has_wind"),
    serves=lambda view: view.map_field != "contours",
)
