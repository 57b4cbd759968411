"""Correlation of the map of spread with the map of error, beside that of the climatological standard deviation."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
import torch

from stochattn_core.figures.map import map_subtitle
from stochattn_core.figures.map_association import WAYS, map_association
from stochattn_core.figures.theme import Palette, number
from stochattn_core.metrics.map_association import MapAssociation
from stochattn_core.metrics.map_association import map_association as associations
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.period_maps import TAB, cells_of


class Numbers(NamedTuple):
    association: MapAssociation
    subtitle: str
    n_forecast: int


def numbers(view: View) -> Numbers:
    cells, ensemble = cells_of(view), view.ensemble
    rmse, spread = torch.from_numpy(cells.rmse), torch.from_numpy(cells.spread)
    climatology = None if cells.climatology is None else torch.from_numpy(cells.climatology)
    association = associations(rmse, spread, climatology, ensemble.latitude)
    subtitle = map_subtitle(n_member=len(ensemble.members), n_forecast=len(ensemble.index), more=f"{association.n:,} cells")
    return Numbers(association, subtitle, len(ensemble.index))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    maps = numbers.association
    return map_association(
        (maps.spread, maps.zonal_removed), (maps.climatology, maps.climatology_zonal_removed), subtitle=numbers.subtitle, palette=palette
    )


def reading(numbers: Numbers) -> str:
    maps = numbers.association
    return read_map_association(maps.spread, maps.zonal_removed, maps.climatology, maps.climatology_zonal_removed, numbers.n_forecast)


def table(numbers: Numbers) -> pd.DataFrame:
    maps = numbers.association
    return pd.DataFrame(
        {
            "maps": WAYS,
            "spread": [maps.spread, maps.zonal_removed],
            "climatological standard deviation": [maps.climatology, maps.climatology_zonal_removed],
        }
    )


def read_map_association(
    spread: float, zonal_removed: float, climatology: float, climatology_zonal_removed: float = float("nan"), n_case: int = 0
) -> str:
    """Return the sentence under the correlations: the first alone proves nothing, so the others are compared with it."""
    if spread != spread:
        return "There is no spread to correlate with the error."
    beyond_climate = climatology == climatology and spread > climatology + 0.02
    along = zonal_removed > max(0.3, (climatology_zonal_removed if climatology_zonal_removed == climatology_zonal_removed else 0.0) + 0.02)
    start = f"The correlation of {number(spread, 2)} between spread and error proves nothing by itself"
    if climatology == climatology:
        start += f": the climatological standard deviation, which needs no forecast, reaches {number(climatology, 2)}"
    end = f"without the zonal means, {number(zonal_removed, 2)} remains".replace("-", "−")
    if along and beyond_climate:
        return f"{start}. The spread adds to the climate: {end}."
    if along:
        return f"{start}; but {end}, so the spread shows more than the latitude of the error."
    return f"{start}; {end}, so the spread shows the latitude of the error and little more."


panel = Panel("association", "Association of spread and error", "tab", numbers, reading, table, figure, tab=TAB, tasks=("grid",))
