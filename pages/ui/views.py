"""From the settings of a page to the view that its panels look at."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pages.ui import cached, state
from pages.ui.choices import Settings
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.metrics.events import Event
from stochattn_core.panels import OneForecast, View, shown
from stochattn_core.panels.period_maps import cells_of


def view_of(settings: Settings, data: Dataset, evaluation: Evaluation | None, first: OneForecast | None = None, **more: Any) -> View:
    """Return the view of these settings. evaluation: None while only the forecast of the chosen case, `first`, is known."""
    if evaluation is not None:
        more["remember"] = partial(cached.derived, evaluation, data)
    return View(
        dataset=data,
        evaluation=evaluation,
        first=first,
        lead=0 if data.task == "grid" else settings.lead,
        case=min(settings.case, len(data.test) - 1),
        member=settings.member,
        map_field=settings.view,
        projection=settings.projection,
        has_wind=settings.wind and settings.view != "contours" and wind_names(settings) is not None,
        wind_fields=partial(_wind, settings),
        region=settings.region,
        event=Event.parse(settings.event),
        **more,
    )


def prepare(settings: Settings, data: Dataset, evaluation: Evaluation) -> None:
    """Derive what the page needs of a prefetched evaluation, so that it is ready when the user chooses it.

    Of a map only results that need the sums of every cell are derived, because these sums are dropped afterwards; no figure is drawn.
    """
    view = view_of(settings, data, evaluation)
    if data.task == "grid":
        _ = view.summary, view.verdict, cells_of(view)
        return
    _ = view.verdict
    for panel in shown(view, "forecast", "diagnostics"):
        cached.drawn(panel, view)


def wind_names(settings: Settings) -> tuple[str, str] | None:
    """Return the names of both wind components at the level of a variable of the planet; None if there are none."""
    level = settings.variable.rsplit("_", 1)[-1]
    names = (f"u_component_of_wind_{level}", f"v_component_of_wind_{level}")
    return names if set(names) <= set(planet.VARIABLES) else None


def _wind(settings: Settings) -> tuple[np.ndarray, np.ndarray] | None:
    """Return u and v of the truth at the valid time, (latitude, longitude) each."""
    names = wind_names(settings)
    if names is None:
        return None
    east, north = (state.data_of(settings.of_variable(name)).test.target[settings.case].numpy() for name in names)
    return east, north
