"""The tabs of the Explore page, from PANELS. Only the open tab is drawn; some have controls of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from pages.ui import cached, event_controls, panel, state, views, widgets
from pages.ui.choices import Settings
from pages.ui.work import Work, refusals
from stochattn_core.datasets import planet
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.map_box import drawn_region
from stochattn_core.models import MODELS
from stochattn_core.panels import View, event_sums, lag_correlation, lead_time, provenance, regions, slices
from stochattn_core.panels import tabs as panels_by_tab
from stochattn_core.panels.map_text import projection_of
from stochattn_core.settings import Setting
from stochattn_core.slices import Slice
from stochattn_core.verdict.summary import Summary

PLAIN = Setting(math.inf, 2)  # the plain forecast, as an ensemble of two equal members


def draw(settings: Settings, view: View) -> None:
    titles = list(panels_by_tab(view))
    for title, tab in zip(titles, st.tabs(titles, key=f"tabs-{settings.task}", on_change="rerun"), strict=True):
        if tab.open:
            with tab:
                _tab(title, settings, view)


def _tab(title: str, settings: Settings, view: View) -> None:
    if title in BEFORE:
        view = BEFORE[title](settings, view)
    panel.side_by_side(panels_by_tab(view)[title], view, ON_BOX)
    if title in AFTER:
        AFTER[title](settings, view)


def _with_lead_times(settings: Settings, view: View) -> View:
    """Add the scores at the lead times that are known; a button computes the others. A series has all lead times in one ensemble."""
    data = view.dataset
    if data.task != "grid":
        return view
    if not settings.variable:
        widgets.reading(f"This dataset has one lead time, {data.step.lead_text(data.lead_time[0])}.")
        return view
    slot = st.container()
    at = {lead: replace(settings, lead=lead) for lead in planet.LEAD_TIMES}
    by_lead = _summaries(at, "all-leads", lambda lead: f"Lead time {lead} h")
    missing = [lead for lead in at if lead not in by_lead]
    if missing:
        known, unknown = (", ".join(map(str, leads)) for leads in (by_lead, missing))
        with slot:
            _offer(f"Computed at this concentration: {known} h. Not computed yet: {unknown} h.", "Compute all lead times", at, "all-leads")
    return replace(view, by_lead=by_lead)


def _with_layer_groups(settings: Settings, view: View) -> View:
    """Add the scores with each named group of layers sampled, at the present concentration; a button computes those that are not known."""
    model = MODELS[settings.model]
    if view.dataset.task != "grid" or len(model.layer_groups) < 2 or view.known.setting.is_plain:
        return view
    slot = st.container()
    at = {title: replace(settings, layers="" if glob == model.layers else glob) for title, glob in model.layer_groups.items()}
    by_layers = _summaries(at, "all-groups", str)
    if len(by_layers) < len(at):
        text = f"The scores with other layers sampled, at the same ν = {settings.nu:,.0f}, members and forecasts, are not computed yet."
        with slot:
            _offer(text, "Compute the comparison", at, "all-groups")
        return view
    return replace(view, by_layers={title: (model.layer_groups[title], summary) for title, summary in by_layers.items()})


def _with_calibration(settings: Settings, view: View) -> View:
    """Add the plain forecasts of the calibration part, on which the rivals are fitted: one pass, made when the tab is first opened."""
    job = replace(settings.job(view.dataset), setting=PLAIN)
    known = cached.evaluation_known(job, part="calibration")
    if known is None:
        work = Work(st.empty(), "Plain forecasts of the calibration part", key="calibration", on_stop=state.stop)
        with refusals():
            known = cached.evaluation(job, work, part="calibration")
        work.done()
    return replace(view, calibration=known.ensemble)


def _provenance_note(settings: Settings, view: View) -> None:
    if view.by_layers:
        st.caption(
            f"Groups of layers are scored at ν = {settings.nu:,.0f} on the test part. At the same ν, more sampled layers usually give a wider ensemble, "
            "and each group has its own ν*: choose the layers in the sidebar and tune before you compare them."
        )
    st.caption(provenance.how_text(view).replace("*", "\\*"))


def _box_controls(settings: Settings, view: View) -> None:
    if view.region is None:
        st.caption("Drag a box on the map to see its scores beside those of the regions.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Your box: {view.region.place}.")
        st.button("Remove the box", on_click=state.choose, kwargs={"box": ""}, type="tertiary")


def _slices_list(settings: Settings, view: View) -> None:
    """Draw one sentence for each slice that fails; a button shows its lead time and region on this page."""
    for place, failure in enumerate(slices.numbers(view).search.failures, 1):
        changes = _opened(failure.slice, view)
        left, right = st.columns([5, 1], vertical_alignment="center")
        with left:
            widgets.reading(f"{place}. {slices.read_failure(failure)}")
        with right:
            if changes:
                st.button(
                    "Open", key=f"slice-{place}", icon=":material/open_in_full:", on_click=state.choose, kwargs=changes, width="stretch"
                )


def _opened(slice_: Slice, view: View) -> dict[str, Any]:
    """Return the settings that show a slice: its lead time if it has one, and its region as a box. The other kinds are shown in the panel."""
    changes: dict[str, Any] = {"lead": slice_.leads[0]} if slice_.leads and view.dataset.task == "series" else {}
    if slice_.region is not None and view.dataset.task == "grid":
        changes["box"] = slice_.region.box
    return changes


def box_drawn() -> None:
    """Turn the rectangle that the user dragged into a region of the globe, which is a setting."""
    box = state.answer(regions.box_panel.key)["box"]
    try:
        region = drawn_region(tuple(box["x"]), tuple(box["y"]), projection_of(state.current().projection))
    except ValueError as problem:
        state.remember(problem=f"{widgets.capital(str(problem))}.")
        return
    state.choose(box=region.box)


BEFORE: dict[str, Callable[[Settings, View], View]] = {
    lead_time.panel.tab: _with_lead_times,
    provenance.TAB: _with_layer_groups,
    event_sums.TAB: event_controls.draw,
    lag_correlation.TAB: _with_calibration,
}
AFTER: dict[str, Callable[[Settings, View], None]] = {
    provenance.TAB: _provenance_note,
    regions.TAB: _box_controls,
    slices.TAB: _slices_list,
}
ON_BOX: dict[str, Callable[[], None]] = {regions.box_panel.key: box_drawn}


def _summaries(at: dict[Any, Settings], request: str, name: Callable[[Any], str]) -> dict[Any, Summary]:
    """Return the summaries of those settings whose evaluations are known; all of them after the button of `_offer` was pressed."""
    return {
        which: views.view_of(settings, state.data_of(settings), evaluation).summary
        for which, evaluation in _known(at, request, name).items()
        for settings in [at[which]]
    }


def _known(at: dict[Any, Settings], request: str, name: Callable[[Any], str]) -> dict[Any, Evaluation]:
    bar = st.empty()
    known = {which: cached.evaluation_known(settings.job(state.data_of(settings))) for which, settings in at.items()}
    missing = [which for which, evaluation in known.items() if evaluation is None]
    if missing and state.remembered(request) == _wanted(at):
        for i, which in enumerate(missing, 1):
            stop = partial(state.remember, **{request: None})
            work = Work(bar, f"{name(which)} ({i} of {len(missing)})", key=f"{request}-{i}", on_stop=stop)
            with refusals():
                known[which] = cached.evaluation(at[which].job(state.data_of(at[which])), work)
            work.done()
    return {which: evaluation for which, evaluation in known.items() if evaluation is not None}


def _offer(text: str, label: str, at: dict[Any, Settings], request: str) -> None:
    """Draw what is not known yet, and the button that computes it."""
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        st.caption(text)
    with right:
        st.button(
            label,
            icon=":material/play_arrow:",
            key=f"compute-{request}",
            width="stretch",
            on_click=state.remember,
            kwargs={request: _wanted(at)},
        )


def _wanted(at: dict[Any, Settings]) -> tuple[Any, ...]:
    return tuple((settings.model, settings.dataset_name, settings.forecasts, settings.setting) for settings in at.values())
