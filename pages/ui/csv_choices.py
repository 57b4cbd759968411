"""The controls that change what is recognised in a text table, one for each option of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui import state, widgets
from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices, fields_of

FOUND_OUT = "as recognised"
DECIMALS = {FOUND_OUT: None, "point, 1.5": ".", "comma, 1,5": ","}
THOUSANDS = {
    FOUND_OUT: None, "none, 1234": "", "comma, 1,234": ",", "point, 1.234": ".", "apostrophe, 1'234": "'", "space, 1 234": " ",
}  # fmt: skip
DAY_FIRST = {FOUND_OUT: None, "day first, 31/12": True, "month first, 12/31": False}
HEADERS = {FOUND_OUT: None, "has a header": True, "has no header": False}
SPLITS = {FOUND_OUT: None, "in time": "time", "at random": "random"}
LENGTHS = {
    "horizon": "How many steps ahead are forecast. Without a number: one season, at most 24 steps.",
    "context": "How many steps the model is given. Without a number: 96, or two seasons if that is more.",
    "season": "The length of the season in steps, 1 for none. Without a number it is looked for in the first 60% of the series.",
}
# The option of the command line and the control of the page.
LABELS = {
    "decimal": "Decimal mark",
    "thousands": "Thousands mark",
    "missing": "Missing values",
    "dayfirst": "Order of day and month",
    "timezone": "Time zone",
    "no-header": "Header",
    "header": "Header",
    "split": "Split",
    "series": "Series",
    "time": "Times",
}


def header_choice(key: str) -> CsvChoices:
    """Return what the user says about the header, before its control is drawn: the names of the columns depend on it."""
    return CsvChoices(header=HEADERS[state.answer(f"csv-header-{key}") or FOUND_OUT])


def controls(key: str, kind: str, several: Mapping[str, Sequence[str]]) -> CsvChoices:
    """Draw the controls and return what they say. several: columns that tell series apart, with their values."""
    series = []
    if kind == "series" and several:
        for cell, (column, values) in zip(st.columns(max(3, len(several))), several.items(), strict=False):
            value = cell.selectbox(f"Series: {column}", values, key=f"csv-series-{column}-{key}")
            series.append(f"{column}={value}")
    with st.expander("How the file is written: change what was recognised"):
        left, middle, right = st.columns(3)
        decimal = left.selectbox(LABELS["decimal"], DECIMALS, key=f"csv-decimal-{key}")
        thousands = left.selectbox(LABELS["thousands"], THOUSANDS, key=f"csv-thousands-{key}")
        header = middle.selectbox(LABELS["header"], HEADERS, key=f"csv-header-{key}")
        day_first = middle.selectbox(LABELS["dayfirst"], DAY_FIRST, key=f"csv-dayfirst-{key}")
        missing = right.text_input(
            LABELS["missing"],
            key=f"csv-missing-{key}",
            placeholder="-99, n/d",
            help="Fields that stand for missing values; none: no number does.",
        )
        zone = right.text_input(
            LABELS["timezone"], key=f"csv-timezone-{key}", placeholder="Europe/Berlin", help="The zone of the clock that wrote the times."
        )
        split = left.selectbox(LABELS["split"], SPLITS, key=f"csv-split-{key}") if kind == "table" else FOUND_OUT
        if kind == "series" and not several:
            text = middle.text_input(
                LABELS["series"], key=f"csv-one-series-{key}", placeholder="station=A", help="Which of several series in the file."
            )
            series += [text.strip()] if text.strip() else []
    try:
        return CsvChoices(
            decimal=DECIMALS[decimal],
            thousands=THOUSANDS[thousands],
            missing=fields_of(missing),
            dayfirst=DAY_FIRST[day_first],
            timezone=zone.strip() or None,
            header=HEADERS[header],
            series=tuple(series),
            split=SPLITS[split],
        )
    except ValueError as refusal:
        st.error(widgets.capital(str(refusal)), icon=":material/error:")
        return FIND_OUT


def in_words_of_the_page(sentence: str) -> str:
    """Return a sentence of the reader with the names of controls instead of options of the command line.

    >>> in_words_of_the_page("99 is taken as missing; --missing none keeps it")
    '99 is taken as missing; “none” under “Missing values” keeps it'
    >>> in_words_of_the_page("give --dayfirst yes or --dayfirst no")
    'choose it under “Order of day and month”'
    """
    sentence = re.sub(r"give --dayfirst yes or --dayfirst no", f"choose it under “{LABELS['dayfirst']}”", sentence)
    sentence = re.sub(
        r"give --thousands (\S) or --decimal \S", rf"choose it under “{LABELS['thousands']}” or “{LABELS['decimal']}”", sentence
    )
    names = "|".join(sorted(LABELS, key=len, reverse=True))
    sentence = re.sub(rf"give --({names})[ =](\"[^\"]*\"|\S+)", lambda found: f"enter {found[2]} under “{LABELS[found[1]]}”", sentence)
    sentence = re.sub(r"--(missing|timezone) (none|UTC) keeps", lambda found: f"“{found[2]}” under “{LABELS[found[1]]}” keeps", sentence)
    sentence = re.sub(r"--missing (\S+) changes", lambda found: f"“{found[1]}” under “{LABELS['missing']}” changes", sentence)
    sentence = re.sub(rf"--({names}) (?:yes|no|random|time) changes", lambda found: f"“{LABELS[found[1]]}” changes", sentence)
    return re.sub(rf"--({names})\b", lambda found: f"“{LABELS[found[1]]}”", sentence)
