"""What leaves the app: the tuned setting, the scores, and the lines of Python that apply it."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from pages.ui import cached, corrections_panel, groups_panel, state
from pages.ui.choices import Settings, correction_text
from pages.ui.work import Work, refusals
from stochattn_core.datasets.base import Dataset
from stochattn_core.models import MODELS
from stochattn_core.tuned_setting import TunedSetting
from stochattn_core.tuning import Tuning
from stochattn_core.tuning.setting_export import with_groups


def downloads(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    """The files of ν alone, or of the correction that the user chose above."""
    st.subheader("Take it home")
    setting, row = with_groups(tuned.setting, groups_panel.known(settings, data, tuned)), corrections_panel.row_taken(tuned)
    if row is not None and row.setting is not None:
        work = Work(st.empty(), "Reading it back", key="taken", on_stop=lambda: state.remember(taken=None))
        with refusals(stop=False):
            setting = cached.tuned_setting_of_row(data, tuned, row, work)
        work.done()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"With **{row.title}** ({corrections_panel.setting_text(row.setting)}): {setting.verdict}.")
            st.button("Back to ν alone", type="tertiary", key="take-alone", on_click=state.remember, kwargs={"taken": None})
    with st.container(horizontal=True):
        st.download_button(
            "tuned.json", setting.dumps(), "tuned.json", "application/json", icon=":material/download:", type="primary", key="tuned-json"
        )
        st.download_button(
            "Scores as CSV",
            scores_csv(setting),
            f"scores-{setting.model.name}-{setting.dataset.name}.csv",
            "text/csv",
            icon=":material/download:",
        )
    st.caption(
        "tuned.json holds ν* with its intervals, the verdict with its evidence, a correction and groups where there are any, and where all of it came from. "
        "The page Bring your own loads it: the same numbers come back."
    )
    st.code(snippet(setting), language="python")


def scores_csv(setting: TunedSetting) -> str:
    before, after = setting.scores.before, setting.scores.after
    names = list(dict.fromkeys([*after, *before]))
    rows = {"score": names, "before": [before.get(name) for name in names], "after": [after.get(name) for name in names]}
    return pd.DataFrame(rows).to_csv(index=False)


def _dataset_lines(name: str) -> tuple[str, str]:
    """What to import besides, and the call that makes the dataset: by its name, or from the user's own file."""
    data = state.own().get(name)
    if data is None:
        return "", f'load_dataset("{name}")'
    file, target = json.dumps(data.source.removeprefix("your file "), ensure_ascii=False), json.dumps(data.target_name, ensure_ascii=False)
    if data.task == "grid":
        return (
            "\nfrom stochattn_core.readers import grid_from_file",
            f"grid_from_file({file}, {target}, lead_time={data.lead_time[0]})",
        )
    if data.task == "series":
        return "\nfrom stochattn_core.readers import series_from_csv", f'series_from_csv({file}, "the column of times", {target})'
    return "\nfrom stochattn_core.readers import table_from_csv", f"table_from_csv({file}, {target})"


def snippet(setting: TunedSetting) -> str:
    """The same in a script, for the model of the setting and for any module of one's own."""
    few, thin = _dataset_lines(setting.dataset.name)
    if setting.model.name in MODELS and MODELS[setting.model.name].task == "grid":
        few, thin = f"{few}\nfrom stochattn_core.datasets.base import thinned", f"thinned({thin}, {setting.dataset.test.n_case})"
    said = f"ν = {setting.concentration}, {correction_text(setting.correction)}" if setting.correction else f"ν* = {setting.concentration}"
    layers = setting.layers or (MODELS[setting.model.name].layers if setting.model.name in MODELS else "*")
    if setting.correction:
        few += "\nfrom stochattn_core.forecasts import Experiment, ensemble_of"
        members = f"""# the members themselves, corrected, from any torch module with attention
network = model.on(dataset)
members = ensemble_of(Experiment(network, dataset, tuned.setting, default_layers={json.dumps(layers)})).members
"""
    else:
        members = f"""# the members themselves, from any torch module with attention
network = model.on(dataset)
members = sample_ensemble(
    network, dataset.test.inputs,
    concentration={setting.concentration}, n_member={setting.n_member}, seed={setting.seed}, layers={json.dumps(layers)},
)
"""
    core = "TunedSetting, evaluate" if setting.correction else "TunedSetting, evaluate, sample_ensemble"
    return f"""from stochattn_core import {core}
from stochattn_core import load_dataset, load_model{few}

tuned = TunedSetting.load("tuned.json")  # {said}
model = load_model("{setting.model.name}")
dataset = {thin}
found = evaluate(model, dataset, tuned.setting)
print(found.scores["spread_skill_ratio"])

{members}print(members.shape)  # (member, case, ...)
"""
