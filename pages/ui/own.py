"""The parts of the page Bring your own: a CSV file as a dataset, a tuned.json loaded back, how to add a model."""

from __future__ import annotations

import math
import re
from io import BytesIO

import pandas as pd
import streamlit as st
import torch

from pages.ui import cached, look, search, state
from pages.ui.choices import FORECASTS, OWN, TASKS, unfolded
from pages.ui.work import Work, refusals
from stochattn_core.datasets import DATASETS
from stochattn_core.datasets.csv_file import open_csv
from stochattn_core.datasets.own_csv import columns_of, series_from_csv, table_from_csv
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.theme import number
from stochattn_core.models import MODELS
from stochattn_core.settings import TunedSetting

LIMIT = "Up to 200 MB. Of a table with very many rows a part is drawn at random, and the page says so. Text, not Excel; never a pickle."
STEPS = (
    (
        "A table or a series",
        "A table has one row a case: every other column helps to forecast the target. A series has a column of times and one of values.",
    ),
    (
        "Three parts",
        "Never overlapping: the model is trained on the first, ν is tuned on the second, every number shown is from the third. Series are cut in time.",
    ),
    (
        "A dataset like the others",
        "It opens on Explore, with its scores beside those of forecasts that need no network; then tune it and take the file home.",
    ),
)


def data_form() -> None:
    """A file, what it holds, which columns: then it is a dataset like the others."""
    file = st.file_uploader("CSV file", type=None, key="csv-file", help=LIMIT)
    st.caption(LIMIT)
    if _brought():
        st.caption("Brought in this session: " + ", ".join(_brought()) + ". Choose it in the sidebar.")
    if file is None:
        look.steps(STEPS)
        return
    with refusals(stop=False):
        _columns_form(file, _first_rows(file))


def _first_rows(file) -> pd.DataFrame:
    """What the first lines of a file hold, read without the rest of it."""
    file.seek(0)
    head = file.read(1 << 16)
    file.seek(0)
    part = BytesIO(head[: head.rfind(b"\n") + 1] or head)
    part.name = file.name
    return next(open_csv(part).chunks(), pd.DataFrame(columns=list(columns_of(file))))


def _time_column(rows: pd.DataFrame) -> str | None:
    """The first column of dates, or of whole numbers that are called a year or a time."""
    for name in rows.columns:
        text = not pd.api.types.is_numeric_dtype(rows[name])
        if text and pd.to_datetime(rows[name], errors="coerce", format="mixed").notna().mean() > 0.9:
            return name
        if not text and re.fullmatch(r"year|time|t|step|date", name, re.IGNORECASE):
            return name
    return None


def _columns_form(file, rows: pd.DataFrame) -> None:
    columns, time = list(rows.columns), _time_column(rows)
    st.dataframe(rows.head(5), hide_index=True)
    kind = st.segmented_control(
        "It is a",
        ["series", "table"],
        default="series" if time else "table",
        format_func=TASKS.get,
        required=True,
        key=f"csv-kind-{file.file_id}",
    )
    others = [name for name in columns if name != time] or columns
    with st.form("csv-columns", border=False, width=620):
        if kind == "series":
            time = st.selectbox("Times", columns, index=columns.index(time) if time else 0)
        target = st.selectbox("Target: what is forecast", columns, index=columns.index(others[-1]))
        sent = st.form_submit_button("Use it on Explore", type="primary")
    if not sent:
        return
    name = OWN + (re.sub(r"[^a-z0-9]+", "-", file.name.rsplit(".", 1)[0].lower()).strip("-") or "file")
    with st.spinner("Reading the file"):
        data = series_from_csv(file, time, target, name=name) if kind == "series" else table_from_csv(file, target, name=name)
    state.bring(data)
    st.switch_page("pages/explore.py")


def _brought() -> list[str]:
    return [data.title for data in state.own().values()]


def saved_setting() -> None:
    """A tuned.json: what it says, and the same numbers computed here."""
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        file = st.file_uploader("tuned.json", type=None, key="tuned-file")
        if file is not None:
            with refusals(stop=False):  # what was loaded before stays when this one is refused
                state.keep(saved=TunedSetting.load(file))
        st.caption(
            "A setting that the Tune page or the command line exported. It is checked against the model's weights and the data before it is used."
        )
    saved: TunedSetting | None = state.kept("saved")
    if saved is None:
        with right:
            st.caption("Load a tuned.json to see its numbers here, computed again.")
        return
    with right:
        grade = search.GRADES.get(saved.verdict, "bad")
        interval = f"{saved.interval.level:.0%} interval {number(saved.interval.low)} to {number(saved.interval.high)}"
        look.verdict(
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
        data = cached.part_of(data, saved.dataset.test.n_case)
    work = Work(st.empty(), "Computing it again", key="saved", on_stop=_forget)
    found = cached.evaluation(saved.model.name, data, saved.setting, work)
    work.done()
    saved.check(found.model, found.weights_sha256, cached.digest(data))
    rows = [[name, _cell(saved.scores.after.get(key)), _cell(found.scores.get(key)), _same(saved, found, key)] for key, name in search.ROWS]
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        look.table(["score on the test part", "in the file", "computed here", ""], rows)
    with right:
        marks = {_same(saved, found, key) for key, _ in search.ROWS}
        made = f"the file was made on {saved.device} with torch {saved.software.get('torch', '?')}, this is {found.device} with torch {torch.__version__}"
        if marks == {"same"}:
            look.reading("The same numbers, bit for bit.")
        elif "differs" in marks:
            look.reading(f"The numbers differ: {made}.")
        else:
            look.reading(f"The same numbers to five digits; {made}.")
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
        case=0,
        **unfolded(saved.dataset.name),
    )
    st.switch_page("pages/explore.py")


def _forget() -> None:
    state.keep(saved=None)


def _cell(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:#.5g}"


def _same(saved: TunedSetting, found: Evaluation, key: str) -> str:
    before, here = saved.scores.after.get(key), found.scores.get(key)
    if before == here:
        return "same"
    return "same to 5 digits" if before is not None and math.isclose(before, here, rel_tol=1e-5) else "differs"


def model_guide() -> None:
    st.markdown(
        "Any `torch.nn.Module` with attention can be sampled; no training, no change to it. What comes in is folded member-major, what comes out has the "
        "member axis first. Code is never uploaded here: run it where your model lives."
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**In your own script**")
        st.code(SCRIPT, language="python")
    with right:
        st.markdown("**As an entry of this app**: one new file in `stochattn_core/models/`, one line in its table")
        st.code(ENTRY, language="python")
    st.caption(
        "A model whose attention is not answered is refused by name (NoAttentionError, UnansweredAttentionError): a deterministic ensemble is never "
        "passed off as a stochastic one."
    )


SCRIPT = """import torch
from stochattn_core import sample_ensemble

network = torch.nn.TransformerEncoder(
    torch.nn.TransformerEncoderLayer(32, 4, batch_first=True), 2
).eval()
x = torch.randn(8, 16, 32)

members = sample_ensemble(
    network, x, concentration=64, n_member=49
)
print(members.shape)          # member first: 49, 8, 16, 32
print(members.std(0).mean())  # how far the members differ
"""

ENTRY = '''from stochattn_core.models.base import Model

class Mine(Model):
    """What it is, in one line."""

    name = "mine"
    task = "series"
    title = "My transformer"
    source = "where it comes from"
    licence = "Apache-2.0"

    def on(self, dataset, *, device="auto", progress=None):
        self.check(dataset)
        # a module: (case, context) -> (case, lead_time)
        return load_my_network().eval()
'''
