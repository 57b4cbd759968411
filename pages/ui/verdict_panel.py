"""The result on the Tune page: the verdict, the panels of the tuning, the evidence, and the scores before and after."""

from __future__ import annotations

import math

import streamlit as st

from pages.ui import panel, search, state, widgets
from pages.ui.choices import Settings
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number
from stochattn_core.metrics.scores import SCORES, Evidence, Score, headlines
from stochattn_core.metrics.scores.pit import SHAPE_LIMIT
from stochattn_core.metrics.scores.rule import LEAST_EFFECTIVE
from stochattn_core.metrics.significance import Estimate
from stochattn_core.panels import View, shown, tiles
from stochattn_core.panels.text import head_text, value_text
from stochattn_core.panels.tiles import Tile
from stochattn_core.tuning import OBJECTIVES, Tuning
from stochattn_core.verdict import words
from stochattn_core.verdict.departures import JOINT, UPPER
from stochattn_core.verdict.judge import NEARLY
from stochattn_core.verdict.quantities import QUANTITIES


def rule_text() -> str:
    """Return the rules of the verdict in the order in which they are applied."""
    limits = {key: quantity.limits for key, quantity in QUANTITIES.items()}
    over_slices = ", ".join(
        f"{quantity.title.lower()} {quantity.over_slices:.2g}" for quantity in QUANTITIES.values() if math.isfinite(quantity.over_slices)
    )
    return f"""
All tests use the test part. The ratio, the bias, the coverage, the mean and four shapes of the PIT are tested overall, and in every slice by
lead time, region, season, hour, forecast and predicted spread. The dependence of neighbouring cases is counted. A quantity **departs** where
it is beyond its limits, and from a perfect ensemble beyond chance, at {JOINT:.0%} for all tests together. The first rule that applies gives
the verdict:

1. Fewer than {LEAST_EFFECTIVE} independent cases: **{words.FEW}**.
2. The ratio departs from {limits["ratio"]}, or lies outside while the coverage, the spread of the PIT or the worst slice departs on the same side:
   **{words.NARROW}** or **{words.WIDE}**; where ν* is the smallest concentration and the spread too small, **{words.UNREACHED}**;
   where ν* is the largest and the spread too large, **{words.OVER}**.
3. The RMSE of the mean over that of the plain model departs from {limits["cost"]}: **{words.DRIFTED}**; with a ratio below its limits,
   **{words.NARROW}**.
4. The bias departs from {limits["bias"]} in units of the RMSE: **{words.BIASED}**.
5. The ratio or the coverage departs in a slice by the predicted spread: **{words.MISPLACED}**.
6. A shape of the PIT (place, spread, skewness, tails) departs: **{words.SHAPE}**.
7. The coverage departs from {limits["coverage_90"]}: **{words.NARROW}** or **{words.WIDE}**.
8. Any other slice departs: **{words.ON_AVERAGE}**, with the slice of the strongest evidence. Where ratio, bias or coverage of the whole lie
   outside their limits, the word is that of the quantity that departs in the slice.
9. Every 90% interval lies within its limits, the distance of the PIT from uniform is at most {SHAPE_LIMIT:g}, and the root-mean-square
   departure over the slices of each kind is at most its limit ({over_slices}), both at {UPPER:.0%}: **{words.CALIBRATED}**.
10. Every interval lies within {NEARLY:g} times the limits: **{words.NEARLY}**. Otherwise: **{words.FEW}**, with the number that is missing.
"""


EXPLANATIONS = (
    "The concentration at which the objective is least, with the range of optima that the calibration cases allow, at this level.",
    "The concentration of the ensemble: a whole number of draws per attention row. Fewer draws give a wider ensemble.",
    "The quantity whose minimum over ν is sought on the calibration part.",
    "How many stochastic passes over the calibration part the search took.",
)


def conclusion(settings: Settings, tuned: Tuning) -> None:
    """Draw the verdict, its reason, what to do next, and ν* with its interval."""
    over = tiles.conclusion(tuned.judged, tuned.after.best_reference)
    text, buttons = st.columns([5, 1.25], vertical_alignment="center", gap="medium")
    with text:
        widgets.verdict(over.grade, over.heading, over.sentence, then=over.then)
    with buttons:
        if st.button(
            "Use it on Explore",
            type="primary",
            icon=":material/tune:",
            width="stretch",
            key="use-tuned",
            on_click=state.choose,
            kwargs={"nu": float(tuned.concentration), "correction": tuned.setting.correction},
        ):
            st.switch_page("pages/explore.py")
        with st.popover("Tune again", icon=":material/replay:", width="stretch", key=f"tune-again-{search.n_search()}"):
            search.controls(settings, "Search")
    level, low, high = tuned.interval
    widgets.strip(
        [
            Tile(
                "Optimum ν*",
                number(tuned.optimum),
                beside=f"{level:.0%} interval {number(low)} to {number(high)}{_behind(tuned)}",
                explanation=EXPLANATIONS[0],
            ),
            Tile("Used", f"ν = {tuned.concentration:,}", beside=tuned.used_because, explanation=EXPLANATIONS[1]),
            Tile(
                "Objective",
                widgets.capital(OBJECTIVES[tuned.objective].title),
                beside="single passes" if tuned.thompson else "grid search",
                explanation=EXPLANATIONS[2],
            ),
            Tile("Passes", f"{tuned.passes:,}", beside="over the calibration part", explanation=EXPLANATIONS[3]),
        ]
    )


def _behind(tuned: Tuning) -> str:
    return f", {tuned.n_effective:,.0f} independent cases" if math.isfinite(tuned.n_effective) else ""


def panels(tuned: Tuning, data: Dataset) -> None:
    """Draw the panels of the tuning: one column for each group, one tab for each panel of a group."""
    view = View(dataset=data, tuning=tuned)
    groups: dict[str, list[str]] = {}
    by_key = {entry.key: entry for entry in shown(view, "tune")}
    for key, entry in by_key.items():
        groups.setdefault(entry.tab, []).append(key)
    for column, keys in zip(st.columns(max(len(groups), 1), gap="large"), groups.values(), strict=True):
        with column:
            for key, tab in zip(keys, st.tabs([by_key[key].title for key in keys]), strict=True):
                with tab:
                    panel.draw(by_key[key], view)
                    panel.numbers_behind(by_key[key], view)
    with st.expander("What each objective measures"):
        st.markdown("\n".join(f"- **{objective.title}.** {objective.description}" for objective in OBJECTIVES.values()))


def evidence(tuned: Tuning, data: Dataset) -> None:
    """Draw every test of the verdict beside its rule."""
    judged = tuned.judged
    st.subheader("Evidence for the verdict")
    rows = []
    for name, test in judged.evidence.items():
        limits, _, title = test.rule.partition(": ")
        is_bound = limits.startswith("at most")
        values = [_value(value, name) for value in test[:3]]
        interval = f"up to {values[2]}" if is_bound else f"{values[1]} to {values[2]}"
        word = _result(name, test)
        rows.append([widgets.capital(title), values[0], interval, limits, word])
    widgets.table(["test, on the test part", "estimate", f"{judged.level:.0%} interval", "limits", "result"], rows)
    st.caption(
        f"The intervals rest on about {judged.n_effective:,.0f} independent cases."
        if math.isfinite(judged.n_effective)
        else "There are too few cases for intervals."
    )
    if tuned.held_out:
        st.markdown("**On cases that did not judge.** One half of the test part judges, and the other half reports.")
        halves = zip(("first half", "second half"), tuned.held_out, strict=True)
        rows = [[name, half.word, f"{half.n_case:,}", _share(half.coverage), _ratio(half.ratio)] for name, half in halves]
        widgets.table(["judged by the", "verdict", "other cases", "their coverage of the central 90%", "their ratio"], rows)
    with st.expander("The rules of the verdict, in order"):
        st.markdown(rule_text())


def _share(found: Estimate) -> str:
    return f"{found.estimate:.0%} ({found.low:.0%} to {found.high:.0%})" if math.isfinite(found.low) else "–"


def _ratio(found: Estimate) -> str:
    return f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})" if math.isfinite(found.low) else "–"


def _result(name: str, test: Evidence) -> str:
    """Return what a test says: it departs, it is within its limits, or neither can be told."""
    if not math.isfinite(test.estimate):
        return "not defined"
    if test.departs:
        return "○ departs"
    quantity = QUANTITIES.get(name)
    if quantity is None:
        limit = float(test.rule.split()[2].rstrip(":"))
        return "● within" if test.high <= limit else "◐ not shown to be within"
    low, high = (quantity.shown(end) for end in (quantity.low, quantity.high))
    return "● within" if low <= test.low and test.high <= high else "◐ not shown to be within"


def _value(value: float, name: str) -> str:
    if not math.isfinite(value):
        return "–"
    text = f"{value:.1%}" if name.startswith("coverage") else f"{value:.{3 if abs(value) < 0.1 else 2}f}"
    return text.replace("-", "−")


def scores_before_and_after(tuned: Tuning, data: Dataset) -> None:
    """Draw the headline scores on the test part, of the plain model and of the tuned ensemble."""
    st.subheader("Scores before and after tuning, on the test part")
    before, after = tuned.before.scores, tuned.after.scores
    rows = [
        [head_text(score, data.units), value_text(score, _plain_value(score, before, after)), value_text(score, after[score.key])]
        for score in headlines()
    ]
    widgets.table(["score", "plain model", f"ν* = {tuned.concentration:,}, M = {after['n_member']}"], rows)
    st.caption(
        "The plain model gives one value, so its CRPS is its mean absolute error and it has no intervals. RMSE, CRPS and width are in the units of the "
        "target; smaller is better. The ratio should be 1, and coverage should equal the level of the interval."
    )


def _plain_value(score: Score, before: dict[str, float | int], after: dict[str, float | int]) -> float:
    """Return the score of the plain model; NaN if a single answer has no such score."""
    if score.reference in SCORES and SCORES[score.reference].unit == score.unit:
        return float(after[score.reference])
    if score.unit == "percent" or score.key.startswith("width"):
        return math.nan
    return float(before[score.key])
