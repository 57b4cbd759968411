"""The parts of the Explore page, top to bottom: title line, score strip, the slider as the instrument, plots, tabs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import cached, look, panels, search, state
from pages.ui.choices import Settings, as_text, lead_text, mend_text, slider_position
from pages.ui.map_panels import start_text
from pages.ui.work import Work
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.curve import TICKS, slider_strip
from stochattn_core.figures.reading import read_references
from stochattn_core.figures.theme import number, units_text
from stochattn_core.models import MODELS
from stochattn_core.tuning import Tuning

CURVE_HEIGHT = 92  # pixels above the slider


def heading(settings: Settings, data: Dataset) -> None:
    """Model on dataset, variable, lead, M, N, period; and the ways to take the view home."""
    left, right = st.columns([5, 1], vertical_alignment="center")
    nu = "plain model" if math.isinf(settings.nu) else f"ν = {settings.nu:,.0f}"
    quantity = f"{data.target_name} in {units_text(data.units)}" if data.units else data.target_name
    beneath = [quantity, lead_text(settings.lead, data)] if data.lead_time else [quantity]
    beneath += [f"M = {settings.members} members", f"N = {len(data.test):,} test cases", f"{period(data)}", nu]
    beneath += [mend_text(settings.mend)] if settings.mend and not math.isinf(settings.nu) else []
    with left:
        look.title(f"{MODELS[settings.model].title} on {data.title}", " · ".join(beneath))
    with right, st.popover("Share", icon=":material/ios_share:", width="stretch"):
        st.caption("This link opens the same page with the same numbers.")
        st.code(state.permalink(), language=None, wrap_lines=True)


def period(data: Dataset) -> str:
    if data.task == "grid":
        return f"{start_text(data, 0)} to {start_text(data, -1)}"
    first, last = data.test.index[0], data.test.index[-1]
    return f"{panels.time_text(first)} to {panels.time_text(last)}" if data.lead_time else "rows kept aside"


def instrument(settings: Settings, data: Dataset) -> DeltaGenerator:
    """The slider with its buttons; the place above it, for the curve of what is known, is filled when this view is."""
    tuned = cached.tuning_known(settings.model, data, settings.setting)
    with st.container(key="instrument"):
        scale, buttons = st.columns([6, 1], vertical_alignment="bottom", gap="medium")
        with scale, st.container(gap=None):
            look.label("Concentration ν", "draws for each attention row: fewer draws, wider ensemble")
            curve = st.container(height=CURVE_HEIGHT, border=False)
            if state.kept("shown") is None:  # an empty curve at once: the browser loads what draws figures while the first view is computed
                curve = curve.empty()
                with curve:
                    look.plot(_curve(settings, {}, tuned), key="first-strip")
            state.concentration_slider(_options(tuned))
        with buttons:
            if tuned:
                st.button(
                    f"To ν* = {tuned.concentration:,}",
                    width="stretch",
                    type="primary",
                    on_click=state.choose,
                    kwargs={"nu": float(tuned.concentration), "mend": tuned.setting.mend},
                    disabled=(settings.nu, settings.mend) == (tuned.concentration, tuned.setting.mend),
                )
            elif st.button(
                "Tune",
                icon=":material/target:",
                width="stretch",
                help="Find the ν at which the ensemble spreads as far as the model errs.",
                on_click=search.start,
                args=(settings,),
            ):
                st.switch_page("pages/tune.py")
    return curve


def known_curve(settings: Settings, data: Dataset) -> None:
    """The ratio computed so far in the slider's own coordinates, with nu* and its interval."""
    tuned = cached.tuning_known(settings.model, data, settings.setting)
    points = {
        nu: panels.part_ratio(one, settings.lead) for nu, one in cached.evaluations_known(settings.model, data, settings.setting).items()
    }
    look.plot(_curve(settings, points, tuned), key="strip")


def _curve(settings: Settings, points: dict[float, float], tuned: Tuning | None) -> go.Figure:
    options = _options(tuned)
    return slider_strip(
        np.array([slider_position(nu, options) for nu in points]),
        np.array(list(points.values())),
        n_position=len(options),
        chosen=options.index(settings.nu),
        ticks={
            slider_position(nu, options): "∞" if math.isinf(nu) else f"{nu}" if nu < 1000 else f"{nu // 1000}k" for nu in (*TICKS, math.inf)
        },
        best=slider_position(tuned.concentration, options) if tuned else None,
        interval=tuple(slider_position(nu, options) for nu in tuned.interval[1:]) if tuned else None,
        height=CURVE_HEIGHT,
    )


def _options(tuned: Tuning | None) -> list[float]:
    return state.slider_options(*([float(tuned.concentration)] if tuned else []))


def score_strip(settings: Settings, data: Dataset, found: Evaluation) -> None:
    summary = _summary(settings, data, found)
    best = None
    if (not settings.lead or data.task == "grid") and found.references:
        best = min(found.references.items(), key=lambda item: item[1])
    look.strip(panels.tiles(summary, units_text(data.units), best))


def first_answer(settings: Settings, data: Dataset, work: Work) -> bool:
    """The fan of the chosen case at once, while the scores of all cases are still being computed: the same members, bit for bit."""
    known = cached.evaluation_known(settings.model, data, settings.setting)
    if known is not None or settings.lead or not data.lead_time:
        return False
    case = _case(settings, data)
    members, plain = cached.one_forecast(settings.model, data, settings.setting, case, work)
    look.plot(*panels.fan_panel(data, case, members, plain), key="forecast")
    _pick_init_time(data)
    return True


def forecast_view(settings: Settings, data: Dataset, found: Evaluation) -> None:
    lead, case, index = settings.lead, _case(settings, data), data.test.index
    ensemble = found.ensemble
    if lead:
        look.plot(*_derived(found, data, "fan-at-lead", lead, lambda: panels.fan_at_lead_panel(found, lead)), key="forecast")
    elif data.lead_time:
        make = lambda: panels.fan_panel(data, case, np.asarray(ensemble.members[:, case]), ensemble.plain[case])  # noqa: E731
        look.plot(*_derived(found, data, "fan", case, make), key="forecast")
        _pick_init_time(data)
    else:
        look.plot(*_derived(found, data, "fitted", case, lambda: panels.fitted_panel(found, case)), key="forecast")
        state.case_picker("Case with the ring", len(index), lambda i: f"{index.name or 'case'} {index[i]}")


def diagnostics(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """PIT and spread-skill, each with the sentence that reads it."""
    lead, known = settings.lead, _summary(settings, data, found)
    look.plot(*_derived(found, data, "pit", lead, lambda: panels.pit_panel(found, lead, known)), key="pit")
    look.plot(*_derived(found, data, "spread-skill", lead, lambda: panels.spread_skill_panel(found, lead, known)), key="spread-skill")


def _case(settings: Settings, data: Dataset) -> int:
    return min(settings.case, len(data.test) - 1)


def _pick_init_time(data: Dataset) -> None:
    state.case_picker("Forecast from", len(data.test), lambda i: panels.time_text(data.test.index[i]))


def below(settings: Settings, data: Dataset, found: Evaluation) -> None:
    names = ["By lead time"] if data.lead_time else []
    names += ["Coverage", "Cases", "How it was computed"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if data.lead_time:
        with tabs["By lead time"]:
            look.plot(*_derived(found, data, "lead-time", 0, lambda: panels.lead_time_panel(found)), key="lead-time")
    with tabs["Coverage"]:
        look.plot(*_derived(found, data, "coverage", settings.lead, lambda: panels.coverage_panel(found, settings.lead)), key="coverage")
    with tabs["Cases"]:
        _cases(settings, data, found)
    with tabs["How it was computed"]:
        how(data, found)


def _cases(settings: Settings, data: Dataset, found: Evaluation) -> None:
    rows = _derived(found, data, "cases", settings.lead, lambda: panels.case_rows(found, settings.lead))
    st.dataframe(rows, hide_index=True, height=320, column_config=_formats(rows))
    name = f"{found.model}-{found.dataset}-{as_text('nu', settings.nu)}"
    with st.container(horizontal=True):
        st.download_button(
            "Scores as CSV", panels.score_rows(found).to_csv(index=False), f"scores-{name}.csv", "text/csv", icon=":material/download:"
        )
        st.download_button("Cases as CSV", rows.to_csv(index=False), f"cases-{name}.csv", "text/csv", icon=":material/download:")


def _formats(rows: pd.DataFrame) -> dict[str, object]:
    """Numbers of one column with as many decimals as its spread asks for."""
    typical = float(np.nanmedian(np.abs(rows["spread"]))) or 1.0
    decimals = int(np.clip(2 - math.floor(math.log10(typical)), 0, 6)) if typical > 0 else 3
    numbers = {
        name: st.column_config.NumberColumn(format=f"%.{decimals}f") for name in ("truth", "plain", "mean", "spread", "low_90", "high_90")
    }
    if pd.api.types.is_datetime64_any_dtype(rows.iloc[:, 0]):
        numbers[rows.columns[0]] = st.column_config.DateColumn(format="YYYY-MM-DD")
    return numbers


def how(data: Dataset, found: Evaluation) -> None:
    rmse = {name: float(value) for name, value in found.references.items()}
    look.reading(read_references(found.scores["rmse_plain"], rmse))
    rows = [["ensemble mean", number(found.scores["rmse"])], ["plain model", number(found.scores["rmse_plain"])]]
    rows += [[name, number(value)] for name, value in rmse.items()]
    left, right = st.columns([1, 1.4], gap="large")
    with left:
        look.table([f"RMSE on test{f' ({units_text(data.units)})' if data.units else ''}", ""], rows)
        look.table(["part", "cases", "from", "to"], [_part(name, data) for name in ("train", "calibration", "test")])
    with right:
        look.table(
            ["attention layer", "calls", "entropy of its rows"],
            [[name, f"{calls:,}", number(found.entropy.get(name, float("nan")))] for name, calls in found.calls.items()],
        )
    st.caption(
        f"Layers sampled: `{found.layers}` · seed {found.setting.seed} · device {found.device} · {found.seconds:.1f} s · "
        f"weights {found.weights_sha256[:12]} · data: {data.source} ({data.licence}). ν is tuned on the calibration part; every number here is from test."
    )
    for note in getattr(data, "notes", ()):
        st.caption(f"Note: {note}.")


def _part(name: str, data: Dataset) -> list[str]:
    split = data.part(name)
    if not data.lead_time:
        return [name, f"{len(split):,}", "dealt", "at random"]
    return [name, f"{len(split):,}", panels.time_text(split.index[0]), panels.time_text(split.index[-1])]


def _summary(settings: Settings, data: Dataset, found: Evaluation) -> panels.Summary:
    return _derived(found, data, "summary", settings.lead, lambda: panels.summary(found, settings.lead))


def _derived(found: Evaluation, data: Dataset, what: str, which: int, make):
    key = (what, which, *cached.evaluation_key(found.model, data, found.setting, found.part))
    return cached.remembered(key, make)
