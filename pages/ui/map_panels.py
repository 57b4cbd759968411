"""From one forecast of a grid to the map of it: each panel is a figure and the sentence that reads it."""

from __future__ import annotations

from dataclasses import dataclass

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
from stochattn_core.figures.spaghetti import spaghetti
from stochattn_core.figures.theme import units_text
from stochattn_core.figures.wind import add_wind

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
    values, quantity, title, scale = {
        "mean": (mean, "ensemble mean", "Ensemble mean", of_field(mean, truth)),
        "spread": (spread, "spread", "Spread of the members", of_magnitude(spread)),
        "error": (mean - truth, "error of the mean", "Error of the ensemble mean", of_error(mean - truth)),
        "member": (members[settings.member - 1], which, f"Member {settings.member}", of_field(mean, truth)),
        "truth": (truth, "truth", "Truth", of_field(mean, truth)),
    }[settings.view]
    if settings.view == "error":
        sentence = reading_maps.read_error_map(values, spread, *place, units)
    else:
        sentence = reading_maps.read_field_map(values, *place, quantity, units)
    if settings.view == "spread" and not spread.max() > 0:
        sentence = "The plain model has no spread: every member is the same."
    more = _about(data, case) + (" · arrows: true wind then" if settings.wind and wind_names(settings) else "")
    size = map_subtitle(more=more) if settings.view in ("truth", "member") else map_subtitle(n_member=len(members), more=more)
    return Shown(values, quantity, title, size, scale, sentence)


def forecast_panel(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray, wind: tuple | None) -> Panel:
    if settings.view == "contours":
        return spaghetti_panel(settings, data, members, plain)
    shown = field_shown(settings, data, members, plain)
    figure = draw(shown, settings, data)
    if wind is not None:
        figure = add_wind(figure, *wind, data.latitude, data.longitude, projection=projection_of(settings.projection))
    return figure, shown.sentence


def draw(shown: Shown, settings: Settings, data: Dataset) -> go.Figure:
    projection = projection_of(settings.projection)
    figure = field_map(
        shown.values,
        data.latitude,
        data.longitude,
        title=shown.title,
        subtitle=shown.subtitle,
        quantity=shown.quantity,
        units=units_text(data.units),
        scale=shown.scale,
        projection=projection,
        height=None if projection.kind.is_round else 470,
    )
    return in_metres(figure) if data.units == "m2 s-2" else figure


def in_metres(figure: go.Figure) -> go.Figure:
    """The pointer on a map of geopotential also tells the height, geopotential / 9.80665 m s-2."""
    heat = figure.data[0]
    metres = np.nan_to_num(np.asarray(heat.z) / GRAVITY).round().astype(np.int16)
    heat.customdata = np.concatenate([np.asarray(heat.customdata), metres[..., None]], axis=-1)
    heat.hovertemplate = heat.hovertemplate.replace("<br>latitude", " = %{customdata[2]:,d} m<br>latitude", 1)
    return figure


def contour_levels(values: np.ndarray, units: str) -> tuple[list[float], list[str]]:
    """Two levels through the middle of a field, round in the units that are spoken of: metres for geopotential."""
    factor, name = (GRAVITY, "m") if units == "m2 s-2" else (1.0, units_text(units))
    low, high = np.quantile(values / factor, [0.3, 0.62])
    step = max((one for one in (1, 2, 5, 10, 20, 50, 100, 200) if one <= max(high - low, 1) / 2), default=1)
    levels = sorted({float(round(one / step) * step) for one in (low, high)})
    return [level * factor for level in levels], [f"{level:,.0f} {name}".replace("-", "−") for level in levels]


def spaghetti_panel(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray) -> Panel:
    truth = data.test.target[settings.case].numpy()
    levels, text = contour_levels(truth, data.units)
    projection = projection_of(settings.projection)
    figure = spaghetti(
        members,
        data.latitude,
        data.longitude,
        levels=levels,
        level_text=text,
        title=f"{' and '.join(text)} in every member",
        subtitle=map_subtitle(n_member=len(members), more=_about(data, settings.case)),
        truth=truth,
        plain=plain,
        projection=projection,
        height=None if projection.kind.is_round else 470,
    )
    return figure, reading_maps.read_spaghetti(members, data.latitude, data.longitude, text)


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


def _about(data: Dataset, case: int) -> str:
    return f"from {start_text(data, case)}, {data.lead_time[0]} {data.lead_unit} ahead"
