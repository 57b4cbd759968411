"""The controls of the tab Events: above or below a threshold, which is a number or a quantile of the climatology."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.ui import state
from pages.ui.choices import Settings
from stochattn_core.figures.theme import units_text
from stochattn_core.metrics.events import Event
from stochattn_core.panels import View

SIDE, KIND, LEVEL = "event-side", "event-kind", "event-level"
SIDES = {True: "above", False: "below"}


def draw(settings: Settings, view: View) -> View:
    """Draw the controls and return the view as it came: a change is a setting, with which the page runs again."""
    event, units = Event.parse(settings.event), units_text(view.dataset.units)
    kinds = {True: "a quantile of the climatology (%)", False: f"a value ({units})" if units else "a value"}
    shown = 100 * event.threshold if event.is_quantile else event.threshold
    for key, value in ((SIDE, event.is_above), (KIND, event.is_quantile), (LEVEL, shown)):
        state.preset(key, value)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            f"Event: {view.dataset.target_name} is",
            list(SIDES),
            format_func=SIDES.__getitem__,
            key=SIDE,
            on_change=_changed,
            width=220,
        )
        st.selectbox(
            "Threshold is",
            list(kinds),
            format_func=kinds.__getitem__,
            key=KIND,
            on_change=_kind_changed,
            args=(view,),
            width=260,
            help="The climatology is the training part. A quantile is a threshold of its own for each lead time or each cell of a map.",
        )
        limits = {"min_value": 0.1, "max_value": 99.9, "step": 1.0, "format": "%g"} if event.is_quantile else {"format": "%g"}
        st.number_input("Threshold", key=LEVEL, on_change=_changed, width=160, **limits)
    return view


def _changed() -> None:
    """Turn the widgets into a setting."""
    is_above, is_quantile, level = (state.answer(key) for key in (SIDE, KIND, LEVEL))
    state.choose(event=Event(level / 100 if is_quantile else level, is_above, is_quantile).text)


def _kind_changed(view: View) -> None:
    """Change between a quantile and a value, and begin with the same share of the climatology where it is known."""
    before, is_quantile = view.event, bool(state.answer(KIND))
    if before.is_quantile == is_quantile:
        return
    training = view.dataset.train.target.numpy()
    training = training[np.isfinite(training)]
    if is_quantile:
        level = min(max(round(float((training < before.threshold).mean()), 2), 0.01), 0.99)
    else:
        level = float(f"{np.quantile(training, before.threshold):.3g}")
    state.choose(event=Event(level, before.is_above, is_quantile).text)
