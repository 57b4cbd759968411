"""stochattn look: the same look at a file in the terminal."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from stochattn_core.__main__ import main

N = 240
VALUES = (10 + np.sin(np.arange(N) * np.pi / 6)).round(3)
MONTHS = pd.date_range("1990-01-01", periods=N, freq="MS").strftime("%d/%m/%Y")


def written(folder, text: str):
    path = folder / "mine.csv"
    path.write_text(text)
    return str(path)


def series(fields) -> str:
    return "date,v (degC)\n" + "".join(f"{time},{field}\n" for time, field in zip(MONTHS, fields, strict=True))


def test_look_says_what_would_be_forecast_from_what(capsys, tmp_path):
    assert main(["look", written(tmp_path, series(VALUES))]) == 0
    text = capsys.readouterr().out
    for words in (
        "mine.csv: series",
        "times",
        "numbers",
        "degC",
        "1990-01-01 to 2009-12-01",
        "1 month",
        "12 steps (12 months)",
        "read with the day first",
    ):
        assert words in text, words


def test_look_is_one_json_document(capsys, tmp_path):
    assert main(["look", written(tmp_path, series(np.where(np.arange(N) % 20 == 3, -99, VALUES))), "--json"]) == 0
    look = json.loads(capsys.readouterr().out)
    assert look["kind"] == "series" and look["problem"] is None and look["facts"]["missing"] == "12 of 240 values (5.00%)"
    assert [column["kind"] for column in look["columns"]] == ["times", "numbers"] and look["columns"][1]["first"] == [
        f"{v:g}" for v in VALUES[:2]
    ]


def test_look_says_why_a_file_cannot_be_used_and_then_how_it_can(capsys, tmp_path):
    path = written(tmp_path, series(["n/d" if i % 20 == 3 else v for i, v in enumerate(VALUES)]))
    assert main(["look", path]) == 0
    assert "cannot be used as it is: expected numbers" in capsys.readouterr().out
    assert main(["look", path, "--missing", "n/d", "--horizon", "6", "--season", "12"]) == 0
    text = capsys.readouterr().out
    assert "cannot be used" not in text and "6 months ahead in 6 steps" in text


@pytest.mark.parametrize("name", ["none.csv", "~nobody-here/x", ""])
def test_a_path_to_nothing_is_refused_in_one_sentence(name, capsys, tmp_path):
    assert main(["look", str(tmp_path / name) if name == "none.csv" else name or str(tmp_path / "folder")]) == 2
    assert "expected a file or a Zarr folder" in capsys.readouterr().err


def test_a_code_with_a_minus_may_follow_its_option(capsys, tmp_path):
    path = written(tmp_path, series(np.where(np.arange(N) % 20 == 3, -7, VALUES)))
    assert main(["look", path, "--missing", "-7,n/d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["missing"] == "12 of 240 values (5.00%)"
