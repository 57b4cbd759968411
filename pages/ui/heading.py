"""The head of the Explore page: title, link and tiles."""

from __future__ import annotations

import math

import streamlit as st

from pages.ui import state, widgets
from pages.ui.choices import Settings, correction_text
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import units_text
from stochattn_core.models import MODELS
from stochattn_core.panels import View
from stochattn_core.panels.map_text import variable_title
from stochattn_core.panels.text import lead_text, period_text
from stochattn_core.panels.tiles import headline, score_tiles


def draw(settings: Settings, data: Dataset) -> None:
    """Draw the title in words (model, dataset, variable, lead time, members, cases, period), and the link that opens the same view."""
    left, right = st.columns([5, 1], vertical_alignment="center")
    nu = "plain model" if math.isinf(settings.nu) else f"ν = {settings.nu:,.0f}"
    name = variable_title(data)
    quantity = f"{name} in {units_text(data.units)}" if data.units else name
    parts = [quantity, lead_text(settings.lead, data)] if data.lead_time else [quantity]
    parts += [f"M = {settings.members} members", f"N = {len(data.test):,} test cases", period(data), nu]
    parts += [correction_text(settings.correction)] if settings.correction and not math.isinf(settings.nu) else []
    with left:
        widgets.title(f"{MODELS[settings.model].title} on {data.title}", " · ".join(parts))
    with right, st.popover("Share", icon=":material/ios_share:", width="stretch"):
        if settings.dataset in state.own():
            st.caption("This link works in this session only, because your file is not part of it.")
        else:
            st.caption("This link opens the same page with the same numbers.")
        st.code(state.permalink(), language=None, wrap_lines=True)


def period(data: Dataset) -> str:
    """Return the period of the test part; for a table that is split at random, the words for its rows."""
    return " to ".join(period_text(data.test, data) or ("held-out rows",))


def tiles(view: View) -> None:
    """Draw the sentence over the tiles, and the tiles."""
    over = headline(view.verdict, view.summary, view.reference)
    widgets.verdict(over.grade, over.heading, over.sentence, then=over.then)
    widgets.strip(score_tiles(view.summary, view.dataset.units, view.reference))
