"""The verdict and what it rests on: the word first, then the curves, the intervals, the evidence, the scores before and after."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from pages.ui import search, state, widgets
from pages.ui.choices import Settings
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures import reading_tuning
from stochattn_core.figures.curve import ratio_curve
from stochattn_core.figures.objectives import ROLES, Span, objective_curves, optima
from stochattn_core.figures.reading import read_ratio_curve
from stochattn_core.figures.single_passes import single_passes
from stochattn_core.figures.theme import number, units_text
from stochattn_core.tuning import OBJECTIVES, Tuning, verdict
from stochattn_core.tuning.thompson import REACH

GRADES = {"calibrated": "good", "too few cases to tell": "doubtful"}  # every other verdict is bad news, said in its own words
ROWS = (
    ("spread_skill_ratio", "spread-skill ratio"),
    ("rmse", "RMSE of the mean"),
    ("crps_fair", "fair CRPS"),
    ("w1", "PIT distance W1"),
    ("coverage_50", "coverage of 50%"),
    ("coverage_90", "coverage of 90%"),
    ("width_90", "mean width of 90%"),
)
TESTS = {
    "ratio": "spread-skill ratio",
    "cost": "cost of the mean",
    "coverage_90": "coverage of 90%",
    "association": "spread goes with error",
    "w1_excess": "W1 beyond chance",
    "bias": "mean error over RMSE",
}
SHORT = {"pooled": "pooled", "per-sample": "per-sample", "averaged": "averaged", "ratio": "ratio", "crps": "fair CRPS", "w1": "W1"}
RULE = f"""
The tests are made on the test part, each with an interval from its blocks of cases drawn again, widened so that all hold together at
{verdict.LEVEL:.0%}. The first line that applies is the verdict:

1. Fewer than {verdict.LEAST_BLOCKS} independent blocks: **{verdict.FEW}**.
2. ν* at the smallest concentration, and the ratio below {verdict.RATIO[0]} with an interval below 1: **{verdict.UNDER}**. At the largest and too
   wide: **{verdict.OVER}**.
3. The mean errs over {verdict.COST - 1:.0%} more than the plain model, beyond chance: **{verdict.DRIFTED}**.
4. The mean error over {verdict.BIAS} of the RMSE, beyond chance: **{verdict.MISSED}**, too high or too low throughout.
5. W1 over {verdict.W1_EXCESS} beyond chance, a spread that varies from case to case and says nothing about the error, and the amount not to blame
   (the ratio is right, or the coverage contradicts it): **{verdict.MISPLACED}**.
6. The ratio outside {verdict.RATIO[0]} to {verdict.RATIO[1]} and its interval without 1: **{verdict.MISSED}**.
7. The coverage outside {verdict.COVERAGE[0]:.0%} to {verdict.COVERAGE[1]:.0%} and its interval without 90%: **{verdict.MISSED}**.
8. Ratio and coverage inside, and the interval of the ratio within {verdict.RATIO_SURE[0]:.2f} to {verdict.RATIO_SURE[1]:.2f}:
   **{verdict.CALIBRATED}**. Else: **{verdict.FEW}**.
"""


def conclusion(settings: Settings, tuned: Tuning) -> None:
    """The word, the sentence, what to do next, and ν* with its interval."""
    finding, judged = tuned.judged.finding, tuned.judged
    text, buttons = st.columns([5, 1.25], vertical_alignment="center", gap="medium")
    with text:
        widgets.verdict(
            GRADES.get(judged.word, "bad"), widgets.capital(judged.word), f"{widgets.capital(finding)}.", then=f"Next: {judged.next}."
        )
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
            widgets.Tile("Concentration ν*", f"{tuned.concentration:,}", beside=f"optimum {number(tuned.optimum)}, before rounding"),
            widgets.Tile(f"{level:.0%} interval", f"{number(low)} to {number(high)}", beside=_bound(tuned)),
            widgets.Tile("Objective", widgets.capital(SHORT[tuned.objective]), beside="single passes" if tuned.thompson else "grid search"),
            widgets.Tile("Passes spent", f"{tuned.passes:,}", beside="over the calibration part"),
        ]
    )


def _bound(tuned: Tuning) -> str:
    if tuned.at_bound:
        return "the search ended at its bound"
    return "the wider of two" if len(tuned.intervals) > 1 else "cases drawn again"


def curves(tuned: Tuning, data: Dataset) -> None:
    """Every objective over ν, its bias where it has one; the ratio and the single passes a tab away."""
    titles = {name: one.title for name, one in OBJECTIVES.items()}
    optimum = {titles[name]: one.value for name, one in tuned.optima.items()}
    size = f"M = {tuned.deviation.shape[1]} passes at each of {len(tuned.grid)} points · N = {len(data.calibration):,} calibration cases"
    names = ["Objectives", "Spread-skill ratio"] + (["Single passes"] if tuned.thompson else [])
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["Objectives"]:
        figure = objective_curves(
            tuned.grid,
            {titles[name]: cost for name, cost in tuned.curves.items()},
            optimum,
            chosen=titles[tuned.objective],
            subtitle=size,
        )
        said = reading_tuning.read_objectives(optimum, titles[tuned.objective], tuned.at_bound)
        bias = reading_tuning.read_bias(tuned.optima["per-sample"].value, tuned.grid, tuned.ratio)
        widgets.plot(figure, f"{said} {bias}", key="objectives")
        with st.expander("What each objective asks for"):
            st.markdown("\n".join(f"- **{one.title}.** {one.description}" for one in OBJECTIVES.values()))
    with tabs["Spread-skill ratio"]:
        mark = {"concentration": tuned.concentration, "interval": tuned.interval[1:]}
        widgets.plot(ratio_curve(tuned.grid, tuned.ratio, **mark, subtitle=size), read_ratio_curve(tuned.grid, tuned.ratio), key="ratio")
    if tuned.thompson:
        with tabs["Single passes"]:
            _single_passes(tuned, data)


def _single_passes(tuned: Tuning, data: Dataset) -> None:
    found, units = tuned.thompson, units_text(data.units)
    near = np.abs(np.log(found.concentration / found.optimum)) <= math.log(REACH)
    line = np.where(near, np.exp(found.line.intercept + found.line.slope * np.log(found.concentration)), np.nan)
    widgets.plot(
        single_passes(
            found.concentration,
            found.deviation,
            line,
            error=tuned.error,
            optimum=found.optimum,
            subtitle=f"{len(found.concentration)} passes · N = {len(data.calibration):,} calibration cases",
            units=units,
        ),
        reading_tuning.read_single_passes(len(found.concentration), found.line.slope, found.line.noise, found.converged),
        key="single-passes",
    )


def intervals(tuned: Tuning, data: Dataset) -> None:
    """ν* with the intervals of the chosen objective, thick, over those of the others."""
    role = dict(zip(OBJECTIVES, ROLES, strict=True))
    spans = [
        Span(widgets.capital(name), tuned.optimum, min(low, tuned.optimum), max(high, tuned.optimum), role[tuned.objective], strong=True)
        for name, (low, high) in tuned.intervals.items()
    ]
    spans += [
        Span(f"{SHORT[name]} (grid)" if name == tuned.objective else SHORT[name], one.value, one.low, one.high, role[name])
        for name, one in tuned.optima.items()
        if name != tuned.objective or tuned.thompson
    ]
    figure = optima(
        spans,
        tuned.grid,
        concentration=tuned.concentration,
        subtitle=f"{tuned.interval[0]:.0%} · thick: {OBJECTIVES[tuned.objective].title} · dotted: ν* = {tuned.concentration:,}",
        height=400,
    )
    shown, numbers = st.tabs(["Intervals", "In numbers"])
    with shown:
        widgets.plot(figure, reading_tuning.read_optima(tuned.intervals), key="optima")
    with numbers:
        rows = [[span.name, number(span.value), f"{number(span.low)} to {number(span.high)}"] for span in spans]
        widgets.table(["objective", "optimum", f"{tuned.interval[0]:.0%} interval"], rows)
        st.caption(
            f"The first {'two are' if len(tuned.intervals) > 1 else 'is'} of the chosen objective, {OBJECTIVES[tuned.objective].title}; the wider is exported."
        )


def evidence(tuned: Tuning, data: Dataset) -> None:
    """Every test of the verdict beside what it was held against."""
    judged = tuned.judged
    st.subheader("What the verdict rests on")
    rows = [
        [TESTS[name], _value(one.estimate, name), f"{_value(one.low, name)} to {_value(one.high, name)}", one.rule.split(":")[0]]
        for name, one in judged.evidence.items()
    ]
    widgets.table(["test, on the test part", "estimate", f"{judged.level:.0%} interval", "held against"], rows)
    with st.expander("The rule, in the order in which it is applied"):
        st.markdown(RULE)


def _value(value: float, name: str) -> str:
    if not math.isfinite(value):
        return "–"
    text = f"{value:.1%}" if name.startswith("coverage") else f"{value:.{3 if abs(value) < 0.1 else 2}f}"
    return text.replace("-", "−")


def before_after(tuned: Tuning, data: Dataset) -> None:
    """The scores on the test part, the plain model's beside the tuned ensemble's."""
    st.subheader("Before and after, on the test part")
    before, after = tuned.before.scores, tuned.after.scores
    plain = {"spread_skill_ratio": 0.0, "rmse": after["rmse_plain"], "crps_fair": after["mae_plain"], "w1": before["w1"]}
    rows = [[name, cell(plain.get(key, math.nan), key), cell(after[key], key)] for key, name in ROWS]
    unit = f", {units_text(data.units)}" if data.units else ""
    widgets.table([f"score{unit}", "plain model", f"ν* = {tuned.concentration:,}, M = {after['n_member']}"], rows)
    st.caption(
        "The plain model has no spread: its CRPS is its mean absolute error, and it has no intervals. RMSE, CRPS and width are in the units of the "
        "target, smaller is better; the ratio should be 1, coverage what it says."
    )


def cell(value: float, key: str) -> str:
    """A score in a table."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.1%}" if key.startswith("coverage") else number(value)
