"""From one forecast of a grid to the map of it: each panel is a figure and the sentence that reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.ui.choices import Settings
from pages.ui.panels import Panel
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures import reading_maps
from stochattn_core.figures.colour_scale import ColourScale, of_error, of_field, of_magnitude
from stochattn_core.figures.map import field_map, map_subtitle
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.spaghetti import Contours, spaghetti
from stochattn_core.figures.theme import units_text
from stochattn_core.figures.wind import add_wind, round_below

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRAVITY = 9.80665  # m s-2: geopotential over height
MIDDLES = {"orthographic": (-40.0, 40.0)}  # where the globe is seen from: over the Atlantic storm track


@dataclass(frozen=True, eq=False)
class Shown:
    """One map of one forecast as it is drawn and exported. values: (latitude, longitude); quantity: what the pointer calls it."""

    values: np.ndarray
    quantity: str
    title: str
    subtitle: str
    scale: ColourScale
    sentence: str


def projection_of(name: str) -> Projection:
    return Projection(name, *MIDDLES.get(name, ()))


def field_shown(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray) -> Shown:
    """The map that is chosen, of one forecast. members: (member, latitude, longitude); truth is known from the dataset."""
    case, units = settings.case, units_text(data.units)
    truth = data.test.target[case].numpy()
    mean, spread = members.mean(axis=0), members.std(axis=0, ddof=1)
    place = (data.latitude, data.longitude)
    which = f"forecast of member {settings.member}"
    scale_of = of_error if "component_of_wind" in data.target_name else of_field  # to the east or to the west: zero is the middle
    values, quantity, title, scale = {
        "mean": (mean, "ensemble mean", "Ensemble mean", scale_of(mean, truth)),
        "spread": (spread, "spread", "Spread", of_magnitude(spread)),
        "error": (mean - truth, "mean minus truth", "Error of the mean", of_error(mean - truth)),
        "member": (members[settings.member - 1], which, f"Member {settings.member}", scale_of(mean, truth)),
        "truth": (truth, "truth", "Truth", scale_of(mean, truth)),
    }[settings.view]
    if settings.view == "error":
        sentence = reading_maps.read_error_map(values, spread, *place, units)
    else:
        sentence = reading_maps.read_field_map(values, *place, quantity, units)
    if settings.view == "spread" and not spread.max() > 0:
        sentence = "The plain model has no spread: every member is the same."
    size = _about(data, case, 0 if settings.view in ("truth", "member") else len(members))
    return Shown(values, quantity, f"{title}: {variable_title(settings, data)}", size, scale, sentence)


def forecast_panel(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray, wind: tuple | None) -> Panel:
    if settings.view == "contours":
        return spaghetti_panel(settings, data, members, plain)
    shown = field_shown(settings, data, members, plain)
    figure = draw(shown, settings, data)
    if wind is not None:
        figure = add_wind(figure, *wind, data.latitude, data.longitude, projection=projection_of(settings.projection), name="true wind")
    return figure, shown.sentence


def field_drawn(shown: Shown, settings: Settings, data: Dataset) -> dict[str, Any]:
    """What a map of a field is drawn from, on the page and in print."""
    return {
        "field": shown.values,
        "latitude": data.latitude,
        "longitude": data.longitude,
        "title": shown.title,
        "subtitle": shown.subtitle,
        "quantity": shown.quantity,
        "units": units_text(data.units),
        "scale": shown.scale,
        "projection": projection_of(settings.projection),
    }


def draw(shown: Shown, settings: Settings, data: Dataset) -> go.Figure:
    what = field_drawn(shown, settings, data)
    figure = field_map(**what, height=None if what["projection"].kind.is_round else 470)
    return in_metres(figure) if data.units == "m2 s-2" else figure


def in_metres(figure: go.Figure) -> go.Figure:
    """The pointer on a map of geopotential also tells the height, geopotential / 9.80665 m s-2."""
    heat = figure.data[0]
    heat.text = np.nan_to_num(np.asarray(heat.z) / GRAVITY).round().astype(np.int16)  # customdata stays as it is: it is sent once
    heat.hovertemplate = heat.hovertemplate.replace("<br>latitude", " = %{text:,d} m<br>latitude", 1)
    return figure


def contour_levels(values: np.ndarray, latitude: Sequence[float], units: str) -> tuple[list[float], list[str]]:
    """Two levels of a field, (latitude, longitude), round in the units that are spoken of: metres for geopotential.

    They leave 30% below and above in the northern mid-latitudes, where the jet is; over the globe the tropics would decide.
    """
    factor, name = (GRAVITY, "m") if units == "m2 s-2" else (1.0, units_text(units))
    north = np.asarray(latitude)
    rows = (north >= 20) & (north <= 70)
    low, high = np.nanquantile((values[rows] if rows.any() else values) / factor, [0.3, 0.7])
    step = round_below(float(high - low) / 2)
    decimals = max(0, -math.floor(math.log10(step)))
    levels = sorted({round(float(one) / step) * step for one in (low, high)})
    return [level * factor for level in levels], [f"{level:,.{decimals}f} {name}".strip().replace("-", "−") for level in levels]


def contours_shown(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray) -> Contours:
    truth = data.test.target[settings.case].numpy()
    levels, text = contour_levels(truth, data.latitude, data.units)
    return Contours(
        members=members,
        latitude=data.latitude,
        longitude=data.longitude,
        levels=levels,
        level_text=text,
        title=f"Contours: {variable_title(settings, data)}",
        subtitle=_about(data, settings.case, len(members)),
        truth=truth,
        plain=plain,
        projection=projection_of(settings.projection),
    )


def spaghetti_panel(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray) -> Panel:
    shown = contours_shown(settings, data, members, plain)
    figure = spaghetti(shown, height=None if shown.projection.kind.is_round else 470)
    return figure, reading_maps.read_spaghetti(members, data.latitude, data.longitude, shown.level_text)


def print_figure(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray, wind: tuple | None) -> Figure:
    """The same map for a page of paper."""
    from stochattn_core.figures.map_export import map_export, spaghetti_export

    if settings.view == "contours":
        return spaghetti_export(contours_shown(settings, data, members, plain))
    shown = field_shown(settings, data, members, plain)
    return map_export(**field_drawn(shown, settings, data), wind=wind, wind_name="true wind")


def wind_names(settings: Settings) -> tuple[str, str] | None:
    """The winds at the level of a variable of the planet; None where there are none."""
    level = settings.variable.rsplit("_", 1)[-1]
    names = (f"u_component_of_wind_{level}", f"v_component_of_wind_{level}")
    return names if set(names) <= set(planet.VARIABLES) else None


def start_text(data: Dataset, case: int) -> str:
    """When a forecast starts, to the day or the hour."""
    start = data.test.index[case]
    if not isinstance(start, pd.Timestamp):
        return str(start)
    return start.strftime("%Y-%m-%d" if start == start.normalize() else "%Y-%m-%d %H:%M")


def variable_title(settings: Settings, data: Dataset) -> str:
    return planet.variable_title(settings.variable) if settings.variable else data.target_name


def _about(data: Dataset, case: int, n_member: int) -> str:
    """Under the title: how many members, from when, how far ahead."""
    return map_subtitle(n_member=n_member, more=f"from {start_text(data, case)}, {data.lead_time[0]} {data.lead_unit} ahead")
