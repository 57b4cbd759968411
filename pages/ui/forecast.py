"""The forecast on the Explore page: which case and which field are shown, and the map as a file."""

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
from stochattn_core.panels.text import file_part, times_text

FORMATS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}


def first_answer(settings: Settings, data: Dataset, work: Work) -> bool:
    """Draw the chosen forecast before the scores of all cases are computed, with the same members bit for bit; return whether it was drawn."""
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
        st.selectbox(
            "Marked case",
            range(len(data.test)),
            format_func=partial(_case_text, data),
            key="case",
            help="The figure marks this case with a ring.",
        )
    elif not settings.lead:
        st.selectbox(
            "Init time",
            range(len(data.test)),
            format_func=times_text(data.test.index, data).__getitem__,
            key="case",
            help="The time at which the forecast starts.",
        )


def _case_text(data: Dataset, case: int) -> str:
    """The case of a table as its index names it."""
    index = data.test.index
    return f"{index.name or 'case'} {index[case]}"


def _map_controls(settings: Settings, data: Dataset) -> None:
    """The controls above the map: field, init time, projection, member or wind."""
    st.segmented_control(
        "Show", list(FIELDS), format_func=FIELDS.__getitem__, key="view", required=True, label_visibility="collapsed", width="stretch"
    )
    init_times = times_text(data.test.index, data)
    start, plane, more = st.columns([1.1, 1.3, 0.9], vertical_alignment="center")
    with start:
        st.selectbox(
            "Init time",
            range(len(data.test)),
            format_func=lambda i: f"from {init_times[i]}",
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
            st.toggle("Wind", key="wind", help="Arrows show the true wind at this level and valid time, from the simulation.")


def _map_note(settings: Settings, view: View) -> None:
    note, file = st.columns([4, 1], vertical_alignment="center")
    with note:
        if view.map_field == "contours":
            st.caption("Two contours of every member. The names on the lines give their values.")
        elif view.dataset.units == GEOPOTENTIAL:
            st.caption("Geopotential in m²/s². Hover for the value, the height in m (geopotential / 9.80665 m/s²) and the place.")
        else:
            st.caption(f"Values in {units_text(view.dataset.units)}. Hover for value and place.")
    with file, st.popover("Export", icon=":material/download:", width="stretch"):
        st.caption("The map as shown, redrawn for print: 7 inches wide, 300 dpi.")
        for file_format, mime in FORMATS.items():
            st.download_button(
                file_format.upper(),
                partial(_file, view, file_format),
                f"{file_part(view.dataset)}-{settings.view}-{settings.projection}.{file_format}",
                mime,
                key=f"map-{file_format}",
                on_click="ignore",
                width="stretch",
            )


def _file(view: View, file_format: str) -> bytes:
    """Return the bytes of the map as it is shown, for print."""
    from stochattn_core.figures.map_export import file_bytes

    if view.map_field == "contours":
        return file_bytes(spaghetti.print_figure(spaghetti.numbers(view)), file_format)
    return file_bytes(field_map.print_figure(field_map.numbers(view)), file_format)
