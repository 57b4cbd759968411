"""A text table of the user's own: its first rows, what its columns are, and the dataset made of them."""

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
from stochattn_core.readers.csv_file import HEAD, open_csv

GRID_NAMES = (".nc", ".nc4", ".netcdf", ".cdf", ".h5")


@dataclass(frozen=True)
class OpenedCsv:
    """A text table that can be read. key tells it from others in this session; rows are its first."""

    key: str
    source: Path | BinaryIO
    name: str
    rows: pd.DataFrame
    upload: bool = False


def own_name(*parts: str) -> str:
    """The name under which a session keeps a dataset that it brought."""
    return OWN + ("-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts).strip("-") or "file")


def first_rows(source: Path | BinaryIO) -> pd.DataFrame:
    """What the first lines of a file hold, read without the rest of it."""
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
    """The first column of dates, or of whole numbers that are called a year or a time."""
    for name in rows.columns:
        text = not pd.api.types.is_numeric_dtype(rows[name])
        if text and pd.to_datetime(rows[name], errors="coerce", format="mixed").notna().mean() > 0.9:
            return name
        if not text and re.fullmatch(r"year|time|t|step|date", name, re.IGNORECASE):
            return name
    return None


def columns_form(opened: OpenedCsv) -> None:
    rows = opened.rows
    columns, time = list(rows.columns), _time_column(rows)
    if opened.name.lower().endswith(GRID_NAMES):
        st.info(f"{opened.name!r} is called a grid, but it is text by its content: it is read as a table.", icon=":material/info:")
    st.dataframe(rows.head(5), hide_index=True)
    kind = st.segmented_control(
        "It is a",
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
        sent = st.form_submit_button("Use it on Explore", type="primary")
    if not sent:
        return
    name = own_name(opened.name.rsplit(".", 1)[0])
    with st.spinner("Reading the file"):
        source = opened.source
        data = series_from_csv(source, times, target, name=name) if kind == "series" else table_from_csv(source, target, name=name)
    state.bring(data)
    st.switch_page("pages/explore.py")
