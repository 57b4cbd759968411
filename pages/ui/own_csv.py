"""A CSV file of the user: its first rows, the choice of its columns, and the dataset made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import streamlit as st

from pages.ui import state
from pages.ui.choices import OWN, TASKS
from stochattn_core.readers import columns_of, series_from_csv, table_from_csv
from stochattn_core.readers.text.file import HEAD, open_csv

GRID_NAMES = (".nc", ".nc4", ".netcdf", ".cdf", ".h5")


@dataclass(frozen=True)
class OpenedCsv:
    """A text table that can be read. key: unique in this session.   rows: the first ones."""

    key: str
    source: Path | BinaryIO
    name: str
    rows: pd.DataFrame
    upload: bool = False


def own_name(*parts: str) -> str:
    """Return the name of a dataset of the user in this session."""
    return OWN + ("-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts).strip("-") or "file")


def first_rows(source: Path | BinaryIO) -> pd.DataFrame:
    """Return the first rows of a file; the rest is not read."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(HEAD)
    else:
        source.seek(0)
        head = source.read(HEAD)
        source.seek(0)
    part = BytesIO(head[: head.rfind(b"\n") + 1] or head)
    part.name = source.name
    return next(open_csv(part).chunks(), pd.DataFrame(columns=list(columns_of(source))))


def _time_column(rows: pd.DataFrame) -> str | None:
    """Return the first column of dates, or of numbers whose name is year, time, t, step or date; None if there is none."""
    for name in rows.columns:
        is_text = not pd.api.types.is_numeric_dtype(rows[name])
        if is_text and pd.to_datetime(rows[name], errors="coerce", format="mixed").notna().mean() > 0.9:
            return name
        if not is_text and re.fullmatch(r"year|time|t|step|date", name, re.IGNORECASE):
            return name
    return None


def columns_form(opened: OpenedCsv) -> None:
    """Ask which columns are times and target; then read the file and switch to Explore."""
    rows = opened.rows
    columns, time = list(rows.columns), _time_column(rows)
    if opened.name.lower().endswith(GRID_NAMES):
        st.info(
            f"{opened.name!r} has the name of a gridded file but is text by its content, so it is read as a table.", icon=":material/info:"
        )
    st.dataframe(rows.head(5), hide_index=True)
    kind = st.segmented_control(
        "Kind of data",
        ["series", "table"],
        default="series" if time else "table",
        format_func=TASKS.__getitem__,
        required=True,
        key=f"csv-kind-{opened.key}",
    )
    others = [name for name in columns if name != time] or columns
    with st.form("csv-columns", border=False, width=620):
        times = st.selectbox("Times", columns, index=columns.index(time) if time else 0) if kind == "series" else ""
        target = st.selectbox("Target: what is forecast", columns, index=columns.index(others[-1]))
        is_sent = st.form_submit_button("Use it on Explore", type="primary")
    if not is_sent:
        return
    name = own_name(opened.name.rsplit(".", 1)[0])
    with st.spinner("Reading the file"):
        source = opened.source
        data = series_from_csv(source, times, target, name=name) if kind == "series" else table_from_csv(source, target, name=name)
    state.bring(data)
    st.switch_page("pages/explore.py")
