"""Before and about the search: what is tuned, a first look, how to search, how to go on where a budget ended it."""

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
        "Every objective over the ν about the crossing, from the same passes: where each is least, and whether that lies inside the range at all.",
    ),
    (
        "The verdict",
        "ν* with its interval, and whether the ensemble is calibrated on the test part, which tuning never saw. It can fail, and says so.",
    ),
    ("The file", "tuned.json with ν*, where it came from and its scores; the lines of Python that apply it; the scores as CSV."),
)


def heading(settings: Settings, data: Dataset) -> None:
    widgets.title(
        f"Tune {MODELS[settings.model].title} on {data.title}",
        f"ν is sought on the calibration part ({len(data.calibration):,} cases) · every result is from the test part ({len(data.test):,} cases) · "
        f"M = {settings.members} members",
    )
    if settings.correction and settings.correction != "shared":
        st.caption(
            f"The correction {correction_text(settings.correction)} is left aside here: ν is sought alone, and corrections are compared below."
        )


def asked(settings: Settings) -> Search | None:
    """The search that the user started for what is chosen now."""
    what, how = state.remembered("tuning") or (None, None)
    return how if what == _same(settings) else None


def start(settings: Settings, how: Search | None = None) -> None:
    how = how or state.remembered("how", Search())
    state.remember(**{"tuning": (_same(settings), how), "how": how, "tuning-stopped": None, "searches": n_search() + 1})


def n_search() -> int:
    """How many searches this session started: in the keys of the controls, which close and show what was taken after each."""
    return state.remembered("searches", 0)


def stopped() -> None:
    state.remember(**{"tuning": None, "tuning-stopped": True})


def finished() -> None:
    state.remember(**{"tuning-stopped": None})


def refused() -> None:
    state.remember(tuning=None)


def before(settings: Settings, data: Dataset, *, first_look: bool = True) -> None:
    """A first look, which is made now where it is not known, and the button that starts."""
    if state.remembered("tuning-stopped"):
        st.info("Stopped. What was computed until then is kept, so the next start goes on from there.")
    seen = st.container()
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        st.markdown(
            "One stochastic pass strays from the plain answer by **d**; the plain answer errs by **d₀**. Both are pooled over the whole "
            "calibration part. Tuning finds the ν at which they are equal: too small a ν and the ensemble claims more doubt than it has, too "
            "large and it is sure of what it gets wrong. Passes at values of ν about the crossing trace the curves; **ν\\*** comes "
            "with a 90% interval and a verdict."
        )
    with right:
        controls(settings, "Start tuning")
    widgets.steps(STEPS)
    if first_look:
        _first_look(settings, data, seen)


def controls(settings: Settings, label: str) -> None:
    """What to seek and what it may cost, under the button that starts it."""
    how, n = state.remembered("how", Search()), n_search()
    button = st.empty()
    box = st.expander("How to search") if label == "Start tuning" else st.container()
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
            help="Grid: ten passes (four of maps) at each of a few concentrations, smooth curves of every objective. Single passes: one pass at "
            "each of 40 concentrations and then where the optimum may be, as the method's authors search; it takes more passes.",
        )
        single = search == "thompson"
        if single and objective != "pooled":
            st.caption("Single passes seek the pooled dispersion alone, so that is taken.")
        left, right = st.columns(2)
        with left:
            passes = _bound(
                f"tune-passes-{n}", "At most passes", PASSES, how.passes, "Over the calibration part; three concentrations at least."
            )
        with right:
            seconds = _bound(
                f"tune-seconds-{n}", "At most seconds", SECONDS, how.seconds, "Of the search; scoring on the test part comes after it."
            )
    chosen = Search("pooled" if single else objective, search, passes, seconds)
    button.button(
        label, type="primary", icon=":material/target:", width="stretch", on_click=start, args=(settings, chosen), key="start-tuning"
    )


def _bound(key: str, label: str, bounds: tuple[int, ...], chosen: int | None, more: str) -> int | None:
    options: list[int | None] = [None, *sorted({*bounds, *([chosen] if chosen else [])})]
    text = lambda bound: "no bound" if bound is None else f"{bound:,.0f}"  # noqa: E731
    return st.selectbox(label, options, index=options.index(chosen), format_func=text, key=key, help=more)


def _first_look(settings: Settings, data: Dataset, slot: DeltaGenerator) -> None:
    """A dozen passes over a part of the calibration cases: what tuning will find, in seconds."""
    shown, making = slot.empty(), slot.empty()
    found = cached.preview_known(settings.job(data))
    if found is None and state.remembered("no-first-look") == _same(settings):
        shown.button("Take a first look", icon=":material/visibility:", on_click=state.remember, kwargs={"no-first-look": None})
        return
    if found is None:
        work = Work(
            making, "A first look", key="first-look", on_stop=lambda: state.remember(**{"no-first-look": _same(settings)}), whole=True
        )
        with shown.container(), refusals(stop=False):
            found = cached.preview(settings.job(data), work)
        work.done()
    if found is not None:
        with shown.container():
            widgets.verdict(
                _grade(found),
                "Before you tune",
                f"{widgets.capital(found.sentence)}. A first look: {found.passes} passes over {found.n_case:,} calibration cases, "
                f"{max(1, round(found.seconds))} s.",
            )


def _grade(found: Preview) -> Grade:
    if not found.reachable or not found.reach[1] > 0:
        return "bad"
    return "good" if found.cost <= DRIFT_COST else "doubtful"


def ended(settings: Settings, how: Search, tuned: Tuning) -> None:
    """Where the budget ended the search: what was done, and how to go on."""
    if state.remembered("tuning-stopped"):
        st.info("Stopped. This is the tuning from before; what was computed until then is kept.")
    if not tuned.ended:
        return
    if how.passes is None and how.seconds is None:
        st.info(f"The search made {tuned.passes} passes, its most, before more of them would hardly have moved ν*.")
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="ended"):
        st.markdown(f"The budget ended the search after {tuned.passes} passes, which are kept: all below is of them.")
        twice = replace(how, passes=how.passes and 2 * max(how.passes, tuned.passes), seconds=how.seconds and 2 * how.seconds)
        st.button("Continue with a larger budget", key="continue", type="primary", on_click=start, args=(settings, twice))
        st.button(
            "Continue without a budget", key="continue-unbounded", on_click=start, args=(settings, replace(how, passes=None, seconds=None))
        )


def _same(settings: Settings) -> tuple:
    correction = "shared" if settings.correction == "shared" else ""
    return (settings.model, settings.dataset_name, settings.forecasts, settings.members, settings.seed, settings.layers, correction)
