"""The page Tune: the concentration at which the spread matches the error, its interval, the verdict, corrections, groups and export."""

import streamlit as st

from pages.ui import cached, corrections_panel, export, groups_panel, search, sidebar, state, verdict_panel
from pages.ui.work import Work, refusals

settings = sidebar.begin("tune")
with refusals():
    data = state.data_of(settings)
search.heading(settings, data)
how = search.requested(settings) or cached.search_known(settings.job(data))
if how is None:
    search.invitation(settings, data)
    st.stop()

tuned, work = None, Work(st.empty(), "Tuning", key="tune", on_stop=search.stop, whole=True)
with refusals(stop=False):
    tuned = cached.tuning(settings.job(data), how, work)
work.done()
if tuned is None:
    search.forget()
    search.invitation(settings, data, has_preview=False)
    st.stop()

verdict_panel.conclusion(settings, tuned)
search.budget_note(settings, how, tuned)
search.forget_stop()
verdict_panel.panels(tuned, data)
left, right = st.columns([1.6, 1], gap="large")
with left:
    verdict_panel.evidence(tuned, data)
with right:
    verdict_panel.scores_before_and_after(tuned, data)
corrections, groups, files = st.container(), st.container(), st.container()
with files:
    export.downloads(settings, data, tuned)
with corrections:  # computed on request, so it comes last and nothing else waits for it
    corrections_panel.draw(settings, data, tuned)
with groups:
    groups_panel.draw(settings, data, tuned)
