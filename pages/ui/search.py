"""The search on the Tune page: what is tuned, a preview, the options of the search, and how to continue after a budget ended it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import cached, state, widgets
from pages.ui.choices import Search, Settings, correction_text
from pages.ui.work import Work, refusals
from stochattn_core.datasets.base import Dataset
from stochattn_core.metrics.scores import Grade
from stochattn_core.models import MODELS
from stochattn_core.tuning import OBJECTIVES, Preview, Tuning
from stochattn_core.tuning.preview import DRIFT_COST

SEARCHES = {"grid": "Grid", "thompson": "Single passes"}
PASSES, SECONDS = (30, 50, 100, 200, 400), (10, 60, 300, 1800)
STEPS = (
    (
        "The curves",
        "Every objective as a function of ν, from the same passes: where each has its minimum, and whether that lies inside the range.",
    ),
    (
        "The verdict",
        "ν* with its interval, and whether the ensemble is calibrated on the test part, which tuning does not use. The verdict can be negative.",
    ),
    ("The file", "tuned.json with ν*, its scores and its provenance; the lines of Python that apply it; the scores as CSV."),
)


def heading(settings: Settings, data: Dataset) -> None:
    widgets.title(
        f"Tune {MODELS[settings.model].title} on {data.title}",
        f"ν is tuned on the calibration part (N = {len(data.calibration):,} cases) · scores are from the test part (N = {len(data.test):,} cases) · "
        f"M = {settings.members} members",
    )
    if settings.correction and settings.correction != "shared":
        st.caption(
            f"The correction {correction_text(settings.correction)} is not used here: ν is tuned alone. Corrections can be compared after tuning."
        )


def requested(settings: Settings) -> Search | None:
    """Return the search that the user started for the present settings; None if there is none."""
    inputs, how = state.remembered("tuning") or (None, None)
    return how if inputs == _inputs(settings) else None


def start(settings: Settings, how: Search | None = None) -> None:
    """Start a search with the next run of the page. how: the options, those of the last search if left out."""
    how = how or state.remembered("how", Search())
    state.remember(**{"tuning": (_inputs(settings), how), "how": how, "tuning-stopped": None, "searches": n_search() + 1})


def n_search() -> int:
    """Return how many searches this session started. It is part of the keys of the controls, which are made anew after each search."""
    return state.remembered("searches", 0)


def stop() -> None:
    """The Stop button of a search."""
    state.remember(**{"tuning": None, "tuning-stopped": True})


def forget_stop() -> None:
    """Forget that a search was stopped: a tuning is shown."""
    state.remember(**{"tuning-stopped": None})


def forget() -> None:
    """Forget the search that was started: it ended in an error."""
    state.remember(tuning=None)


def invitation(settings: Settings, data: Dataset, *, has_preview: bool = True) -> None:
    """Draw what tuning does, the button that starts it, and a preview, which is computed now if it is not known."""
    if state.remembered("tuning-stopped"):
        st.info("Stopped. The passes computed so far are kept; the next start continues from there.")
    preview_slot = st.container()
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        st.markdown(
            "One stochastic pass differs from the plain answer by **d**; the plain answer differs from the truth by **d₀**. Both are root mean squares "
            "over the calibration part. With the default objective, tuning finds the ν at which they are equal: a smaller ν makes the ensemble too wide, "
            "a larger ν too narrow. **ν\\*** comes with a 90% interval and a verdict."
        )
    with right:
        controls(settings, "Start tuning")
    widgets.steps(STEPS)
    if has_preview:
        _preview(settings, data, preview_slot)


def controls(settings: Settings, label: str) -> None:
    """Draw the button that starts a search, and under it objective, kind of search and budget."""
    how, n = state.remembered("how", Search()), n_search()
    button = st.empty()
    box = st.expander("Search options") if label == "Start tuning" else st.container()
    with box:
        objective = st.selectbox(
            "Objective",
            list(OBJECTIVES),
            index=list(OBJECTIVES).index(how.objective),
            format_func=lambda name: OBJECTIVES[name].title,
            key=f"tune-objective-{n}",
        )
        st.caption(OBJECTIVES[objective].description)
        search = st.segmented_control(
            "Search",
            list(SEARCHES),
            default=how.search,
            format_func=SEARCHES.__getitem__,
            required=True,
            key=f"tune-search-{n}",
            help="Grid: ten passes (four for maps) at each of a few concentrations; gives the curves of all objectives. Single passes: one pass at "
            "each of 40 concentrations, then more where the optimum is likely, as in the paper; it takes more passes.",
        )
        is_single = search == "thompson"
        if is_single and objective != "pooled":
            st.caption("Single passes can tune the pooled dispersion alone, so that objective is used.")
        left, right = st.columns(2)
        with left:
            passes = _limit(
                f"tune-passes-{n}",
                "Limit of passes",
                PASSES,
                how.passes,
                "Stochastic passes over the calibration part; at least three concentrations are tried.",
            )
        with right:
            seconds = _limit(
                f"tune-seconds-{n}",
                "Limit of seconds",
                SECONDS,
                how.seconds,
                "For the search alone; scoring on the test part comes after it.",
            )
    chosen = Search("pooled" if is_single else objective, search, passes, seconds)
    button.button(
        label, type="primary", icon=":material/target:", width="stretch", on_click=start, args=(settings, chosen), key="start-tuning"
    )


def _limit(key: str, label: str, bounds: tuple[int, ...], chosen: int | None, more: str) -> int | None:
    options: list[int | None] = [None, *sorted({*bounds, *([chosen] if chosen else [])})]
    text = lambda bound: "no limit" if bound is None else f"{bound:,.0f}"  # noqa: E731
    return st.selectbox(label, options, index=options.index(chosen), format_func=text, key=key, help=more)


def _preview(settings: Settings, data: Dataset, slot: DeltaGenerator) -> None:
    """Draw what tuning is likely to find, from a dozen passes over a part of the calibration cases."""
    shown, bar = slot.empty(), slot.empty()
    preview = cached.preview_known(settings.job(data))
    if preview is None and state.remembered("no-preview") == _inputs(settings):
        shown.button("Preview", icon=":material/visibility:", on_click=state.remember, kwargs={"no-preview": None})
        return
    if preview is None:
        work = Work(bar, "Preview", key="first-look", on_stop=lambda: state.remember(**{"no-preview": _inputs(settings)}), whole=True)
        with shown.container(), refusals(stop=False):
            preview = cached.preview(settings.job(data), work)
        work.done()
    if preview is not None:
        with shown.container():
            widgets.verdict(
                _grade(preview),
                "Before you tune",
                f"{widgets.capital(preview.sentence)}. This preview took {preview.passes} passes over {preview.n_case:,} calibration cases "
                f"({max(1, round(preview.seconds))} s).",
            )


def _grade(preview: Preview) -> Grade:
    if not preview.reachable or not preview.reach[1] > 0:
        return "bad"
    return "good" if preview.cost <= DRIFT_COST else "doubtful"


def budget_note(settings: Settings, how: Search, tuned: Tuning) -> None:
    """Draw what a stopped or limited search has done, and how to continue it."""
    if state.remembered("tuning-stopped"):
        st.info("Stopped. This is the previous tuning; the passes computed so far are kept.")
    if not tuned.ended:
        return
    if how.passes is None and how.seconds is None:
        st.info(f"The search ended at its largest number of passes, {tuned.passes}, before ν* had settled.")
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="ended"):
        st.markdown(f"The budget ended the search after {tuned.passes} passes. All results below are from these passes.")
        doubled = replace(how, passes=how.passes and 2 * max(how.passes, tuned.passes), seconds=how.seconds and 2 * how.seconds)
        st.button("Continue with a larger budget", key="continue", type="primary", on_click=start, args=(settings, doubled))
        st.button(
            "Continue without a budget", key="continue-unbounded", on_click=start, args=(settings, replace(how, passes=None, seconds=None))
        )


def _inputs(settings: Settings) -> tuple:
    """Return the settings on which a search depends."""
    correction = "shared" if settings.correction == "shared" else ""
    return (settings.model, settings.dataset_name, settings.forecasts, settings.members, settings.seed, settings.layers, correction)
