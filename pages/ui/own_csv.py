"""A text table of the user: a look at it, the choices it leaves, and the dataset made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import streamlit as st

from pages.ui import csv_choices, state, widgets
from pages.ui.choices import OWN, TASKS
from stochattn_core.readers import series_from_csv, table_from_csv
from stochattn_core.readers.look import Look
from stochattn_core.readers.text.choices import CsvChoices
from stochattn_core.readers.text.file import CsvFile, open_csv
from stochattn_core.readers.text.layout import HEADER, labels_of, time_columns
from stochattn_core.readers.text.look import likely_target, likely_time, look_at_table

GRID_NAMES = (".nc", ".nc4", ".netcdf", ".cdf", ".h5")
SHOWN = 30  # columns in the table of contents


@dataclass(frozen=True)
class OpenedCsv:
    """A text table that can be read. key: unique in this session."""

    key: str
    source: Path | BinaryIO
    name: str
    upload: bool = False


def own_name(*parts: str) -> str:
    """Return the name of a dataset of the user in this session."""
    return OWN + ("-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts).strip("-") or "file")


def checked(opened: OpenedCsv) -> OpenedCsv:
    """Return it where its first lines are those of a text table; ValueError where they are not."""
    open_csv(opened.source, whole=False)
    return opened


def columns_form(opened: OpenedCsv) -> None:
    """Show what the file holds as it is recognised and what would be forecast, with every choice; then read it and switch to Explore."""
    if opened.name.lower().endswith(GRID_NAMES):
        st.info(
            f"{opened.name!r} has the name of a gridded file but is text by its content, so it is read as a table.", icon=":material/info:"
        )
    contents = st.container()
    kind, wanted = _what_is_forecast(opened)
    choices = csv_choices.controls(opened.key, kind, state.remembered(f"series-of-{opened.key}", {}))
    with st.spinner("Reading the file"):
        look = _look(opened, kind, wanted, choices)
    if look.choose and dict(look.choose) != state.remembered(f"series-of-{opened.key}"):
        state.remember(**{f"series-of-{opened.key}": dict(look.choose)})
        st.rerun()
    with contents:
        _contents(look)
    _plan(look)
    is_sent = st.button("Use it on Explore", type="primary", key="use-csv", disabled=bool(look.problem))
    if is_sent:
        _use(opened, kind, look, wanted, choices)


def _what_is_forecast(opened: OpenedCsv) -> tuple[str, dict[str, Any]]:
    """Ask for the kind of data, times, target and lengths; return the kind and the arguments of look_at_table."""
    file = open_csv(opened.source, csv_choices.header_choice(opened.key), whole=False)
    time = likely_time(file)
    kind = st.segmented_control(
        "Kind of data",
        ["series", "table"],
        default="series" if time else "table",
        format_func=TASKS.__getitem__,
        required=True,
        key=f"csv-kind-{opened.key}",
    )
    cells = st.columns([2, 2, 1, 1, 1])
    wanted: dict[str, Any] = {}
    if kind == "series":
        times = list(dict.fromkeys([*([time] if time else []), *file.columns, *([HEADER] if time_columns(file.columns) else [])]))
        wanted["time"] = cells[0].selectbox("Times", times, format_func=_time_text, key=f"csv-time-{opened.key}")
    targets = _targets(file, wanted.get("time"))
    usual = likely_target(file, wanted.get("time"))
    wanted["target"] = cells[kind == "series"].selectbox(
        "Target: what is forecast", targets, index=targets.index(usual) if usual in targets else 0, key=f"csv-target-{opened.key}-{kind}"
    )
    if kind == "series":
        for cell, name, help_text in zip(cells[2:], csv_choices.LENGTHS, csv_choices.LENGTHS.values(), strict=True):
            value = cell.number_input(
                name.capitalize(), min_value=1, value=None, step=1, placeholder="found out", help=help_text, key=f"csv-{name}-{opened.key}"
            )
            wanted[name] = None if value is None else int(value)
    return kind, wanted


def _targets(file: CsvFile, time: str | None) -> list[str]:
    if time == HEADER:
        return [text for texts in labels_of(file).values() for text in texts] or list(file.columns)
    return list(file.columns)


def _time_text(name: str) -> str:
    return "the header" if name == HEADER else name.replace(",", " and ") if "," in name else name


def _look(opened: OpenedCsv, kind: str, wanted: dict[str, Any], choices: CsvChoices) -> Look:
    """Return the look at the file, the one from before where nothing has changed."""
    key = (opened.key, kind, tuple(wanted.items()), choices)
    known: tuple[object, Look] | None = state.remembered("look")
    if known is None or known[0] != key:
        known = (key, look_at_table(opened.source, kind=kind, choices=choices, **wanted))
        state.remember(look=known)
    return known[1]


def _contents(look: Look) -> None:
    """Show the columns as they are recognised."""
    st.markdown(f"**{look.file}** holds {dict(look.facts)['file']}")
    rows = [
        [
            column.name,
            column.kind,
            " … ".join(text for text in (", ".join(column.first), ", ".join(column.last)) if text),
            f"{column.missing:.1%}" if column.missing == column.missing else "–",
            column.units or "–",
        ]
        for column in look.columns[:SHOWN]
    ]
    widgets.table(["column", "recognised as", "first … last values", "missing", "units"], rows)
    if len(look.columns) > SHOWN:
        st.caption(f"and {len(look.columns) - SHOWN:,} more columns.")


def _plan(look: Look) -> None:
    """Show what would be done with the file, what was recognised, and why it cannot be used as it is."""
    facts = [[label, text] for label, text in look.facts if label != "file"]
    if facts:
        widgets.facts(facts)
    for note in look.notes:
        widgets.reading(widgets.capital(csv_choices.in_words_of_the_page(note)))
    if look.problem:
        st.error(widgets.capital(csv_choices.in_words_of_the_page(look.problem)), icon=":material/error:")


def _use(opened: OpenedCsv, kind: str, look: Look, wanted: dict[str, Any], choices: CsvChoices) -> None:
    name = own_name(opened.name.rsplit(".", 1)[0], look.target)
    with st.spinner("Reading the file"):
        if kind == "series":
            lengths = {length: wanted[length] for length in csv_choices.LENGTHS}
            data = series_from_csv(opened.source, look.time, look.target, choices=choices, name=name, **lengths)
        else:
            data = table_from_csv(opened.source, look.target, choices=choices, name=name)
    state.bring(data)
    st.switch_page("pages/explore.py")
