"""Beneath the map: the test period, lead times, regions, spectra, coverage, how it was computed. Only the open tab is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from pages.ui import cached, look, map_panels, panels, parts, state
from pages.ui.choices import Settings
from pages.ui.work import Work, refusals
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.map_box import drawn_region

NAMES = ("Over the test period", "By lead time", "By region", "Spectra", "Coverage", "How it was computed")


def below(settings: Settings, data: Dataset, found: Evaluation) -> None:
    draw = (_period, _leads, _regions, _spectra, _coverage, _how)
    for tab, show in zip(st.tabs(NAMES, key="map-tabs", on_change="rerun"), draw, strict=True):
        if tab.open:
            with tab:
                show(settings, data, found)


def _period(settings: Settings, data: Dataset, found: Evaluation) -> None:
    make = lambda: map_panels.period_panels(found, cells(data, found), settings.projection)  # noqa: E731
    shown = cached.derived(found, data, "period", settings.projection, make)
    for names in (("rmse", "spread"), ("ratio", "association")):
        for column, name in zip(st.columns(2, gap="large"), names, strict=True):
            with column:
                look.plot(*shown[name], key=f"period-{name}")


def _leads(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """Curves through the lead times that are known; a button computes the rest."""
    if not settings.variable:
        look.reading(f"This dataset has one lead time, {data.lead_time[0]} {data.lead_unit}.")
        return
    slot, bar = st.container(), st.empty()
    at = {lead: replace(settings, lead=lead) for lead in planet.LEAD_TIMES}
    known = {lead: cached.evaluation_known(one.model, state.data_of(one), one.setting) for lead, one in at.items()}
    missing = [lead for lead, one in known.items() if one is None]
    if missing and state.kept("all-leads") == _wanted(settings):
        for i, lead in enumerate(missing, 1):
            work = Work(bar, f"Lead time {lead} h ({i} of {len(missing)})", key=f"lead-{lead}", on_stop=_stop_leads)
            with refusals():
                known[lead] = cached.evaluation(settings.model, state.data_of(at[lead]), settings.setting, work)
            work.done()
        missing = []
    by_lead = {
        lead: cached.derived(one, state.data_of(at[lead]), "summary", 0, lambda one=one: panels.summary(one, 0))
        for lead, one in known.items()
        if one is not None
    }
    with slot:
        if missing:
            text, button = st.columns([3, 1], vertical_alignment="center")
            with text:
                st.caption(
                    f"Known at this concentration: {', '.join(map(str, by_lead))} h. Not computed yet: {', '.join(map(str, missing))} h."
                )
            with button:
                st.button(
                    "Compute all lead times",
                    icon=":material/play_arrow:",
                    key="compute-leads",
                    width="stretch",
                    on_click=state.keep,
                    kwargs={"all-leads": _wanted(settings)},
                )
        look.plot(*map_panels.lead_panel(by_lead, data.units, len(data.test)), key="leads")


def _stop_leads() -> None:
    state.keep(**{"all-leads": None})


def _wanted(settings: Settings) -> tuple:
    return (settings.model, settings.variable, settings.forecasts, settings.setting)


def _regions(settings: Settings, data: Dataset, found: Evaluation) -> None:
    drawn = settings.region
    left, right = st.columns(2, gap="large")
    with left:
        make = lambda: map_panels.box_panel(found, cells(data, found), settings.projection, drawn)  # noqa: E731
        figure = cached.derived(found, data, "box", (settings.projection, settings.box), make)
        look.plot(figure, key="box-map", on_select=_box_drawn, selection_mode="box")
        if drawn is None:
            st.caption("Drag over the map: the scores of that box stand beside those of the regions.")
        else:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"Your box: {drawn.place}.")
                st.button("Forget the box", on_click=state.choose, kwargs={"box": ""}, type="tertiary")
    with right, refusals(stop=False):
        look.plot(*cached.derived(found, data, "regions", settings.box, lambda: map_panels.region_panel(found, drawn)), key="regions")


def _box_drawn() -> None:
    """The rectangle on the paper as a region of the globe, kept as a setting."""
    selection: Any = st.session_state.get("box-map")
    boxes = selection["selection"]["box"] if selection else []
    if not boxes:
        return
    plane = map_panels.projection_of(state.current().projection)
    try:
        region = drawn_region(tuple(boxes[-1]["x"]), tuple(boxes[-1]["y"]), plane)
    except ValueError as problem:
        state.keep(problem=f"{str(problem)[:1].upper()}{str(problem)[1:]}.")
        return
    state.choose(box=",".join(f"{edge:g}" for edge in (region.south, region.north, region.west, region.east)))


def _spectra(settings: Settings, data: Dataset, found: Evaluation) -> None:
    with refusals(stop=False):
        look.plot(*cached.derived(found, data, "spectra", 0, lambda: map_panels.spectrum_panel(found)), key="spectra")


def _coverage(settings: Settings, data: Dataset, found: Evaluation) -> None:
    look.plot(*cached.derived(found, data, "coverage", 0, lambda: panels.coverage_panel(found, 0)), key="coverage")


def _how(settings: Settings, data: Dataset, found: Evaluation) -> None:
    parts.how(data, found)
    st.download_button(
        "Scores as CSV",
        panels.score_rows(found).to_csv(index=False),
        f"scores-{found.model}-{found.dataset}.csv",
        "text/csv",
        icon=":material/download:",
    )


def cells(data: Dataset, found: Evaluation) -> map_panels.Cells:
    return cached.derived(found, data, "cells", 0, lambda: map_panels.cells_of(found))
