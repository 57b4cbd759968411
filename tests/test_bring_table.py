"""The look at a text table on the page Bring your own: what is recognised, each control that changes it, and the dataset made of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pages.ui import export
from stochattn_core.readers import CsvChoices, grid_from_file, series_from_csv, table_from_csv
from tests.app import html, opened, upload
from tests.test_grids import fields, saved

N = 240
VALUES = (10 + np.sin(np.arange(N) * np.pi / 6) + 0.1 * np.random.default_rng(0).normal(size=N)).round(3)
MONTHS = pd.date_range("1990-01-01", periods=N, freq="MS")


@pytest.fixture(autouse=True)
def stay(monkeypatch):
    """The page that follows is another test's."""
    monkeypatch.setattr("pages.ui.own_csv.st.switch_page", lambda page: None)


def looked(text: str, name: str = "mine.csv"):
    test = opened("bring")
    upload(test, "own-file", name, text.encode())
    assert not test.exception
    return test


def control(test, label: str):
    (box,) = (box for box in (*test.main.selectbox, *test.main.text_input, *test.main.number_input) if box.label == label)
    return box


def used(test):
    """The dataset that the button makes."""
    test.button(key="use-csv").click().run()
    assert not test.exception and not test.error
    return list(test.session_state["own"].values())[-1]


def monthly(fields, times=None) -> str:
    times = MONTHS.strftime("%Y-%m-%d") if times is None else times
    return "date,v\n" + "".join(f"{time},{field}\n" for time, field in zip(times, fields, strict=True))


def test_the_page_shows_what_would_be_done_before_anything_runs():
    coded = np.where(np.arange(N) % 20 == 3, -99.99, VALUES)
    test = looked(monthly(coded))
    shown = html(test)
    assert not test.error
    for text in ("recognised as", "times", "numbers", "1990-01-01", "1 month", "12 steps (12 months)", "12 of 240 values (5.00%)", "gap"):
        assert text in shown, text
    assert "-99.99 occurs 12 times" in shown and "“none” under “Missing values” keeps it" in shown
    assert used(test).period == 12


# A file, the control that is changed, what it is set to, and what the dataset then is.
CONTROLS = {
    "a code is a value": (
        monthly(np.where(np.arange(N) % 20 == 3, -99, VALUES)), "Missing values", "none", lambda data: data.train.inputs.min() == -99
    ),
    "month first": (
        monthly(VALUES, MONTHS.strftime("%d/%m/%Y")), "Order of day and month", "month first, 12/31", lambda data: data.lead_unit != "month"
    ),
    "thousands": (monthly([f"{v:.3f}" for v in VALUES]), "Thousands mark", "point, 1.234", lambda data: data.train.inputs.min() > 8000),
    "a zone": (
        monthly(VALUES, pd.date_range("2021-01-01", periods=N, freq="h").strftime("%Y-%m-%d %H:%M")),
        "Time zone",
        "America/New_York",
        lambda data: any("America/New_York" in note for note in data.notes),
    ),
    "a wrong zone": (monthly(VALUES), "Time zone", "Mars/North", lambda data: data is None),
    "no header": (monthly(VALUES), "Header", "has no header", lambda data: data is None),
    "a season": (monthly(VALUES), "Season", 6, lambda data: data.period == 6),
    "a horizon": (monthly(VALUES), "Horizon", 5, lambda data: len(data.lead_time) == 5),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTROLS)
def test_every_control_changes_what_was_recognised_or_says_why_it_cannot(kind):
    text, label, value, is_so = CONTROLS[kind]
    test = looked(text)
    control(test, label).set_value(value).run()
    assert not test.exception
    if test.error:
        (error,) = test.error
        assert "--" not in error.value and "\n" not in error.value
        assert is_so(None)
    else:
        assert is_so(used(test))


def test_one_of_several_series_is_chosen_in_a_box():
    rows = "".join(
        f"{time:%Y-%m-%d},{name},{value + 10 * (name == 'B')}\n" for time, value in zip(MONTHS, VALUES, strict=True) for name in "AB"
    )
    test = looked("date,station,v\n" + rows)
    control(test, "Series: station").set_value("B").run()
    data = used(test)
    assert data.train.inputs.min() > 18 and data.period == 12 and "series=('station=B',)" in data.recipe


def test_a_row_of_a_wide_file_is_the_target():
    years = range(1900, 2020)
    rows = "".join(f"{name},{','.join(f'{value + i:.2f}' for value in VALUES[:120])}\n" for i, name in enumerate(("Peru", "Chad")))
    test = looked(f"country,{','.join(map(str, years))}\n{rows}")
    assert not test.error and control(test, "Times").value == "header"
    control(test, "Target: what is forecast").set_value("Chad").run()
    data = used(test)
    assert data.train.inputs.min() > 9.5 and data.train.index[0].year >= 1900 and data.lead_unit == "year"


def test_two_targets_of_one_file_are_two_datasets():
    text = "date,v,w\n" + "".join(f"{time:%Y-%m-%d},{value},{2 * value}\n" for time, value in zip(MONTHS, VALUES, strict=True))
    test = looked(text)
    assert used(test).target_name == "w"
    control(test, "Target: what is forecast").set_value("v").run()
    used(test)
    assert len(test.session_state["own"]) == 2


def written(folder, name: str, text: str):
    path = folder / name
    path.write_text(text)
    return path


MAKERS = {
    "a series": lambda folder: series_from_csv(
        written(folder, "a b.csv", monthly(np.where(np.arange(N) % 20 == 3, "n/d", VALUES))),
        "date",
        "v",
        horizon=7,
        choices=CsvChoices(missing=("n/d",)),
    ),
    "a table": lambda folder: table_from_csv(
        written(folder, "t.csv", "a;y\n" + "".join(f"{v};{2 * v}\n".replace(".", ",") for v in VALUES)),
        "y",
        choices=CsvChoices(decimal=","),
    ),
    "maps": lambda folder: grid_from_file(saved(fields(), folder), "t", lead_time=12),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_the_exported_lines_make_the_same_dataset(kind, tmp_path, monkeypatch):
    """For a file of the user's own they read that file, as it was read; no table knows its name."""
    monkeypatch.chdir(tmp_path)
    brought = MAKERS[kind](tmp_path)
    monkeypatch.setattr(export.state, "own", lambda: {brought.name: brought})
    more, call = export._dataset_lines(brought.name)
    names: dict = {}
    exec(f"{more}\ndataset = {call}", names)
    assert names["dataset"].sha256 == brought.sha256
    assert export._dataset_lines("diabetes") == ("", 'load_dataset("diabetes")')
