"""The result on the Tune page: the verdict, the panels of the tuning, the evidence, and the scores before and after."""

from __future__ import annotations

import math

import streamlit as st

from pages.ui import panel, search, state, widgets
from pages.ui.choices import Settings
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number
from stochattn_core.metrics.scores import SCORES, Score, headlines, rules
from stochattn_core.panels import View, shown
from stochattn_core.panels.text import head_text, value_text
from stochattn_core.panels.tiles import Tile
from stochattn_core.tuning import OBJECTIVES, Tuning, verdict


def rule_text(n_member: int) -> str:
    """Return the rules of the verdict in the order in which they are applied, for an ensemble of so many members."""
    ratio, cost, coverage, w1, bias = (rules(n_member)[key] for key in ("spread_skill_ratio", "rmse", "coverage_90", "w1", "bias"))
    sure = ratio.sure or (0.0, math.inf)
    return f"""
All tests use the test part. Each interval is a bootstrap over blocks of cases, widened so that all intervals hold together at
{verdict.LEVEL:.0%}. The first rule that applies gives the verdict:

1. There are fewer than {verdict.LEAST_BLOCKS} independent blocks: **{verdict.FEW}**.
2. ν* is the smallest concentration, and the ratio is below {ratio.low:g} with an interval below 1: **{verdict.UNDER}**. ν* is the largest
   concentration, and the ensemble is too wide: **{verdict.OVER}**.
3. The RMSE of the ensemble mean is more than {cost.high - 1:.0%} above that of the plain model, beyond chance: **{verdict.DRIFTED}**.
4. The bias is more than {bias.high:g} of the RMSE, beyond chance: **{verdict.MISSED}**, too high or too low throughout.
5. W1 is above {w1.high:g} beyond chance, the spread varies between cases but shows no relation to the error, and the amount of spread is
   not the reason (the ratio is right, or the coverage contradicts it): **{verdict.MISPLACED}**.
6. The ratio is outside {ratio.limits}, and its interval excludes 1: **{verdict.MISSED}**.
7. The coverage is outside {coverage.limits}, and its interval excludes {coverage.ideal:.0%}: **{verdict.MISSED}**.
8. Ratio and coverage are inside, and the interval of the ratio lies within {sure[0]:.2f} to {sure[1]:.2f}: **{verdict.CALIBRATED}**.
   Otherwise: **{verdict.FEW}**.
"""


EXPLANATIONS = (
    "The tuned concentration, a whole number of draws per attention row. Fewer draws give a wider ensemble.",
    "The range of optima that the calibration cases allow, at this level.",
    "The quantity whose minimum over ν is sought on the calibration part.",
    "How many stochastic passes over the calibration part the search took.",
)


def conclusion(settings: Settings, tuned: Tuning) -> None:
    """Draw the verdict, its reason, what to do next, and ν* with its interval."""
    finding, judged = tuned.judged.finding, tuned.judged
    text, buttons = st.columns([5, 1.25], vertical_alignment="center", gap="medium")
    with text:
        widgets.verdict(judged.grade, widgets.capital(judged.word), f"{widgets.capital(finding)}.", then=f"Next: {judged.next}.")
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
    best = tuned.after.best_reference
    if best and best.loses:
        widgets.reading(best.sentence)
    level, low, high = tuned.interval
    widgets.strip(
        [
            Tile(
                "Concentration ν*",
                f"{tuned.concentration:,}",
                beside=f"optimum {number(tuned.optimum)}, before rounding",
                explanation=EXPLANATIONS[0],
            ),
            Tile(f"{level:.0%} interval", f"{number(low)} to {number(high)}", beside=_interval_text(tuned), explanation=EXPLANATIONS[1]),
            Tile(
                "Objective",
                widgets.capital(OBJECTIVES[tuned.objective].title),
                beside="single passes" if tuned.thompson else "grid search",
                explanation=EXPLANATIONS[2],
            ),
            Tile("Passes", f"{tuned.passes:,}", beside="over the calibration part", explanation=EXPLANATIONS[3]),
        ]
    )


def _interval_text(tuned: Tuning) -> str:
    if tuned.at_bound:
        return "ν* is at the end of the range"
    return "the wider of two intervals" if len(tuned.intervals) > 1 else "bootstrap over cases"


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
    judged, titles = tuned.judged, verdict.titles_by_test()
    rules_by_test = verdict.rules_by_test(tuned.setting.n_member)
    st.subheader("Evidence for the verdict")
    rows = []
    for name, test in judged.evidence.items():
        judgement = rules_by_test[name].judge(test)
        values = [_value(value, name) for value in test[:3]]
        word = f"{judgement.mark} {judgement.word}"
        rows.append([widgets.capital(titles[name]), values[0], f"{values[1]} to {values[2]}", test.rule.split(":")[0], word])
    widgets.table(["test, on the test part", "estimate", f"{judged.level:.0%} interval", "limits", "result"], rows)
    with st.expander("The rules of the verdict, in order"):
        st.markdown(rule_text(tuned.setting.n_member))


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
