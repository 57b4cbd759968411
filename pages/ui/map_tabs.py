"""Beneath the map: the test period, lead times, regions, spectra, coverage, how it was computed. Only the open tab is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from pages.ui import cached, map_panels, panels, parts, period_panels, state, widgets
from pages.ui.choices import Settings
from pages.ui.work import Work, refusals
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.map_box import drawn_region
from stochattn_core.models import MODELS

NAMES = ("Over the test period", "By lead time", "By region", "Spectra", "Coverage", "How it was computed")


def below(settings: Settings, data: Dataset, found: Evaluation) -> None:
    draw = (_period, _leads, _regions, _spectra, _coverage, _how)
    for tab, show in zip(st.tabs(NAMES, key="map-tabs", on_change="rerun"), draw, strict=True):
        if tab.open:
            with tab:
                show(settings, data, found)


def _period(settings: Settings, data: Dataset, found: Evaluation) -> None:
    make = lambda: period_panels.period_panels(found, cells(data, found), settings.projection)  # noqa: E731
    shown = cached.derived(found, data, "period", settings.projection, make)
    for names in (("rmse", "spread"), ("ratio", "association")):
        for column, name in zip(st.columns(2, gap="large"), names, strict=True):
            with column:
                widgets.plot(*shown[name], key=f"period-{name}")


def _leads(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """Curves through the lead times that are known; a button computes the rest."""
    if not settings.variable:
        widgets.reading(f"This dataset has one lead time, {data.lead_time[0]} {data.lead_unit}.")
        return
    slot = st.container()
    at = {lead: replace(settings, lead=lead) for lead in planet.LEAD_TIMES}
    known = _known(at, "all-leads", lambda lead: f"Lead time {lead} h")
    by_lead = {
        lead: cached.derived(one, state.data_of(at[lead]), "summary", 0, lambda one=one: panels.summary(one, 0))
        for lead, one in known.items()
    }
    with slot:
        missing = [lead for lead in at if lead not in known]
        if missing:
            text = f"Known at this concentration: {', '.join(map(str, by_lead))} h. Not computed yet: {', '.join(map(str, missing))} h."
            _offer(text, "Compute all lead times", at, "all-leads")
        widgets.plot(*period_panels.lead_panel(by_lead, data.units, len(data.test)), key="leads")


def _known(at: dict[Any, Settings], asked: str, name: Callable[[Any], str]) -> dict[Any, Evaluation]:
    """The evaluations of these settings that are known; all of them once the button of `_offer` was pressed."""
    bar = st.empty()
    known = {which: cached.evaluation_known(one.model, state.data_of(one), one.setting) for which, one in at.items()}
    missing = [which for which, one in known.items() if one is None]
    if missing and state.kept(asked) == _wanted(at):
        for i, which in enumerate(missing, 1):
            stop = partial(state.keep, **{asked: None})
            work = Work(bar, f"{name(which)} ({i} of {len(missing)})", key=f"{asked}-{i}", on_stop=stop)
            with refusals():
                known[which] = cached.evaluation(at[which].model, state.data_of(at[which]), at[which].setting, work)
            work.done()
    return {which: one for which, one in known.items() if one is not None}


def _offer(text: str, label: str, at: dict[Any, Settings], asked: str) -> None:
    """What is not known yet, and the button that computes it."""
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        st.caption(text)
    with right:
        st.button(
            label, icon=":material/play_arrow:", key=f"compute-{asked}", width="stretch", on_click=state.keep, kwargs={asked: _wanted(at)}
        )


def _wanted(at: dict[Any, Settings]) -> tuple:
    return tuple((one.model, one.dataset_name, one.forecasts, one.setting) for one in at.values())


def _regions(settings: Settings, data: Dataset, found: Evaluation) -> None:
    drawn = settings.region
    left, right = st.columns(2, gap="large")
    with left:
        make = lambda: period_panels.box_panel(found, cells(data, found), settings.projection, drawn)  # noqa: E731
        figure = cached.derived(found, data, "box", (settings.projection, settings.box), make)
        widgets.plot(figure, key="box-map", on_box=_box_drawn)
        if drawn is None:
            st.caption("Drag over the map: the scores of that box stand beside those of the regions.")
        else:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"Your box: {drawn.place}.")
                st.button("Forget the box", on_click=state.choose, kwargs={"box": ""}, type="tertiary")
    with right, refusals(stop=False):
        widgets.plot(*cached.derived(found, data, "regions", settings.box, lambda: period_panels.region_panel(found, drawn)), key="regions")


def _box_drawn() -> None:
    """The rectangle on the paper as a region of the globe, kept as a setting."""
    box = state.answer("box-map")["box"]
    plane = map_panels.projection_of(state.current().projection)
    try:
        region = drawn_region(tuple(box["x"]), tuple(box["y"]), plane)
    except ValueError as problem:
        state.keep(problem=f"{widgets.capital(str(problem))}.")
        return
    state.choose(box=",".join(f"{edge:g}" for edge in (region.south, region.north, region.west, region.east)))


def _spectra(settings: Settings, data: Dataset, found: Evaluation) -> None:
    with refusals(stop=False):
        widgets.plot(*cached.derived(found, data, "spectra", 0, lambda: period_panels.spectrum_panel(found)), key="spectra")


def _coverage(settings: Settings, data: Dataset, found: Evaluation) -> None:
    widgets.plot(*cached.derived(found, data, "coverage", 0, lambda: panels.coverage_panel(found, 0)), key="coverage")


def _how(settings: Settings, data: Dataset, found: Evaluation) -> None:
    parts.how(data, found)
    st.download_button(
        "Scores as CSV",
        panels.score_rows(found).to_csv(index=False),
        f"scores-{found.model}-{found.dataset}.csv",
        "text/csv",
        icon=":material/download:",
    )
    if len(MODELS[settings.model].layer_groups) > 1 and not found.setting.is_plain:
        _layer_groups(settings, data)


def _layer_groups(settings: Settings, data: Dataset) -> None:
    """The scores with each named group of layers sampled, side by side at the present concentration."""
    model = MODELS[settings.model]
    st.subheader("Which layers are sampled")
    at = {glob: replace(settings, layers="" if glob == model.layers else glob) for glob in model.layer_groups.values()}
    titles = {glob: title for title, glob in model.layer_groups.items()}
    known = _known(at, "all-groups", titles.get)
    if len(known) < len(at):
        text = f"The scores with other layers sampled, at the same ν = {settings.nu:,.0f}, members and forecasts."
        _offer(text, "Compute the comparison", at, "all-groups")
        return
    by_group = {
        titles[glob]: (glob, cached.derived(one, data, "summary", 0, lambda one=one: panels.summary(one, 0))) for glob, one in known.items()
    }
    head, rows = period_panels.layer_rows(by_group, data.units)
    widgets.table(head, rows)
    st.caption(
        f"At ν = {settings.nu:,.0f}, on the test part; ranges hold 90% by blocks of starts. The more layers are sampled, the wider the "
        "ensemble at the same ν: each choice has a ν* of its own, so choose the layers in the sidebar and tune before you judge them."
    )


def cells(data: Dataset, found: Evaluation) -> period_panels.Cells:
    return cached.derived(found, data, "cells", 0, lambda: period_panels.cells_of(found))
