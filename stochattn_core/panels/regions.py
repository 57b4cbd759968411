"""Scores by region of the globe, and the map on which the user draws a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.colour_scale import of_magnitude
from stochattn_core.figures.map import field_map, map_subtitle
from stochattn_core.figures.map_box import add_region, selectable
from stochattn_core.figures.projection import Projection
from stochattn_core.figures.regions import by_region
from stochattn_core.figures.theme import Palette, number, units_text
from stochattn_core.metrics.regions import REGIONS, Region, region_weights
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.field_map import grid_table
from stochattn_core.panels.map_text import projection_of, small_height
from stochattn_core.panels.period_maps import ACROSS, Cells, cells_of
from stochattn_core.panels.score_lines import ScoresAt, lines_of
from stochattn_core.verdict.summary import summarise

TAB = "By region"


class BoxNumbers(NamedTuple):
    cells: Cells
    latitude: Sequence[float]
    longitude: Sequence[float]
    units: str
    projection: Projection
    drawn: Region | None
    subtitle: str


def box_numbers(view: View) -> BoxNumbers:
    ensemble = view.ensemble
    subtitle = map_subtitle(n_member=len(ensemble.members), n_forecast=len(ensemble.index), more="RMSE of the mean")
    place = ensemble.latitude, ensemble.longitude
    return BoxNumbers(cells_of(view), *place, units_text(ensemble.units), projection_of(view.projection), view.region, subtitle)


def box_figure(numbers: BoxNumbers, palette: Palette) -> go.Figure:
    """The map on which a box is drawn."""
    place = numbers.latitude, numbers.longitude
    figure = field_map(
        numbers.cells.rmse,
        *place,
        title="Draw a box",
        subtitle=numbers.subtitle,
        quantity="RMSE",
        units=numbers.units,
        scale=of_magnitude(numbers.cells.rmse, numbers.cells.spread),
        projection=numbers.projection,
        across=ACROSS,
        height=small_height(numbers.projection),
        palette=palette,
    )
    if numbers.drawn is not None:
        add_region(figure, numbers.drawn, *place, projection=numbers.projection)
    return selectable(figure, *place, numbers.projection)


def box_table(numbers: BoxNumbers) -> pd.DataFrame:
    return grid_table(numbers.latitude, numbers.longitude, {"rmse": numbers.cells.rmse})


class Numbers(NamedTuple):
    regions: list[Region]
    scores: ScoresAt
    units: str
    subtitle: str


def numbers(view: View) -> Numbers:
    ensemble = view.ensemble
    place = ensemble.latitude, ensemble.longitude
    regions = [region for region in REGIONS.values() if _has_cells(region, *place)]
    regions += [view.region] if view.region else []
    weights = [region_weights(region, *place) for region in regions]
    summaries = [summarise(view.known.statistics.pooled(weight)) for weight in weights]
    subtitle = map_subtitle(n_member=len(ensemble.members), n_forecast=len(ensemble.index), more="90% ranges")
    return Numbers(regions, ScoresAt.of_summaries(summaries), units_text(ensemble.units), subtitle)


def _has_cells(region: Region, latitude: Sequence[float], longitude: Sequence[float]) -> bool:
    """Whether a grid has a cell in the region; a grid of a part of the globe may have none."""
    try:
        return bool(region_weights(region, latitude, longitude).any())
    except ValueError:
        return False


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return by_region(
        [region.label for region in numbers.regions],
        lines_of(numbers.scores, numbers.units, by_region=True),
        subtitle=numbers.subtitle,
        place=[region.place for region in numbers.regions],
        palette=palette,
        height=360,
    )


def reading(numbers: Numbers) -> str:
    ratio, low, high = (values["spread_skill_ratio"] for values in (numbers.scores.values, numbers.scores.low, numbers.scores.high))
    return read_regions([region.label for region in numbers.regions], ratio, low, high)


def table(numbers: Numbers) -> pd.DataFrame:
    rows = numbers.scores.table()
    rows.insert(0, "region", [region.label for region in numbers.regions])
    rows.insert(1, "place", [region.place for region in numbers.regions])
    return rows


def read_regions(label: Sequence[str], ratio: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Return the sentence under scores by region: in which region the ratio is furthest from 1."""
    known = np.isfinite(ratio) & (ratio > 1e-6)
    if not known.any():
        return "There is no spread: the plain model gives one answer in every region."
    worst = int(np.argmax(np.where(known, np.abs(np.log(np.maximum(ratio, 1e-9))), -1)))
    kind = "narrow" if ratio[worst] < 1 else "wide"
    if np.isfinite([low[worst], high[worst]]).all() and low[worst] <= 1 <= high[worst]:
        return (
            f"The ratio is furthest from 1 in {label[worst]}: {number(float(ratio[worst]))}, with 1 inside its 90% range. "
            "There is no evidence that this region needs another ν."
        )
    return f"The same ν is used in every region. It fits {label[worst]} worst, where the ensemble is too {kind}: ratio {number(float(ratio[worst]))}."


box_panel = Panel(
    "region-map",
    "Draw a box",
    "tab",
    box_numbers,
    lambda numbers: "",
    box_table,
    box_figure,
    tab=TAB,
    tasks=("grid",),
    choices=("projection", "region"),
)
panel = Panel("regions", TAB, "tab", numbers, reading, table, figure, tab=TAB, tasks=("grid",), choices=("region",))
