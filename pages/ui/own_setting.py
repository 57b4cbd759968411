"""A saved setting (tuned.json): its contents, and its scores computed again."""

from __future__ import annotations

import math

import streamlit as st
import torch

from pages.ui import cached, state, widgets
from pages.ui.choices import FORECASTS, Job, unfolded
from pages.ui.work import Work, refusals
from stochattn_core.datasets import DATASETS
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.theme import number
from stochattn_core.metrics.scores import headlines
from stochattn_core.models import MODELS
from stochattn_core.tuned_setting import TunedSetting
from stochattn_core.verdict.words import GRADES


def saved_setting() -> None:
    """Ask for a tuned.json, show its contents, and compute its scores again."""
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        file = st.file_uploader("tuned.json", type=None, key="tuned-file")
        if file is not None:
            with refusals(stop=False):  # the setting loaded before stays if this one is refused
                state.remember(saved=TunedSetting.load(file))
        st.caption(
            "A setting that the Tune page or the command line exported. Model weights and data must be those with which it was tuned."
        )
    saved: TunedSetting | None = state.remembered("saved")
    if saved is None:
        with right:
            st.caption("Load a tuned.json to see its scores, computed again here.")
        return
    with right:
        grade = GRADES.get(saved.verdict, "bad")
        name = state.own()[saved.dataset.name].title if saved.dataset.name in state.own() else saved.dataset.name
        interval = f"{saved.interval.level:.0%} interval {number(saved.interval.low)} to {number(saved.interval.high)}"
        widgets.verdict(
            grade,
            f"ν* = {saved.concentration:,}, {interval}: {saved.verdict}",
            f"{saved.model.name} on {name}, {saved.n_member} members, seed {saved.seed}, tuned {saved.created[:10]} on {saved.device}.",
        )
    with refusals(stop=False):
        _compare_scores(saved)


def _compare_scores(saved: TunedSetting) -> None:
    """Show the saved scores beside the same scores computed now."""
    if saved.model.name not in MODELS:
        raise ValueError(
            f"expected a setting for one of the models {', '.join(MODELS)}, got one for {saved.model.name!r}; load another file"
        )
    if saved.dataset.name not in DATASETS and saved.dataset.name not in state.own() and not unfolded(saved.dataset.name)["variable"]:
        raise ValueError(
            f"expected a setting for a dataset of this session, got one for {saved.dataset.name!r}; load that file under Your data first"
        )
    data = state.dataset(saved.dataset.name)
    if data.task == "grid":  # the number of forecasts on which it was tested
        data = cached.result_cache().part_of(data, saved.dataset.test.n_case)
    work = Work(st.empty(), "Computing the scores again", key="saved", on_stop=_forget)
    evaluation = cached.evaluation(Job(saved.model.name, data, saved.setting), work)
    work.done()
    saved.check(evaluation.model, evaluation.weights_sha256, cached.result_cache().digest(data))
    scores = headlines()
    rows = [
        [
            score.title,
            _cell(saved.scores.after.get(score.key)),
            _cell(evaluation.scores.get(score.key)),
            _same(saved, evaluation, score.key),
        ]
        for score in scores
    ]
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        widgets.table(["score on the test part", "in the file", "computed here", "comparison"], rows)
    with right:
        marks = {_same(saved, evaluation, score.key) for score in scores}
        devices = (
            f"The file was made on {saved.device} with torch {saved.software.get('torch', '?')}; "
            f"this server uses {evaluation.device} with torch {torch.__version__}."
        )
        if marks == {"same"}:
            widgets.reading("The same numbers, bit for bit.")
        elif "differs" in marks:
            widgets.reading(f"The numbers differ. {devices}")
        else:
            widgets.reading(f"The numbers agree to five digits. {devices}")
        if st.button("Open it on Explore", type="primary", key="open-saved"):
            _open(saved)


def _open(saved: TunedSetting) -> None:
    state.choose(
        task=MODELS[saved.model.name].task,
        model=saved.model.name,
        forecasts=saved.dataset.test.n_case if saved.dataset.test.n_case in FORECASTS else 0,
        members=saved.n_member,
        nu=float(saved.concentration),
        seed=saved.seed,
        layers=saved.layers,
        correction=saved.correction,
        case=0,
        **unfolded(saved.dataset.name),
    )
    st.switch_page("pages/explore.py")


def _forget() -> None:
    state.remember(saved=None)


def _cell(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:#.5g}"


def _same(saved: TunedSetting, evaluation: Evaluation, key: str) -> str:
    """Return in words whether the saved score and the score computed now agree."""
    before, here = saved.scores.after.get(key), evaluation.scores.get(key)
    if before == here:
        return "same"
    return "same to 5 digits" if before is not None and here is not None and math.isclose(before, here, rel_tol=1e-5) else "differs"
