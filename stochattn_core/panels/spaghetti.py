"""Contours of every member on one map: where they part, the forecast is uncertain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure

from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.figures.map_export import spaghetti_export
from stochattn_core.figures.spaghetti import Contours, spaghetti
from stochattn_core.figures.theme import Palette, units_text
from stochattn_core.figures.wind import round_below
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.field_map import about_forecast, grid_table
from stochattn_core.panels.map_text import GEOPOTENTIAL, place_of_maximum, projection_of, variable_title


class Numbers(NamedTuple):
    contours: Contours
    height: int | None


def numbers(view: View) -> Numbers:
    data, (members, plain) = view.dataset, view.forecast
    truth, projection = data.test.target[view.case].numpy(), projection_of(view.projection)
    levels, text = contour_levels(truth, data.latitude, data.units)
    contours = Contours(
        members=members,
        latitude=data.latitude,
        longitude=data.longitude,
        levels=levels,
        level_text=text,
        title=f"Contours: {variable_title(data)}",
        subtitle=about_forecast(data, view.case, len(members)),
        truth=truth,
        plain=plain,
        projection=projection,
    )
    return Numbers(contours, None if projection.kind.is_round else 470)


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return spaghetti(numbers.contours, height=numbers.height, palette=palette)


def print_figure(numbers: Numbers) -> Figure:
    """Return the same contours for print."""
    return spaghetti_export(numbers.contours)


def reading(numbers: Numbers) -> str:
    shown = numbers.contours
    return read_spaghetti(shown.members, shown.latitude, shown.longitude, shown.level_text)


def table(numbers: Numbers) -> pd.DataFrame:
    """Return the fields that are contoured."""
    shown = numbers.contours
    fields = {"truth": shown.truth, "plain": shown.plain}
    known = {name: field for name, field in fields.items() if field is not None}
    return grid_table(shown.latitude, shown.longitude, known | {f"member_{i}": member for i, member in enumerate(shown.members, 1)})


def contour_levels(values: np.ndarray, latitude: Sequence[float], units: str) -> tuple[list[float], list[str]]:
    """Return two levels of a field, (latitude, longitude), and their names, round in familiar units: metres for geopotential.

    30% of the northern mid-latitudes, where the jet is, lie below them and 30% above; over the globe the tropics would decide.
    """
    factor, name = (STANDARD_GRAVITY, "m") if units == GEOPOTENTIAL else (1.0, units_text(units))
    north = np.asarray(latitude)
    rows = (north >= 20) & (north <= 70)
    low, high = np.nanquantile((values[rows] if rows.any() else values) / factor, [0.3, 0.7])
    step = round_below(float(high - low) / 2)
    decimals = max(0, -math.floor(math.log10(step)))
    levels = sorted({round(float(value) / step) * step for value in (low, high)})
    return [level * factor for level in levels], [f"{level:,.{decimals}f} {name}".strip().replace("-", "−") for level in levels]


def read_spaghetti(members: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], level_text: Sequence[str]) -> str:
    """Return the sentence under spaghetti contours: how to read them, and where the members differ most."""
    spread = np.asarray(members).std(axis=0, ddof=1) if len(members) > 1 else np.zeros(np.shape(members)[1:])
    if not spread.max() > 1e-9:
        return "The plain model gives one contour at each level, without uncertainty."
    return (
        f"Where the contours of {' and '.join(level_text)} lie close together, the members agree; where they part, the forecast is uncertain. "
        f"The spread is greatest near {place_of_maximum(latitude, longitude, spread)}."
    )


panel = Panel(
    "spaghetti",
    "Spaghetti",
    "forecast",
    numbers,
    reading,
    table,
    figure,
    tasks=("grid",),
    choices=("projection", "case"),
    serves=lambda view: view.map_field == "contours",
)
