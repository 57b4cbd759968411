"""The parts of the Tune page: what will be done, the verdict, the curves over nu, the scores before and after."""

from __future__ import annotations

import math

import streamlit as st

from pages.ui import look, state
from pages.ui.choices import Settings
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.curve import objective_curve, ratio_curve
from stochattn_core.figures.reading import read_objective, read_ratio_curve
from stochattn_core.figures.theme import number, units_text
from stochattn_core.models import MODELS
from stochattn_core.tuning import Tuning

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
STEPS = (
    (
        "The curve",
        "The objective over ν, from 1 to 4,096: where its valley lies, how sharp it is, and whether it lies inside the range at all.",
    ),
    (
        "The verdict",
        "ν* with its interval, and whether the ensemble is calibrated on the test part, which tuning never saw. It can fail, and says so.",
    ),
    ("The file", "tuned.json with ν*, where it came from and its scores; the lines of Python that apply it; the scores as CSV."),
)


def heading(settings: Settings, data: Dataset) -> None:
    look.title(
        f"Tune {MODELS[settings.model].title} on {data.title}",
        f"ν is sought on the calibration part ({len(data.calibration):,} cases) · every result is from the test part ({len(data.test):,} cases) · "
        f"M = {settings.members} members",
    )


def wanted(settings: Settings, tuned: Tuning | None) -> bool:
    return tuned is not None or state.kept("tuning") == _same(settings)


def invitation(settings: Settings, data: Dataset) -> None:
    """What a click will do, and the button."""
    if state.kept("tuning-stopped"):
        st.info("Stopped. What was computed until then is kept, so the next start goes on from there.")
    left, right = st.columns([1.5, 1], gap="large", vertical_alignment="center")
    with left:
        st.markdown(
            "One stochastic pass strays from the plain answer by **d**; the plain answer errs by **d₀**. Both are pooled over the whole "
            "calibration part. Tuning finds the ν at which they are equal: too small a ν and the ensemble claims more doubt than it has, too "
            "large and it is sure of what it gets wrong. Passes at values of ν about the crossing "
            "trace the curve; a power law through it gives **ν\\*** with a 90% interval."
        )
    with right:
        st.button(
            "Start tuning", type="primary", icon=":material/target:", width="stretch", on_click=start, args=(settings,), key="start-tuning"
        )
    look.steps(STEPS)


def stopped() -> None:
    state.keep(**{"tuning": None, "tuning-stopped": True})


def finished() -> None:
    state.keep(**{"tuning-stopped": None})


def verdict(tuned: Tuning) -> None:
    level, low, high = tuned.interval
    grade = GRADES.get(tuned.verdict, "bad")
    head = f"ν* = {tuned.concentration:,}, {level:.0%} interval {number(low)} to {number(high)}: {tuned.verdict}"
    if tuned.at_bound:
        head += " (the search ended at its bound)"
    text, button = st.columns([5, 1.2], vertical_alignment="center", gap="medium")
    with text:
        look.verdict(grade, head, tuned.sentence[0].upper() + tuned.sentence[1:])
    with button:
        if st.button(
            "Use it on Explore",
            type="primary",
            icon=":material/tune:",
            width="stretch",
            on_click=state.choose,
            kwargs={"nu": float(tuned.concentration)},
        ):
            st.switch_page("pages/explore.py")


def curves(tuned: Tuning, data: Dataset) -> None:
    size = {"subtitle": f"M = {tuned.deviation.shape[1]} passes · N = {len(data.calibration):,} calibration cases"}
    mark = {"concentration": tuned.concentration, "interval": tuned.interval[1:]}
    left, right = st.columns(2, gap="large")
    with left:
        look.plot(
            objective_curve(tuned.grid, tuned.curves[tuned.objective], **mark, **size),
            read_objective(tuned.error, tuned.slope, tuned.at_bound),
            key="objective",
        )
    with right:
        look.plot(ratio_curve(tuned.grid, tuned.ratio, **mark, **size), read_ratio_curve(tuned.grid, tuned.ratio), key="ratio")


def before_after(tuned: Tuning, data: Dataset) -> None:
    """The scores on the test part, the plain model's beside the tuned ensemble's."""
    st.subheader("On the test part, which tuning never saw")
    before, after = tuned.before.scores, tuned.after.scores
    plain = {"spread_skill_ratio": 0.0, "rmse": after["rmse_plain"], "crps_fair": after["mae_plain"], "w1": before["w1"]}
    rows = [[name, _cell(plain.get(key, math.nan), key), _cell(after[key], key)] for key, name in ROWS]
    unit = f", {units_text(data.units)}" if data.units else ""
    look.table([f"score{unit}", "plain model", f"ν* = {tuned.concentration:,}, M = {after['n_member']}"], rows)
    st.caption(
        "The plain model has no spread: its CRPS is its mean absolute error, and it has no intervals. RMSE, CRPS and width are in the units of the "
        f"target, smaller is better; the ratio should be 1, coverage what it says. {tuned.passes:,} passes over the calibration part were run."
    )


def _cell(value: float, key: str) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:.1%}" if key.startswith("coverage") else number(value)


def _same(settings: Settings) -> tuple:
    return (settings.model, settings.dataset_name, settings.forecasts, settings.members, settings.seed, settings.layers)


def start(settings: Settings) -> None:
    state.keep(**{"tuning": _same(settings), "tuning-stopped": None})
