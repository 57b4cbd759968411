"""The table of panels: each draws, reads and lists its numbers; a new one is a tab of its tasks and a part of the report."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from stochattn_core import Setting, evaluate, load_dataset, load_model, report, tune
from stochattn_core.compare import compare
from stochattn_core.datasets.base import thinned
from stochattn_core.figures.theme import DARK, LIGHT
from stochattn_core.metrics.regions import Region
from stochattn_core.panels import PANELS, Panel, View, shown, tabs
from tests.app import PLANET, html, opened

VIEWS = {
    "table": ("ft_transformer", "diabetes", {}),
    "series": ("timesfm", "sunspots", {}),
    "series at a lead": ("timesfm", "sunspots", {"lead": 2}),
    "grid": ("climax", "planet", {"region": Region("Your box", 30, 60, -20, 40), "has_wind": False}),
    "spaghetti": ("climax", "planet", {"map_field": "contours", "projection": "orthographic"}),
}


@pytest.fixture(scope="module", params=VIEWS)
def view(request):
    model, name, more = VIEWS[request.param]
    dataset = load_dataset(name)
    dataset = thinned(dataset, 4) if dataset.task == "grid" else dataset
    return View(dataset=dataset, evaluation=evaluate(load_model(model), dataset, Setting(4, 9)), case=1, **more)


@pytest.fixture(scope="module")
def tuned_view(model, diabetes):
    tuning = tune(model, diabetes, n_member=9, n_pass=3)
    single = tune(model, diabetes, n_member=9, n_pass=3, search="thompson")
    compared = compare(model, diabetes, tuning)
    return [View(dataset=diabetes, tuning=result, comparison=compared, evaluation=tuning.after) for result in (tuning, single)]


def is_whole(panel: Panel, view: View) -> None:
    drawn, table = panel.draw(view, LIGHT), panel.rows(view)
    assert isinstance(table, pd.DataFrame) and len(table) and table.columns.is_unique, panel.key
    assert (drawn.figure is None) == (panel.figure is None), panel.key
    assert isinstance(drawn.reading, str) and "nan" not in drawn.reading.split(), panel.key
    assert drawn.reading == "" or drawn.reading.endswith("."), (panel.key, drawn.reading)
    if drawn.figure is not None:
        assert drawn.figure.data and drawn.figure.layout.title.text, panel.key
        assert panel.draw(view, DARK).figure.layout.paper_bgcolor != drawn.figure.layout.paper_bgcolor, panel.key


def test_every_panel_of_a_view_has_a_figure_a_sentence_and_numbers(view):
    panels = [panel for panel in PANELS.values() if panel.place in ("forecast", "diagnostics", "tab") and panel.shows(view)]
    assert {panel.place for panel in panels} == {"forecast", "diagnostics", "tab"}
    assert len(shown(view, "forecast")) == 1, "one forecast is shown, not two"
    for panel in panels:
        is_whole(panel, view)


def test_every_panel_of_a_tuning_has_a_figure_a_sentence_and_numbers(tuned_view):
    drawn = set()
    for view in tuned_view:
        for panel in shown(view, "tune", "compare"):
            is_whole(panel, view)
            drawn.add(panel.key)
    assert drawn == {panel.key for panel in PANELS.values() if panel.place in ("tune", "compare")}


def test_no_panel_is_left_out_of_every_view():
    places = {panel.key for panel in PANELS.values()}
    assert len(places) == len(PANELS) and all(panel.key == key for key, panel in PANELS.items())
    assert all(panel.tab for panel in PANELS.values() if panel.place in ("tab", "tune"))


def test_the_numbers_behind_the_pit_are_its_bars():
    dataset = load_dataset("diabetes")
    view = View(dataset=dataset, evaluation=evaluate(load_model("ft_transformer"), dataset, Setting(16, 19)))
    table, figure = PANELS["pit"].rows(view), PANELS["pit"].draw(view, LIGHT).figure
    np.testing.assert_allclose(figure.data[0].y, table["relative_frequency"])
    assert table["relative_frequency"].mean() == pytest.approx(1.0)


def test_a_panel_depends_on_what_it_says_and_on_nothing_else(view):
    """The rest of its cache key: a panel draws the same for two views that differ in a field that it does not name."""
    others = {
        "lead": view.lead and 1,
        "case": 2,
        "member": 2,
        "projection": "plate-carree",
        "region": Region("Other", 0, 40),
        "map_field": "error",
    }
    for panel in shown(view, "forecast", "diagnostics", "tab"):
        hash(panel.which(view))
        drawn = panel.draw(view, LIGHT)
        for name in others.keys() - set(panel.choices) if panel.is_cached else ():
            other = replace(view, **{name: others[name]})
            if panel.shows(other):
                again = panel.draw(other, LIGHT)
                assert again.reading == drawn.reading and again.figure == drawn.figure, (panel.key, name)
                pd.testing.assert_frame_equal(panel.rows(other), panel.rows(view))


# ---- a new panel, without editing any other file


def sharpness(view: View) -> np.ndarray:
    return np.asarray(view.ensemble.members).std(axis=0, ddof=1).ravel()


NEW = Panel(
    "sharpness",
    "Sharpness",
    "tab",
    sharpness,
    lambda spread: f"The median spread of a case is {np.median(spread):.3g}.",
    lambda spread: pd.DataFrame({"spread": spread[:5]}),
    lambda spread, palette: go.Figure(go.Histogram(x=spread), {"title": {"text": "Sharpness"}}),
    tab="Sharpness",
    tasks=("table", "series"),
    in_report=True,
)


@pytest.fixture
def sharp(monkeypatch):
    monkeypatch.setitem(PANELS, NEW.key, NEW)


@pytest.mark.parametrize(("query", "is_there"), [({}, True), ({"task": "series", "dataset": "sunspots"}, True), (PLANET, False)])
def test_a_new_panel_is_a_tab_of_its_tasks(sharp, query, is_there):
    task = query.get("task", "table")
    test = opened("explore", **query)
    assert not test.exception
    assert ("Sharpness" in [tab.label for tab in test.tabs]) is is_there
    if is_there:
        test.session_state[f"tabs-{task}"] = "Sharpness"
        test.session_state["numbers-sharpness"] = True
        test.run()
        assert not test.exception and not test.error
        assert "The median spread of a case is" in html(test) and ">spread</th>" in html(test)
        assert [figure for figure in test.get("bidi_component") if figure.proto.id.endswith("-sharpness")]


def test_a_new_panel_is_in_the_report(sharp, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(report.N_CASE, "table", 40)
    out = tmp_path / "report.html"
    assert report.main(["--out", str(out), "--only", "diabetes"]) == 0
    assert "The median spread of a case is" in out.read_text()


def test_tabs_follow_the_table(view):
    titles = list(tabs(view))
    assert titles == list(dict.fromkeys(panel.tab for panel in shown(view, "tab")))
    assert math.isfinite(view.ratio)
