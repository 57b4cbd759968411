"""The beginning of every page: its style, its settings, and the sidebar that changes them."""

from __future__ import annotations

import streamlit as st

from pages.ui import state, streamlit_private, widgets
from pages.ui.choices import FORECASTS, MEMBERS, TASKS, Settings, correction_text, models, titled
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.models import MODELS
from stochattn_core.panels.text import lead_text

FITS = 31  # characters of a title that its box shows
OWN_LAYERS = "own"  # the last option of the layers: a pattern that the user types


def begin(page: str) -> Settings:
    """Begin a page: style, settings from widgets or URL, sidebar, and one sentence if the URL cannot be used. Return the settings."""
    _route()
    widgets.style()
    settings = state.resolved(page)
    with st.sidebar:
        _draw(settings)
    state.write_url(settings)
    if state.remembered("problem"):
        st.warning(state.remembered("problem"), icon=":material/info:")
    return settings


def _route() -> None:
    """Run app.py first: a fresh server whose first request is for a page lists the files of pages/ by itself and never runs it."""
    if streamlit_private.ignore_pages_folder():
        st.rerun()


def _draw(settings: Settings) -> None:
    st.segmented_control("Task", list(TASKS), format_func=TASKS.__getitem__, key="task", required=True, width="stretch")
    names = models(settings.task)
    st.selectbox("Model", list(names), format_func=lambda name: titled(names[name].title, names[name].need), key="model")
    titles = state.datasets(settings.task)
    st.selectbox("Dataset", list(titles), format_func=titles.__getitem__, key="dataset")
    if len(titles[settings.dataset]) > FITS:
        st.caption(titles[settings.dataset])
    if settings.variable:
        st.selectbox("Variable", planet.VARIABLES, format_func=lambda name: widgets.capital(planet.variable_title(name)), key="variable")
    data = _loaded(settings.dataset_name)
    if settings.variable:
        st.selectbox("Lead time", planet.LEAD_TIMES, format_func=lambda lead: f"{lead} h", key="lead")
    elif data is not None and len(data.lead_time) > 1:
        st.selectbox("Lead time", [0, *data.lead_time], format_func=lambda lead: lead_text(lead, data), key="lead")
    st.segmented_control("Members", MEMBERS, key="members", required=True, width="stretch", help="Number of forecasts in the ensemble, M.")
    if settings.task == "grid":
        st.segmented_control(
            "Forecasts",
            list(FORECASTS),
            format_func=FORECASTS.__getitem__,
            key="forecasts",
            required=True,
            width="stretch",
            help="Number of init times of the test part that are forecast, evenly spaced. More of them take longer and make the scores more certain.",
        )
    with st.expander("Layers and seed"):
        _layers(settings)
        st.number_input("Seed", 0, 2**31 - 1, key="seed", help="The same seed gives the same members.")
    if settings.correction:
        with st.container(horizontal=True, vertical_alignment="center", key="corrected"):
            st.caption(f"Correction: {correction_text(settings.correction)}")
            st.button(
                "Remove",
                icon=":material/close:",
                type="tertiary",
                key="remove-correction",
                on_click=state.choose,
                kwargs={"correction": ""},
            )
    st.toggle(
        "Compute other ν in advance",
        key="prefetch",
        help="The other concentrations of the slider are computed while you look, the nearest first. This pauses while a page computes.",
    )


def _layers(settings: Settings) -> None:
    """Ask for a named group of the model's attention layers, or for a pattern."""
    model = MODELS[settings.model]
    titles = {
        "" if glob == model.layers else glob: f"{name} (default)" if glob == model.layers else name
        for name, glob in model.layer_groups.items()
    }
    chosen = "" if settings.layers == model.layers else settings.layers
    is_own = chosen not in titles or state.remembered("own-layers") == settings.model
    state.preset("layer-group", OWN_LAYERS if is_own else chosen)
    st.selectbox(
        "Sampled layers",
        [*titles, OWN_LAYERS],
        format_func=lambda glob: titles.get(glob, "Custom pattern"),
        key="layer-group",
        on_change=_choose_layers,
        help="The attention layers whose rows are replaced by random draws; the other layers stay as they are.",
    )
    if is_own:
        st.text_input(
            "Pattern",
            key="layers",
            placeholder=model.layers,
            help="Pattern over the names of the attention layers; * stands for any part of a name. The tab “How it was computed” on Explore lists the names.",
        )


def _choose_layers() -> None:
    glob = state.answer("layer-group")
    state.remember(**{"own-layers": state.current().model if glob == OWN_LAYERS else None})
    if glob != OWN_LAYERS:
        state.choose(layers=glob)


def _loaded(name: str) -> Dataset | None:
    """Return the dataset, or None if it cannot be loaded; the page then says why, and another can be chosen here."""
    try:
        return state.dataset(name)
    except ValueError:
        return None
