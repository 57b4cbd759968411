"""The calibration report: a page that loads no other file, and a file with its numbers."""

import json
import re

import numpy as np

from stochattn_core import report


def test_a_page_of_one_dataset_contains_its_figures_and_loads_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(report.N_CASE, "table", 40)
    out = tmp_path / "report.html"
    assert report.main(["--out", str(out), "--only", "diabetes", "--data", str(tmp_path)]) == 0
    text, numbers = out.read_text(), json.loads(out.with_suffix(".json").read_text())["diabetes"]
    assert text.count("Plotly.newPlot(") >= 5 and text.count("plotly.js v") <= 2
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", text)
    assert numbers["setting"]["verdict"] in text.lower() and numbers["n_test"] == 40
    assert numbers["setting"]["references"]["sentence"] in text
    assert {row["name"] for row in numbers["corrections"]} >= {"nu alone", "inflation", "split-conformal"}
    assert set(numbers["objectives"]) == {"pooled", "per-sample", "averaged", "ratio", "crps", "w1"}


def test_a_file_that_cannot_be_used_has_a_sentence_and_the_others_follow(tmp_path, capsys):
    (tmp_path / "uci" / "tiny").mkdir(parents=True)
    np.savetxt(tmp_path / "uci" / "tiny" / "data.txt", np.ones((4, 3)))
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "daily-min-temperatures.csv").write_text("Date,Temp\n1981-01-01,20.7\n")
    out = tmp_path / "report.html"
    assert set(report.cases(tmp_path)) >= {"tiny", "daily-min-temperatures", "diabetes"}
    assert report.main(["--out", str(out), "--only", "daily-min-temperatures", "--data", str(tmp_path)]) == 0
    assert "expected" in json.loads(out.with_suffix(".json").read_text())["daily-min-temperatures"]["problem"]


def test_an_unknown_name_is_refused_in_one_line(tmp_path, capsys):
    assert report.main(["--only", "none", "--data", str(tmp_path)]) == 2
    assert "expected names out of diabetes" in capsys.readouterr().err
