"""A tuned.json loaded back: what it says, and the same numbers computed here."""

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
from stochattn_core.tuning.verdict import GRADES


def saved_setting() -> None:
    """A tuned.json: what it says, and the same numbers computed here."""
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        file = st.file_uploader("tuned.json", type=None, key="tuned-file")
        if file is not None:
            with refusals(stop=False):  # what was loaded before stays when this one is refused
                state.remember(saved=TunedSetting.load(file))
        st.caption(
            "A setting that the Tune page or the command line exported. It is checked against the model's weights and the data before it is used."
        )
    saved: TunedSetting | None = state.remembered("saved")
    if saved is None:
        with right:
            st.caption("Load a tuned.json to see its numbers here, computed again.")
        return
    with right:
        grade = GRADES.get(saved.verdict, "bad")
        interval = f"{saved.interval.level:.0%} interval {number(saved.interval.low)} to {number(saved.interval.high)}"
        widgets.verdict(
            grade,
            f"ν* = {saved.concentration:,}, {interval}: {saved.verdict}",
            f"{saved.model.name} on {saved.dataset.name}, {saved.n_member} members, seed {saved.seed}, tuned {saved.created[:10]} on {saved.device}.",
        )
    with refusals(stop=False):
        _again(saved)


def _again(saved: TunedSetting) -> None:
    """The saved scores beside the same scores computed here and now."""
    if saved.model.name not in MODELS:
        raise ValueError(
            f"this setting was tuned for model {saved.model.name!r}, which is not known here; one of {', '.join(MODELS)} is expected"
        )
    if saved.dataset.name not in DATASETS and saved.dataset.name not in state.own() and not unfolded(saved.dataset.name)["variable"]:
        raise ValueError(f"this setting was tuned on {saved.dataset.name!r}, which is not here; bring that file under Your data first")
    data = state.dataset(saved.dataset.name)
    if data.task == "grid":  # as many forecasts as it was tuned and tested on
        data = cached.result_cache().part_of(data, saved.dataset.test.n_case)
    work = Work(st.empty(), "Computing it again", key="saved", on_stop=_forget)
    found = cached.evaluation(Job(saved.model.name, data, saved.setting), work)
    work.done()
    saved.check(found.model, found.weights_sha256, cached.result_cache().digest(data))
    scores = headlines()
    rows = [
        [score.title, _cell(saved.scores.after.get(score.key)), _cell(found.scores.get(score.key)), _same(saved, found, score.key)]
        for score in scores
    ]
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        widgets.table(["score on the test part", "in the file", "computed here", ""], rows)
    with right:
        marks = {_same(saved, found, score.key) for score in scores}
        made = f"the file was made on {saved.device} with torch {saved.software.get('torch', '?')}, this is {found.device} with torch {torch.__version__}"
        if marks == {"same"}:
            widgets.reading("The same numbers, bit for bit.")
        elif "differs" in marks:
            widgets.reading(f"The numbers differ: {made}.")
        else:
            widgets.reading(f"The same numbers to five digits; {made}.")
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


def _same(saved: TunedSetting, found: Evaluation, key: str) -> str:
    before, here = saved.scores.after.get(key), found.scores.get(key)
    if before == here:
        return "same"
    return "same to 5 digits" if before is not None and here is not None and math.isclose(before, here, rel_tol=1e-5) else "differs"
