"""The page Explore: move the slider of the concentration and see whether the ensemble is calibrated."""

import streamlit as st

from pages.ui import cached, forecast, heading, instrument, panel, sidebar, state, tabs, views
from pages.ui.work import Work, refusals

settings = sidebar.begin("explore")
with refusals():
    data = state.data_of(settings)
heading.draw(settings, data)
tiles = st.container()
curve, empty_curve = instrument.draw(settings, data)

state.guard_stopped(settings)
work = Work(st.empty(), "Forecasting", key="explore", on_stop=state.stop)
left, right = st.columns([1.7, 1], gap="large")
with refusals():
    with left:
        is_drawn = forecast.first_answer(settings, data, work)
    evaluation = cached.evaluation(settings.job(data), work)
work.done()
state.remember(shown=settings)
view = views.view_of(settings, data, evaluation)

with tiles:
    heading.tiles(view)
empty_curve.empty()
with curve:
    instrument.known_curve(settings, data)
with left:
    if not is_drawn:
        forecast.draw(settings, view)
with right:
    panel.draw_all(view, "diagnostics")
tabs.draw(settings, view)
instrument.prefetch(settings, data, views.prepare)
