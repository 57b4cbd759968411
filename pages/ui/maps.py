"""The Explore page of a grid, from the map to its file: what is shown of one forecast, on which projection."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from pages.ui import cached, map_panels, map_tabs, parts, state, widgets
from pages.ui.choices import VIEWS, Settings
from pages.ui.map_panels import start_text
from pages.ui.panels import Panel
from pages.ui.work import Work
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.projection import PROJECTIONS
from stochattn_core.figures.theme import units_text

FORMATS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}


def controls(settings: Settings, data: Dataset) -> None:
    """Above the map: what of the forecast, from when, on which projection."""
    st.segmented_control(
        "Show", list(VIEWS), format_func=VIEWS.get, key="view", required=True, label_visibility="collapsed", width="stretch"
    )
    start, plane, more = st.columns([1.1, 1.3, 0.9], vertical_alignment="center")
    hidden = {"label_visibility": "collapsed"}
    with start:
        st.selectbox("Forecast from", range(len(data.test)), format_func=lambda i: f"from {start_text(data, i)}", key="case", **hidden)
    with plane:
        st.selectbox("Projection", list(PROJECTIONS), format_func=lambda name: PROJECTIONS[name].label, key="projection", **hidden)
    with more:
        if settings.view == "member":
            st.number_input("Member", 1, settings.members, key="member", **hidden)
        elif settings.view != "contours" and map_panels.wind_names(settings):
            st.toggle(
                "Wind", key="wind", help="Arrows: the true wind at this level when the forecast is valid, from the simulation itself."
            )


def first_answer(settings: Settings, data: Dataset, work: Work) -> bool:
    """The map of the chosen start at once, while the others are still being forecast: the same members, bit for bit."""
    controls(settings, data)
    if cached.evaluation_known(settings.model, data, settings.setting) is not None:
        return False
    members, plain = cached.one_forecast(settings.model, data, settings.setting, settings.case, work)
    _show(settings, data, members, plain, None)
    return True


def prepare(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """What needs the sums of every cell, which are not kept: small numbers and maps of them, no figures."""
    parts.summary(settings, data, found)
    map_tabs.cells(data, found)


def forecast_view(settings: Settings, data: Dataset, found: Evaluation) -> None:
    case, ensemble = settings.case, found.ensemble
    _show(settings, data, np.asarray(ensemble.members[:, case]), np.asarray(ensemble.plain[case]), found)


def _show(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray, found: Evaluation | None) -> None:
    with st.container(key="map"):
        widgets.plot(*_panel(settings, data, members, plain, found), key="forecast")
    note, file = st.columns([4, 1], vertical_alignment="center")
    with note:
        if data.units == "m2 s-2":
            st.caption("Geopotential in m²/s²; divided by 9.80665 m/s² it is a height, which the pointer also tells in metres.")
        else:
            st.caption(f"In {units_text(data.units)}; the pointer tells value and place.")
    with file, st.popover("Export", icon=":material/download:", width="stretch"):
        st.caption("The map as it is shown, drawn again for print: 7 inches wide, 300 dpi.")
        for form, mime in FORMATS.items():
            st.download_button(
                form.upper(),
                partial(_file, settings, data, members, plain, form),
                f"{data.name}-{settings.view}-{settings.projection}.{form}",
                mime,
                key=f"map-{form}",
                on_click="ignore",
                width="stretch",
            )


def _panel(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray, found: Evaluation | None) -> Panel:
    make = lambda: map_panels.forecast_panel(settings, data, members, plain, _wind(settings))  # noqa: E731
    if found is None:
        return make()
    which = (settings.view, settings.projection, settings.case, settings.member, settings.wind)
    return cached.derived(found, data, "map", which, make)


def _wind(settings: Settings) -> tuple[np.ndarray, np.ndarray] | None:
    """u and v of the truth when the forecast is valid, (latitude, longitude) each."""
    names = map_panels.wind_names(settings) if settings.wind and settings.view != "contours" else None
    if names is None:
        return None
    parts_of = [state.data_of(replace(settings, variable=name)).test.target[settings.case].numpy() for name in names]
    return parts_of[0], parts_of[1]


def _file(settings: Settings, data: Dataset, members: np.ndarray, plain: np.ndarray, form: str) -> bytes:
    """The map as it is shown, for print."""
    from stochattn_core.figures.map_export import saved

    return saved(map_panels.print_figure(settings, data, members, plain, _wind(settings)), form)
