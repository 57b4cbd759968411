"""Tuning: the concentration at which the ensemble spreads as far as the model errs, its interval, the verdict, corrections, the file to take home."""

import streamlit as st

from pages.ui import cached, corrections_panel, export, groups_panel, search, sidebar, state, verdict_panel
from pages.ui.work import Work, refusals

settings = sidebar.begin("tune")
with refusals():
    data = state.data_of(settings)
search.heading(settings, data)
how = search.asked(settings) or cached.search_known(settings.job(data))
if how is None:
    search.before(settings, data)
    st.stop()

tuned, work = None, Work(st.empty(), "Tuning", key="tune", on_stop=search.stopped, whole=True)
with refusals(stop=False):
    tuned = cached.tuning(settings.job(data), how, work)
work.done()
if tuned is None:
    search.refused()
    search.before(settings, data, first_look=False)
    st.stop()

verdict_panel.conclusion(settings, tuned)
search.ended(settings, how, tuned)
search.finished()
verdict_panel.panels(tuned, data)
left, right = st.columns(2, gap="large")
with left:
    verdict_panel.evidence(tuned, data)
with right:
    verdict_panel.before_after(tuned, data)
corrections, groups, files = st.container(), st.container(), st.container()
with files:
    export.downloads(settings, data, tuned)
with corrections:  # what may be computed comes last, so that nothing waits for it
    corrections_panel.draw(settings, data, tuned)
with groups:
    groups_panel.draw(settings, data, tuned)
