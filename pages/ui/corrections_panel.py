"""Corrections on the Tune page: every method and reference forecast on the same cases, the recommendation, and how to use it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.ui import cached, panel, state, widgets
from pages.ui.choices import Settings, correction_text
from pages.ui.work import Work, duration, refusals
from stochattn_core.compare import Comparison, Row, in_sentence
from stochattn_core.corrections import CORRECTIONS
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import headlines
from stochattn_core.metrics.significance import Estimate
from stochattn_core.panels import View, shown
from stochattn_core.panels.text import value_text
from stochattn_core.settings import Setting
from stochattn_core.tuning import Tuning

TUNINGS = 4  # a comparison takes about as long as this many tunings: each group of layers and the shared draws need one


def draw(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    st.subheader("Corrections and reference forecasts")
    comparison = cached.comparison_known(tuned)
    if comparison is None and state.remembered("comparing") != cached.key_after(tuned):
        _invitation(settings, data, tuned)
        return
    work = Work(st.empty(), "Comparing", key="compare", on_stop=lambda: state.remember(comparing=None), whole=True)
    with refusals(stop=False):
        comparison = cached.comparison(data, tuned, work)
    work.done()
    if comparison is None:
        state.remember(comparing=None)
        return
    _results(settings, data, tuned, comparison)


def exported_row(tuned: Tuning) -> Row | None:
    """Return the row of the comparison that the user chose to export; None for ν alone."""
    comparison, (which, name) = cached.comparison_known(tuned), state.remembered("exported") or (None, "")
    if comparison is None or which != cached.key_after(tuned):
        return None
    return next((row for row in comparison.rows if row.name == name and row.setting), None)


def setting_text(setting: Setting) -> str:
    """Return the setting of a row in words: its concentration, correction and layers."""
    parts = [f"ν = {setting.concentration:,}"]
    parts += [correction_text(setting.correction)] if setting.correction else []
    parts += [f"layers {setting.layers}"] if setting.layers else []
    return " · ".join(parts)


def _invitation(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    seconds = cached.tuning_seconds(settings.job(data))
    left, right = st.columns([3.4, 1], vertical_alignment="center", gap="medium")
    with left:
        st.markdown(
            "A correction can help where no ν calibrates the ensemble. Each correction is fitted and compared on the calibration part, case by case; "
            "its scores are from the test part. Reference forecasts need no sampling and are hard to beat on the CRPS of single values."
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
        last = f"; the longest tuning took {duration(seconds)} on this server" if seconds else ""
        st.caption(f"Takes about as long as {TUNINGS} tunings{last}. After a stop, the work that is done is kept.")
    with st.expander("What the corrections do"):
        st.markdown(
            "\n".join(f"- **{correction.title}.** {correction.description} Cost: {correction.cost}." for correction in CORRECTIONS.values())
        )


def _results(settings: Settings, data: Dataset, tuned: Tuning, comparison: Comparison) -> None:
    best = comparison.recommended
    widgets.verdict(
        "good" if best else "none",
        f"Recommended: {in_sentence(best.title)}" if best else "Nothing is recommended beside ν alone",
        comparison.sentence,
    )
    if best and best.setting is None:
        st.caption(
            "A reference forecast samples no attention and has no setting to export. `stochattn_core.baselines` fits it and gives its forecasts."
        )
    left, right = st.columns([1.7, 1], gap="large")
    with left:
        view = View(dataset=data, comparison=comparison)
        for gains in shown(view, "compare"):
            panel.draw(gains, view)
            panel.numbers_behind(gains, view)
    with right:
        _choice(settings, tuned, comparison)
    _table(data, comparison)


def _choice(settings: Settings, tuned: Tuning, comparison: Comparison) -> None:
    """One method of the comparison, and what to do with it."""
    rows = {row.name: (row, row.setting) for row in comparison.rows if row.setting}
    if not rows:
        return
    start = comparison.attention.name if comparison.attention and comparison.attention.setting else next(iter(rows))
    name = st.selectbox(
        "Method", list(rows), index=list(rows).index(start), format_func=lambda name: rows[name][0].title, key="correction-row"
    )
    row, setting = rows[name]
    st.caption(setting_text(setting))
    is_conformal = name == "conformal"
    if st.button(
        "Use it on Explore",
        icon=":material/tune:",
        width="stretch",
        key="use-correction",
        disabled=is_conformal,
        help="Conformal intervals leave the members as they are, so Explore would not change. The exported file holds how far each interval is moved."
        if is_conformal
        else None,
    ):  # no callback: with other layers or draws this page would start again, without the button, before it could switch
        state.choose(nu=float(setting.concentration), correction=setting.correction, layers=setting.layers or settings.layers)
        st.switch_page("pages/explore.py")
    st.button(
        "Export with this correction" if row.kind == "correction" else "Export ν alone",
        icon=":material/download:",
        width="stretch",
        key="export-correction",
        on_click=state.remember,
        kwargs={"exported": (cached.key_after(tuned), name) if row.kind == "correction" else None},
        help="The files under Export then hold this setting.",
    )
    exported = state.remembered("exported")
    if exported and exported[0] == cached.key_after(tuned) and exported[1] in rows:
        widgets.reading(f"The files under Export hold: {rows[exported[1]][0].title}.")


def _table(data: Dataset, comparison: Comparison) -> None:
    unit = f" ({units_text(comparison.units)})" if comparison.units else ""
    head = ["method", "setting", f"gain{unit}, 90% interval", *(score.short for score in headlines()), "passes"]
    widgets.table(head, [_cells(row) for row in comparison.rows if row.scores])
    st.caption(
        "All scores are from the test part. Gain: by how much the fair CRPS is lower than that of ν alone. Gain, fair CRPS, RMSE and width are in the "
        "units of the target. Passes: stochastic passes over the calibration part that fitting took. References put errors of the plain model on the "
        "calibration part around its answer; split conformal gives intervals only."
    )
    widgets.table(
        ["method", "attention's share", "spread and error, 90%", "coverage over ν alone, points", "CRPS over ν alone, %"],
        [_evidence(row) for row in comparison.rows if row.scores],
    )
    st.caption(
        "Attention's share: how much of the variance of the members attention supplies; the rest is noise that is the same in every case. Spread and "
        "error: correlation of the spread with the error of the plain model over cases, at each place by itself; a constant spread has none. The "
        "last two columns are the price of calibration: coverage of the central 90% gained, and fair CRPS paid, on the test part."
    )
    for row in comparison.rows:
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


def _evidence(row: Row) -> list[str]:
    association = "none" if row.association is None else _shown(row.association, "{:.2f}")
    price = ["–", "–"] if row.price is None else [_shown(change, "{:+.1f}", 100) for change in row.price]
    return [row.title, f"{row.attention_share:.0%}", association, *price]


def _shown(estimate: Estimate, form: str, scale: float = 1.0) -> str:
    if not np.isfinite(estimate.estimate):
        return "–"
    value, low, high = (form.format(scale * end) for end in estimate[:3])
    return f"{value} ({low} to {high})".replace("-", "−")
