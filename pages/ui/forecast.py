"""The forecast view of the Explore page: what of one forecast is shown, from which start, and the file of a map."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui import cached, panel, views
from pages.ui.choices import Settings
from pages.ui.views import wind_names
from pages.ui.work import Work
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.projection import PROJECTIONS
from stochattn_core.figures.theme import units_text
from stochattn_core.panels import OneForecast, View, field_map, spaghetti
from stochattn_core.panels.field_map import FIELDS
from stochattn_core.panels.map_text import GEOPOTENTIAL
from stochattn_core.panels.text import start_text, time_text

FORMATS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}


def first_answer(settings: Settings, data: Dataset, work: Work) -> bool:
    """The chosen forecast at once, while the scores of all cases are still being computed: the same members, bit for bit."""
    if data.task == "grid":
        _map_controls(settings, data)
    if cached.evaluation_known(settings.job(data)) is not None or data.task == "table":
        return False
    if data.task == "series" and settings.lead:
        return False
    case = min(settings.case, len(data.test) - 1)
    first = OneForecast(*cached.one_forecast(settings.job(data), case, work))
    _show(settings, views.view_of(settings, data, None, first))
    return True


def draw(settings: Settings, view: View) -> None:
    _show(settings, view)


def _show(settings: Settings, view: View) -> None:
    data = view.dataset
    with st.container(key="forecast-view"):
        panel.draw_all(view, "forecast")
    if data.task == "grid":
        _map_note(settings, view)
    elif data.task == "table":
        st.selectbox("Case with the ring", range(len(data.test)), format_func=partial(_case_text, data), key="case")
    elif not settings.lead:
        st.selectbox("Forecast from", range(len(data.test)), format_func=lambda i: time_text(data.test.index[i]), key="case")


def _case_text(data: Dataset, case: int) -> str:
    """The case of a table as its index names it."""
    index = data.test.index
    return f"{index.name or 'case'} {index[case]}"


def _map_controls(settings: Settings, data: Dataset) -> None:
    """Above the map: what of the forecast, from when, on which projection."""
    st.segmented_control(
        "Show", list(FIELDS), format_func=FIELDS.__getitem__, key="view", required=True, label_visibility="collapsed", width="stretch"
    )
    start, plane, more = st.columns([1.1, 1.3, 0.9], vertical_alignment="center")
    with start:
        st.selectbox(
            "Forecast from",
            range(len(data.test)),
            format_func=lambda i: f"from {start_text(data, i)}",
            key="case",
            label_visibility="collapsed",
        )
    with plane:
        st.selectbox(
            "Projection",
            list(PROJECTIONS),
            format_func=lambda name: PROJECTIONS[name].label,
            key="projection",
            label_visibility="collapsed",
        )
    with more:
        if settings.view == "member":
            st.number_input("Member", 1, settings.members, key="member", label_visibility="collapsed")
        elif settings.view != "contours" and wind_names(settings):
            st.toggle("Wind", key="wind", help="Arrows: the true wind at this level at the valid time, from the simulation itself.")


def _map_note(settings: Settings, view: View) -> None:
    note, file = st.columns([4, 1], vertical_alignment="center")
    with note:
        if view.dataset.units == GEOPOTENTIAL:
            st.caption("Geopotential in m²/s². Divided by 9.80665 m/s² it is a height; the pointer gives both.")
        else:
            st.caption(f"In {units_text(view.dataset.units)}. The pointer gives value and place.")
    with file, st.popover("Export", icon=":material/download:", width="stretch"):
        st.caption("The map as it is shown, drawn again for print: 7 inches wide, 300 dpi.")
        for form, mime in FORMATS.items():
            st.download_button(
                form.upper(),
                partial(_file, view, form),
                f"{view.dataset.name}-{settings.view}-{settings.projection}.{form}",
                mime,
                key=f"map-{form}",
                on_click="ignore",
                width="stretch",
            )


def _file(view: View, form: str) -> bytes:
    """The map as it is shown, for print."""
    from stochattn_core.figures.map_export import saved

    if view.map_field == "contours":
        return saved(spaghetti.print_figure(spaghetti.numbers(view)), form)
    return saved(field_map.print_figure(field_map.numbers(view)), form)
