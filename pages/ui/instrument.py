"""The slider of the concentration, under a curve of the spread-skill ratios that are known, which fills while the user looks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import cached, search, state, streamlit_private, views, widgets
from pages.ui.choices import GRID, Settings, slider_position
from pages.ui.prefetch import Wish
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.curve import TICKS, slider_strip
from stochattn_core.tuning import Tuning

CURVE_HEIGHT = 92  # pixels above the slider
POLL = 1.5  # seconds between two updates of the curve


def draw(settings: Settings, data: Dataset) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw the slider with its buttons; return the places of the curve above it and of an empty curve that stands there until then."""
    tuned = _tuned(settings, data)
    with st.container(key="instrument"):
        scale, buttons = st.columns([6, 1], vertical_alignment="bottom", gap="medium")
        with scale, st.container(gap=None):
            curve, first = st.container(), st.empty()
            if state.remembered("shown") is None:  # an empty curve first: the browser loads plotly while the first view is computed
                with first.container(gap=None):
                    _strip(_figure(settings, {}, [], tuned), "", key="first-strip")
            st.select_slider(
                "Concentration ν: draws per attention row",
                options=_options(settings, tuned),
                format_func=lambda nu: "∞ plain model" if math.isinf(nu) else f"{nu:,.0f}",
                key="nu",
                label_visibility="collapsed",
            )
        with buttons:
            if tuned:
                st.button(
                    f"To ν* = {tuned.concentration:,}",
                    width="stretch",
                    type="primary",
                    on_click=state.choose,
                    kwargs={"nu": float(tuned.concentration), "correction": tuned.setting.correction},
                    disabled=(settings.nu, settings.correction) == (tuned.concentration, tuned.setting.correction),
                )
            elif st.button(
                "Tune",
                icon=":material/target:",
                width="stretch",
                help="Find the ν at which the spread of the ensemble matches its error.",
                on_click=search.start,
                args=(settings,),
            ):
                st.switch_page("pages/tune.py")
    return curve, first


def known_curve(settings: Settings, data: Dataset) -> None:
    """Draw the ratios that are known and the places of those to come, and update the curve until all are known."""
    wish = _wish(settings, data)
    polls = settings.prefetch and bool(cached.prefetcher().coming(wish))

    def show() -> None:
        known = cached.evaluations_known(settings.job(data))
        ratios = {nu: _ratio(evaluation, settings, data) for nu, evaluation in known.items()}
        coming = cached.prefetcher().coming(wish) if settings.prefetch else []
        ready = len(set(wish.values) & set(ratios))
        with st.container(gap=None):
            _strip(
                _figure(settings, ratios, coming, _tuned(settings, data)),
                _progress(ready, len(wish.values), wish) if settings.prefetch else "",
                key="strip",
            )
        if not coming:
            streamlit_private.end_fragment_timer()

    st.fragment(show, run_every=POLL if polls else None)()


def prefetch(settings: Settings, data: Dataset, prepare: Callable[[Settings, Dataset, Evaluation], None]) -> None:
    """Ask for the other concentrations of the slider, the nearest first. prepare: derives what a page needs of each evaluation."""
    if settings.prefetch:
        cached.prefetcher().ask(streamlit_private.session_id(), _wish(settings, data, prepare))


def _wish(settings: Settings, data: Dataset, prepare: Callable[[Settings, Dataset, Evaluation], None] | None = None) -> Wish:
    """Return every option of the slider, the nearest first; of two at the same distance the smaller, which is faster."""
    options = _options(settings, _tuned(settings, data))
    here = options.index(settings.nu)
    order = sorted(range(len(options)), key=lambda place: (abs(place - here), place))
    if settings.correction.startswith("fractional"):
        order = [here]  # a fractional concentration belongs to one place of the slider

    def at(nu: float) -> Settings:
        return replace(settings, nu=nu)

    def compute(nu: float, progress: Callable[[int, int, str], None], check: Callable[[], None]) -> None:
        def prepare_page(evaluation: Evaluation) -> None:
            if prepare is not None:
                prepare(at(nu), data, evaluation)

        cached.prefetched_evaluation(at(nu).job(data), prepare_page, progress, check)

    return Wish(
        same=cached.evaluation_key(replace(settings.job(data), setting=replace(settings.setting, concentration=math.inf))),
        values=tuple(options[place] for place in order),
        ready=lambda nu: cached.evaluation_known(at(nu).job(data)) is not None,
        compute=compute,
    )


def _progress(ready: int, total: int, wish: Wish) -> str:
    if total == 1:
        return ""
    if ready == total:
        return f"All {total} concentrations ready"
    text, making = f"{ready} of {total} concentrations ready", cached.prefetcher().making
    if making is not None and making.same == wish.same:
        text += f" · computing {_concentration_text(making.value)}, {making.share:.0%}"
    return text


def _concentration_text(nu: float) -> str:
    return "the plain model" if math.isinf(nu) else f"ν = {nu:,.0f}"


def _strip(figure: go.Figure, progress: str, *, key: str) -> None:
    widgets.label("Concentration ν", "draws per attention row; fewer draws give a wider ensemble", progress)
    with st.container(height=CURVE_HEIGHT, border=False):
        widgets.plot(figure, key=key)


def _figure(settings: Settings, ratios: dict[float, float], coming: list[float], tuned: Tuning | None) -> go.Figure:
    options = _options(settings, tuned)
    if tuned and tuned.setting.correction != settings.correction:
        tuned = None  # each correction has its own ν*
    return slider_strip(
        np.array([slider_position(nu, options) for nu in ratios]),
        np.array(list(ratios.values())),
        n_position=len(options),
        chosen=options.index(settings.nu),
        coming=[slider_position(nu, options) for nu in sorted(coming)],
        ticks={
            slider_position(nu, options): "∞" if math.isinf(nu) else f"{nu}" if nu < 1000 else f"{nu // 1000}k" for nu in (*TICKS, math.inf)
        },
        best=slider_position(tuned.concentration, options) if tuned else None,
        interval=(slider_position(tuned.interval[1], options), slider_position(tuned.interval[2], options)) if tuned else None,
        height=CURVE_HEIGHT,
    )


def _tuned(settings: Settings, data: Dataset) -> Tuning | None:
    return cached.tuning_known(settings.job(data))


def _options(settings: Settings, tuned: Tuning | None) -> list[float]:
    """Return the options of the slider: its grid, the chosen concentration and nu*."""
    return sorted({*GRID, settings.nu, *([float(tuned.concentration)] if tuned else [])})


def _ratio(evaluation: Evaluation, settings: Settings, data: Dataset) -> float:
    view = views.view_of(settings, data, evaluation)
    return cached.derived(evaluation, data, "ratio", view.lead, lambda: view.ratio)
