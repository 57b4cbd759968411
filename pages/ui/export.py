"""Export: the tuned setting as a file, its scores as CSV, and the lines of Python that apply it."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from pages.ui import cached, corrections_panel, groups_panel, state
from pages.ui.choices import Settings, correction_text
from pages.ui.work import Work, refusals
from stochattn_core.datasets.base import Dataset
from stochattn_core.models import MODELS
from stochattn_core.panels.text import file_part
from stochattn_core.tuned_setting import TunedSetting
from stochattn_core.tuning import Tuning
from stochattn_core.tuning.setting_export import with_groups


def downloads(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    """The files of ν alone, or of the correction that the user chose to export."""
    st.subheader("Export")
    setting, row = with_groups(tuned.setting, groups_panel.known(settings, data, tuned)), corrections_panel.exported_row(tuned)
    if row is not None and row.setting is not None:
        work = Work(st.empty(), "Computing the file", key="taken", on_stop=lambda: state.remember(exported=None))
        with refusals(stop=False):
            setting = cached.tuned_setting_of_row(data, tuned, row, work)
        work.done()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"With **{row.title}** ({corrections_panel.setting_text(row.setting)}): {setting.verdict}.")
            st.button("Back to ν alone", type="tertiary", key="take-alone", on_click=state.remember, kwargs={"exported": None})
    with st.container(horizontal=True):
        st.download_button(
            "tuned.json", setting.dumps(), "tuned.json", "application/json", icon=":material/download:", type="primary", key="tuned-json"
        )
        st.download_button(
            "Scores as CSV",
            scores_csv(setting),
            f"scores-{setting.model.name}-{file_part(data)}.csv",
            "text/csv",
            icon=":material/download:",
        )
    st.caption(
        "tuned.json holds ν* with its intervals, the verdict with its evidence, the correction and the groups if there are any, and its provenance. "
        "The page Bring your own loads it and computes the same scores again."
    )
    st.code(snippet(setting), language="python")


def scores_csv(setting: TunedSetting) -> str:
    before, after = setting.scores.before, setting.scores.after
    names = list(dict.fromkeys([*after, *before]))
    rows = {"score": names, "before": [before.get(name) for name in names], "after": [after.get(name) for name in names]}
    return pd.DataFrame(rows).to_csv(index=False)


def _dataset_lines(name: str) -> tuple[str, str]:
    """Return the further imports and the call that make the dataset: by its name, or from the user's own file."""
    data = state.own().get(name)
    if data is None:
        return "", f'load_dataset("{name}")'
    names = ["CsvChoices"] if "CsvChoices(" in data.recipe else []
    return f"\nfrom stochattn_core.readers import {', '.join([*names, data.recipe.partition('(')[0]])}", data.recipe


def snippet(setting: TunedSetting) -> str:
    """Return a script that evaluates the setting and computes its members."""
    imports, dataset = _dataset_lines(setting.dataset.name)
    if setting.model.name in MODELS and MODELS[setting.model.name].task == "grid":
        imports += "\nfrom stochattn_core.datasets.base import thinned"
        dataset = f"thinned({dataset}, {setting.dataset.test.n_case})"
    what = f"ν = {setting.concentration}, {correction_text(setting.correction)}" if setting.correction else f"ν* = {setting.concentration}"
    layers = setting.layers or (MODELS[setting.model.name].layers if setting.model.name in MODELS else "*")
    if setting.correction:
        imports += "\nfrom stochattn_core.forecasts import Experiment, ensemble_of"
        members = f"""# the corrected members; network may be any torch module with attention
network = model.on(dataset)
members = ensemble_of(Experiment(network, dataset, tuned.setting, default_layers={json.dumps(layers)})).members
"""
    else:
        members = f"""# the members; network may be any torch module with attention
network = model.on(dataset)
members = sample_ensemble(
    network, dataset.test.inputs,
    concentration={setting.concentration}, n_member={setting.n_member}, seed={setting.seed}, layers={json.dumps(layers)},
)
"""
    core = "TunedSetting, evaluate" if setting.correction else "TunedSetting, evaluate, sample_ensemble"
    return f"""from stochattn_core import {core}
from stochattn_core import load_dataset, load_model{imports}

tuned = TunedSetting.load("tuned.json")  # {what}
model = load_model("{setting.model.name}")
dataset = {dataset}
evaluation = evaluate(model, dataset, tuned.setting)
print(evaluation.scores["spread_skill_ratio"])

{members}print(members.shape)  # (member, case, ...)
"""
