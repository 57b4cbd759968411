"""From an evaluation of a grid to what a page shows: each panel is a figure and the sentence that reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from pages.ui.choices import Settings
from pages.ui.panels import Panel, Summary
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures import reading_maps
from stochattn_core.figures.colour_scale import ColourScale, of_error, of_field, of_magnitude, of_ratio
from stochattn_core.figures.lead_curves import lead_curves
from stochattn_core.figures.map import field_map, map_subtitle
from stochattn_core.figures.map_association import map_association
from stochattn_core.figures.map_box import add_region, selectable
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.regions import by_region
from stochattn_core.figures.spaghetti import spaghetti
from stochattn_core.figures.spectrum import spectrum
from stochattn_core.figures.theme import units_text
from stochattn_core.figures.wind import add_wind
from stochattn_core.metrics import bootstrap, by_event, scores
from stochattn_core.metrics.map_association import map_association as associations
from stochattn_core.metrics.regions import REGIONS, Region, region_weights
from stochattn_core.metrics.spectra import BAND, spectra

GRAVITY = 9.80665  # m s-2: geopotential over height
MIDDLES = {"orthographic": (-40.0, 40.0)}  # where the globe is seen from: over the Atlantic storm track
SMALL = 220  # pixels across a globe of which two stand side by side


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


@dataclass(frozen=True, eq=False)
class Cells:
    """Over the test period, (latitude, longitude) each. spread carries sqrt((M + 1) / M), so that it should equal the rmse."""

    rmse: np.ndarray
    spread: np.ndarray
    ratio: np.ndarray
    climatology: np.ndarray | None  # standard deviation


def cells_of(evaluation: Evaluation) -> Cells:
    found, members = by_event(evaluation.statistics), len(evaluation.ensemble.members)
    climate = evaluation.ensemble.climatology
    return Cells(
        found["rmse"].astype(np.float32),
        (found["spread"] * np.sqrt((members + 1) / members)).astype(np.float32),
        found["spread_skill_ratio"].astype(np.float32),
        None if climate is None else climate.std(axis=0),
    )


def period_panels(evaluation: Evaluation, cells: Cells, projection: str) -> dict[str, Panel]:
    """RMSE and spread on one scale, their ratio, and how far the one says where the other is."""
    ensemble = evaluation.ensemble
    place, units = (ensemble.latitude, ensemble.longitude), units_text(ensemble.units)
    about = map_subtitle(n_member=len(ensemble.members), n_forecast=len(ensemble.index))
    common = {
        "units": units,
        "projection": projection_of(projection),
        "across": SMALL,
        "height": 470 if projection_of(projection).kind.is_round else 360,
    }
    scale = of_magnitude(cells.rmse, cells.spread)
    panels: dict[str, Panel] = {}
    for name, values, title in (("rmse", cells.rmse, "RMSE of the mean"), ("spread", cells.spread, "Spread, on the same scale")):
        figure = field_map(
            values, *place, title=title, subtitle=about, quantity=name.upper() if name == "rmse" else name, scale=scale, **common
        )
        sentence = reading_maps.read_field_map(values, *place, "RMSE" if name == "rmse" else "spread", units)
        if not values.max() > 0:
            sentence = "The plain model has no spread: it never says where it is unsure."
        panels[name] = (in_metres(figure) if ensemble.units == "m2 s-2" else figure), sentence
    ratio = field_map(
        cells.ratio,
        *place,
        title="Spread / error",
        subtitle=about,
        quantity="ratio",
        scale=of_ratio(cells.ratio),
        **(common | {"units": ""}),
    )
    panels["ratio"] = ratio, reading_maps.read_ratio_map(cells.ratio, ensemble.latitude)
    found = associations(
        torch.from_numpy(cells.rmse),
        torch.from_numpy(cells.spread),
        None if cells.climatology is None else torch.from_numpy(cells.climatology),
        ensemble.latitude,
    )
    figure = map_association(
        (found.spread, found.zonal_removed), (found.climatology, found.climatology_zonal_removed), subtitle=f"{about} · {found.n:,} cells"
    )
    sentence = reading_maps.read_map_association(
        found.spread, found.zonal_removed, found.climatology, found.climatology_zonal_removed, len(ensemble.index)
    )
    panels["association"] = figure, sentence
    return panels


def lead_panel(by_lead: dict[int, Summary], units: str, n_forecast: int) -> Panel:
    """Scores against lead time, of the leads that are known. by_lead: hours to what is known there."""
    lead_time = np.array(sorted(by_lead))
    found = [by_lead[lead] for lead in lead_time]
    names = [name for name in found[0].scores if name in found[0].ranges]
    score = {name: np.array([one.scores[name] for one in found], dtype=float) for name in names}
    low, high = ({name: np.array([one.ranges[name][end] for one in found]) for name in names} for end in (0, 1))
    n_member = int(found[0].scores["n_member"])
    figure = lead_curves(
        lead_time,
        score,
        low,
        high,
        n_member=n_member,
        subtitle=map_subtitle(n_member=n_member, n_forecast=n_forecast, more="bands hold 90% by blocks of starts"),
        units=units_text(units),
    )
    ratio = "spread_skill_ratio"
    return figure, reading_maps.read_lead_curves(lead_time, score[ratio], low[ratio], high[ratio])


def box_panel(evaluation: Evaluation, cells: Cells, projection: str, drawn: Region | None) -> go.Figure:
    """The map on which a box is drawn."""
    ensemble, plane = evaluation.ensemble, projection_of(projection)
    figure = field_map(
        cells.rmse,
        ensemble.latitude,
        ensemble.longitude,
        title="Draw a box",
        subtitle=map_subtitle(n_member=len(ensemble.members), n_forecast=len(ensemble.index), more="RMSE of the mean"),
        quantity="RMSE",
        units=units_text(ensemble.units),
        scale=of_magnitude(cells.rmse, cells.spread),
        projection=plane,
        across=SMALL,
        height=470 if plane.kind.is_round else 360,
    )
    if drawn is not None:
        add_region(figure, drawn, ensemble.latitude, ensemble.longitude, projection=plane)
    return selectable(figure, ensemble.latitude, ensemble.longitude, plane)


def region_panel(evaluation: Evaluation, drawn: Region | None) -> Panel:
    ensemble = evaluation.ensemble
    regions = [*REGIONS.values(), *([drawn] if drawn else [])]
    pooled = [evaluation.statistics.pooled(region_weights(one, ensemble.latitude, ensemble.longitude)) for one in regions]
    found = [scores(one) for one in pooled]
    ranges = np.array([bootstrap(one, scores)["spread_skill_ratio"] for one in pooled])
    members = len(ensemble.members)
    label, ratio = [one.label for one in regions], np.array([one["spread_skill_ratio"] for one in found])
    figure = by_region(
        label,
        np.array([one["rmse"] for one in found]),
        np.array([one["spread"] for one in found]) * np.sqrt((members + 1) / members),
        ratio,
        low=ranges[:, 0],
        high=ranges[:, 1],
        subtitle=map_subtitle(n_member=members, n_forecast=len(ensemble.index), more="ranges hold 90% by blocks of starts"),
        place=[one.place for one in regions],
        units=units_text(ensemble.units),
        height=360,
    )
    return figure, reading_maps.read_regions(label, ratio, ranges[:, 0], ranges[:, 1])


def spectrum_panel(evaluation: Evaluation) -> Panel:
    ensemble = evaluation.ensemble
    found = spectra(
        torch.from_numpy(np.array(ensemble.members)),
        torch.from_numpy(ensemble.target),
        ensemble.latitude,
        plain=torch.from_numpy(np.array(ensemble.plain)),
        block=torch.from_numpy(ensemble.block),
    )
    of = {name: value.numpy() for name, value in found._asdict().items() if isinstance(value, torch.Tensor)}
    figure = spectrum(
        of["wavenumber"],
        of["truth"],
        of["member"],
        of["mean"],
        low=of["member_low"],
        high=of["member_high"],
        subtitle=map_subtitle(n_member=found.n_member, n_forecast=found.n_case, more=f"{BAND[0]:.0f}°N to {BAND[1]:.0f}°N"),
        plain=of.get("plain"),
        units=units_text(ensemble.units),
    )
    return figure, reading_maps.read_spectrum(of["wavenumber"], of["member_ratio"], of["member_low"], of["member_high"], of["mean_ratio"])


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
