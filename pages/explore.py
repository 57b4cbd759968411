"""The main page: slide the concentration and see whether the ensemble is calibrated."""

import streamlit as st

from pages.ui import cached, instrument, map_tabs, maps, parts, sidebar, state
from pages.ui.work import Work, refusals

settings = sidebar.begin("explore")
with refusals():
    data = state.data_of(settings)
view, tabs = (maps, map_tabs) if data.task == "grid" else (parts, parts)
parts.heading(settings, data)
strip = st.container()
curve, first = instrument.draw(settings, data)

state.guard_stopped(settings)
work = Work(st.empty(), "Forecasting", key="explore", on_stop=state.stop)
left, right = st.columns([1.7, 1], gap="large")
with refusals():
    with left:
        drawn = view.first_answer(settings, data, work)
    found = cached.evaluation(settings.model, data, settings.setting, work)
work.done()
state.keep(shown=settings)

with strip:
    parts.score_strip(settings, data, found)
first.empty()
with curve:
    instrument.known_curve(settings, data)
with left:
    if not drawn:
        view.forecast_view(settings, data, found)
with right:
    parts.diagnostics(settings, data, found)
tabs.below(settings, data, found)
instrument.prefetch(settings, data, view.prepare)
