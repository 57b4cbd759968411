"""From an evaluation of a grid to what the tabs beneath the map show: each panel is a figure and the sentence that reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import torch

from pages.ui.map_panels import in_metres, projection_of
from pages.ui.panels import Panel, Summary
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures import reading_maps
from stochattn_core.figures.colour_scale import of_magnitude, of_ratio
from stochattn_core.figures.lead_curves import lead_curves
from stochattn_core.figures.map import field_map, map_subtitle
from stochattn_core.figures.map_association import map_association
from stochattn_core.figures.map_box import add_region, selectable
from stochattn_core.figures.regions import by_region
from stochattn_core.figures.spectrum import spectrum
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics import bootstrap, by_event, scores
from stochattn_core.metrics.map_association import map_association as associations
from stochattn_core.metrics.regions import REGIONS, Region, region_weights
from stochattn_core.metrics.spectra import BAND, spectra

SMALL = 220  # pixels across a globe of which two stand side by side


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
        title="Spread / RMSE",
        subtitle=about,
        quantity="spread / RMSE",
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
        subtitle=map_subtitle(n_member=n_member, n_forecast=n_forecast, more="bands: 90% bootstrap"),
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
        subtitle=map_subtitle(n_member=members, n_forecast=len(ensemble.index), more="ranges: 90% bootstrap"),
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


def layer_rows(by_group: dict[str, tuple[str, Summary]], units: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table of scores. by_group: title of the layers sampled to their pattern and what is known with them."""
    of = f" ({units_text(units)})" if units else ""
    head = ["layers sampled", "pattern", "spread / RMSE", "PIT distance W1", f"fair CRPS{of}", "90% coverage", f"RMSE of the mean{of}"]
    rows = []
    for title, (glob, found) in by_group.items():
        score, (low, high) = found.scores, found.ranges["spread_skill_ratio"]
        ratio = f"{number(score['spread_skill_ratio'])} ({number(low)} to {number(high)})"
        shown = [number(score[name]) for name in ("w1", "crps_fair")]
        rows.append([title, glob, ratio, *shown, f"{score['coverage_90']:.0%}", number(score["rmse"])])
    return head, rows
