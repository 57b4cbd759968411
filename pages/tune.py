"""Tuning: the concentration at which the ensemble spreads as far as the model errs, its interval, the verdict, the file to take home."""

import streamlit as st

from pages.ui import cached, export, search, state
from pages.ui.work import Work, refusals

settings = state.begin("tune")
with refusals():
    data = state.data_of(settings)
search.heading(settings, data)
tuned = cached.tuning_known(settings.model, data, settings.setting)
if not search.wanted(settings, tuned):
    search.invitation(settings, data)
    st.stop()

work = Work(st.empty(), "Tuning", key="tune", on_stop=search.stopped)
with refusals():
    tuned = cached.tuning(settings.model, data, settings.setting, work)
work.done()
search.finished()

search.verdict(tuned)
search.curves(tuned, data)
results, files = st.columns([1, 1], gap="large")
with results:
    search.before_after(tuned, data)
with files:
    export.downloads(tuned)
