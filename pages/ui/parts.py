"""The parts of the Explore page beside its instrument, top to bottom: title line, score strip, plots, tabs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui import cached, panels, state, widgets
from pages.ui.choices import Settings, as_text, correction_text, lead_text
from pages.ui.map_panels import start_text
from pages.ui.work import Work
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.reading import read_references
from stochattn_core.figures.theme import number, units_text
from stochattn_core.models import MODELS


def heading(settings: Settings, data: Dataset) -> None:
    """Model on dataset, variable, lead, M, N, period; and the ways to take the view home."""
    left, right = st.columns([5, 1], vertical_alignment="center")
    nu = "plain model" if math.isinf(settings.nu) else f"ν = {settings.nu:,.0f}"
    quantity = f"{data.target_name} in {units_text(data.units)}" if data.units else data.target_name
    beneath = [quantity, lead_text(settings.lead, data)] if data.lead_time else [quantity]
    beneath += [f"M = {settings.members} members", f"N = {len(data.test):,} test cases", f"{period(data)}", nu]
    beneath += [correction_text(settings.correction)] if settings.correction and not math.isinf(settings.nu) else []
    with left:
        widgets.title(f"{MODELS[settings.model].title} on {data.title}", " · ".join(beneath))
    with right, st.popover("Share", icon=":material/ios_share:", width="stretch"):
        if settings.dataset in state.own():
            st.caption("This link works in this session alone: the file that you brought leaves with it.")
        else:
            st.caption("This link opens the same page with the same numbers.")
        st.code(state.permalink(), language=None, wrap_lines=True)


def period(data: Dataset) -> str:
    if data.task == "grid":
        return f"{start_text(data, 0)} to {start_text(data, -1)}"
    first, last = data.test.index[0], data.test.index[-1]
    return f"{panels.time_text(first)} to {panels.time_text(last)}" if data.lead_time else "rows kept aside"


def score_strip(settings: Settings, data: Dataset, found: Evaluation) -> None:
    best = None
    if (not settings.lead or data.task == "grid") and found.references:
        best = min(found.references.items(), key=lambda item: item[1])
    widgets.strip(panels.tiles(summary(settings, data, found), units_text(data.units), best))


def first_answer(settings: Settings, data: Dataset, work: Work) -> bool:
    """The fan of the chosen case at once, while the scores of all cases are still being computed: the same members, bit for bit."""
    known = cached.evaluation_known(settings.model, data, settings.setting)
    if known is not None or settings.lead or not data.lead_time:
        return False
    case = _case(settings, data)
    members, plain = cached.one_forecast(settings.model, data, settings.setting, case, work)
    widgets.plot(*panels.fan_panel(data, case, members, plain), key="forecast")
    _pick_init_time(data)
    return True


def prepare(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """What a view of this evaluation draws, small figures all of them."""
    forecast_panel(settings, data, found)
    diagnostic_panels(settings, data, found)


def forecast_view(settings: Settings, data: Dataset, found: Evaluation) -> None:
    widgets.plot(*forecast_panel(settings, data, found), key="forecast")
    index = data.test.index
    if not data.lead_time:
        st.selectbox("Case with the ring", range(len(index)), format_func=lambda i: f"{index.name or 'case'} {index[i]}", key="case")
    elif not settings.lead:
        _pick_init_time(data)


def forecast_panel(settings: Settings, data: Dataset, found: Evaluation) -> panels.Panel:
    lead, case, ensemble = settings.lead, _case(settings, data), found.ensemble
    if lead:
        return cached.derived(found, data, "fan-at-lead", lead, lambda: panels.fan_at_lead_panel(found, lead))
    if not data.lead_time:
        return cached.derived(found, data, "fitted", case, lambda: panels.fitted_panel(found, case))
    make = lambda: panels.fan_panel(data, case, np.asarray(ensemble.members[:, case]), ensemble.plain[case])  # noqa: E731
    return cached.derived(found, data, "fan", case, make)


def diagnostics(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """PIT and spread-skill, each with the sentence that reads it."""
    for name, panel in diagnostic_panels(settings, data, found).items():
        widgets.plot(*panel, key=name)


def diagnostic_panels(settings: Settings, data: Dataset, found: Evaluation) -> dict[str, panels.Panel]:
    lead, known = settings.lead, summary(settings, data, found)
    return {
        "pit": cached.derived(found, data, "pit", lead, lambda: panels.pit_panel(found, lead, known)),
        "spread-skill": cached.derived(found, data, "spread-skill", lead, lambda: panels.spread_skill_panel(found, lead, known)),
    }


def _case(settings: Settings, data: Dataset) -> int:
    return min(settings.case, len(data.test) - 1)


def _pick_init_time(data: Dataset) -> None:
    st.selectbox("Forecast from", range(len(data.test)), format_func=lambda i: panels.time_text(data.test.index[i]), key="case")


def below(settings: Settings, data: Dataset, found: Evaluation) -> None:
    """The tabs beneath; only the open one is drawn."""
    show = {"By lead time": _leads} if data.lead_time else {}
    show |= {"Coverage": _coverage, "Cases": _cases, "How it was computed": _how}
    for tab, draw in zip(st.tabs(list(show), key=f"tabs-{data.task}", on_change="rerun"), show.values(), strict=True):
        if tab.open:
            with tab:
                draw(settings, data, found)


def _leads(settings: Settings, data: Dataset, found: Evaluation) -> None:
    widgets.plot(*cached.derived(found, data, "lead-time", 0, lambda: panels.lead_time_panel(found)), key="lead-time")


def _coverage(settings: Settings, data: Dataset, found: Evaluation) -> None:
    make = lambda: panels.coverage_panel(found, settings.lead)  # noqa: E731
    widgets.plot(*cached.derived(found, data, "coverage", settings.lead, make), key="coverage")


def _cases(settings: Settings, data: Dataset, found: Evaluation) -> None:
    rows = cached.derived(found, data, "cases", settings.lead, lambda: panels.case_rows(found, settings.lead))
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


def _how(settings: Settings, data: Dataset, found: Evaluation) -> None:
    how(data, found)


def how(data: Dataset, found: Evaluation) -> None:
    rmse = {name: float(value) for name, value in found.references.items()}
    widgets.reading(read_references(found.scores["rmse_plain"], rmse))
    rows = [["ensemble mean", number(found.scores["rmse"])], ["plain model", number(found.scores["rmse_plain"])]]
    rows += [[name, number(value)] for name, value in rmse.items()]
    left, right = st.columns([1, 1.4], gap="large")
    with left:
        widgets.table([f"RMSE on test{f' ({units_text(data.units)})' if data.units else ''}", ""], rows)
        widgets.table(["part", "cases", "from", "to"], [_part(name, data) for name in ("train", "calibration", "test")])
    with right:
        widgets.table(
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


def summary(settings: Settings, data: Dataset, found: Evaluation) -> panels.Summary:
    return cached.derived(found, data, "summary", settings.lead, lambda: panels.summary(found, settings.lead))
