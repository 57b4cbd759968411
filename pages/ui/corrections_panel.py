"""Corrections: every method and every reference on the same cases, what is worth taking, and the way to take it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.ui import cached, panel, state, widgets
from pages.ui.choices import Settings, correction_text
from pages.ui.work import Work, duration, refusals
from stochattn_core.compare import Comparison, Row
from stochattn_core.corrections import CORRECTIONS
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import headlines
from stochattn_core.panels import View, shown
from stochattn_core.panels.text import value_text
from stochattn_core.settings import Setting
from stochattn_core.tuning import Tuning

TUNINGS = 4  # a comparison takes about as long as so many: each group of layers and the shared draws are searched themselves


def draw(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    st.subheader("Corrections and references")
    found = cached.comparison_known(tuned)
    if found is None and state.remembered("comparing") != cached.key_after(tuned):
        _invitation(settings, data, tuned)
        return
    work = Work(st.empty(), "Comparing", key="compare", on_stop=lambda: state.remember(comparing=None), whole=True)
    with refusals(stop=False):
        found = cached.comparison(data, tuned, work)
    work.done()
    if found is None:
        state.remember(comparing=None)
        return
    _results(settings, data, tuned, found)


def row_taken(tuned: Tuning) -> Row | None:
    """The row whose file the user wants instead of that of ν alone."""
    found, (which, name) = cached.comparison_known(tuned), state.remembered("taken") or (None, "")
    if found is None or which != cached.key_after(tuned):
        return None
    return next((row for row in found.rows if row.name == name and row.setting), None)


def setting_text(setting: Setting) -> str:
    """The setting of a row in words: its concentration, its correction and its layers."""
    parts = [f"ν = {setting.concentration:,}"]
    parts += [correction_text(setting.correction)] if setting.correction else []
    parts += [f"layers {setting.layers}"] if setting.layers else []
    return " · ".join(parts)


def _invitation(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    seconds = cached.tuning_seconds(settings.job(data))
    left, right = st.columns([3.4, 1], vertical_alignment="center", gap="medium")
    with left:
        st.markdown(
            "Where ν alone does not calibrate a model, one more step may: each correction is one step away from the method, fitted on the calibration part "
            "and compared there, case by case. References that need no sampling stand beside them; they are hard to beat on the CRPS of single values."
        )
    with right:
        st.button(
            "Compare corrections",
            icon=":material/balance:",
            width="stretch",
            key="compare-corrections",
            on_click=state.remember,
            kwargs={"comparing": cached.key_after(tuned)},
        )
        last = f", the longest of which took {duration(seconds)} here" if seconds else ""
        st.caption(f"About as long as {TUNINGS} tunings{last}. What a stop leaves is kept.")
    with st.expander("What the corrections do"):
        st.markdown("\n".join(f"- **{one.title}.** {one.description} Cost: {one.cost}." for one in CORRECTIONS.values()))


def _results(settings: Settings, data: Dataset, tuned: Tuning, found: Comparison) -> None:
    best = found.recommended
    widgets.verdict(
        "good" if best else "none",
        f"Recommended: {best.title[:1].lower() + best.title[1:]}" if best else "No correction is recommended",
        found.sentence,
    )
    left, right = st.columns([1.7, 1], gap="large")
    with left:
        view = View(dataset=data, comparison=found)
        for gains in shown(view, "compare"):
            panel.draw(gains, view)
            panel.behind(gains, view)
    with right:
        _choice(settings, tuned, found)
    _table(data, found)


def _choice(settings: Settings, tuned: Tuning, found: Comparison) -> None:
    rows = {row.name: (row, row.setting) for row in found.rows if row.setting}
    if not rows:
        return
    start = found.recommended.name if found.recommended else next(iter(rows))
    name = st.selectbox(
        "Take one of them", list(rows), index=list(rows).index(start), format_func=lambda name: rows[name][0].title, key="correction-row"
    )
    row, setting = rows[name]
    st.caption(setting_text(setting))
    on_top = name == "conformal"
    if st.button(
        "Use it on Explore",
        icon=":material/tune:",
        width="stretch",
        key="use-correction",
        disabled=on_top,
        help="Its members are those of ν alone; the file holds how far the intervals are moved." if on_top else None,
    ):  # not by a callback: with other layers or draws this page would begin anew, without the button, before it could leave
        state.choose(nu=float(setting.concentration), correction=setting.correction, layers=setting.layers or settings.layers)
        st.switch_page("pages/explore.py")
    st.button(
        "Export with this correction" if row.kind == "correction" else "Export ν alone",
        icon=":material/download:",
        width="stretch",
        key="export-correction",
        on_click=state.remember,
        kwargs={"taken": (cached.key_after(tuned), name) if row.kind == "correction" else None},
        help="The files below are then those of this setting.",
    )
    taken = state.remembered("taken")
    if taken and taken[0] == cached.key_after(tuned) and taken[1] in rows:
        widgets.reading(f"The files below carry: {rows[taken[1]][0].title}.")


def _table(data: Dataset, found: Comparison) -> None:
    unit = f", {units_text(found.units)}" if found.units else ""
    head = [f"method{unit}", "setting", "gain (90%)", *(score.short for score in headlines()), "passes"]
    widgets.table(head, [_cells(row) for row in found.rows if row.scores])
    st.caption(
        "Fair CRPS, its gain over ν alone, RMSE and width in the units of the target; all of the test part. Passes are those over the calibration part that "
        "fitting took. References are forecasts with the calibration errors of the plain model about its answer; split conformal has intervals alone."
    )
    for row in found.rows:
        if row.problem:
            st.caption(f"{row.title} could not be fitted: {row.problem}.".replace("..", "."))


def _cells(row: Row) -> list[str]:
    gain = row.gain
    shown = f"{number(gain.estimate)} ({number(gain.low)} to {number(gain.high)})" if np.isfinite(gain.estimate) else "–"
    shown = shown.replace("-", "−")
    scores = row.scores or {}
    values = [value_text(score, scores.get(score.key, float("nan"))) for score in headlines()]
    setting = f"ν = {row.setting.concentration:,}" if row.setting else "reference"
    if row.setting and row.setting.correction:
        setting += f", {correction_text(row.setting.correction)}"
    return [row.title, setting, "0" if gain.low == gain.high == 0 else shown, *values, f"{row.passes:,}"]
