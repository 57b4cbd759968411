"""Every page opens, the sidebar and the slider answer, and tuning ends in a file."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.choices import GRID, models, slider_position
from stochattn_core.datasets import DATASETS
from tests.app import PAGES, ROOT, html, opened


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_by_itself(name):
    test = opened(name)
    assert not test.exception
    assert "sa-title" in html(test)
    assert {box.key for box in test.sidebar.selectbox} >= {"model", "dataset"}


def test_the_router_opens_the_first_page():
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    test.query_params["dataset"] = "diabetes"
    test.run()
    assert not test.exception
    assert "Spread-skill ratio" in html(test)


def test_another_task_brings_its_own_models_and_datasets():
    test = opened("method")
    task = next(group for group in test.sidebar.get("button_group") if group.key == "task")
    assert task.value == "table"
    task.set_value("series").run()
    assert not test.exception
    assert not test.exception
    assert test.selectbox(key="model").value in models("series")
    assert DATASETS[test.selectbox(key="dataset").value].task == "series"


def test_the_slider_changes_the_scores_and_the_address():
    test = opened("explore", nu="64")
    ratio = lambda: float(re.search(r'class="sa-value">([\d.]+)', html(test)).group(1))  # noqa: E731
    before = ratio()
    test.select_slider(key="nu").set_value(8.0).run()
    assert not test.exception
    assert ratio() > 1.5 * before, "an eighth of the draws spreads wider"
    assert test.query_params["nu"] == "8"


def test_the_line_above_the_slider_says_what_is_ready_and_can_be_switched_off():
    test = opened("explore", nu="64", seed="11")
    assert "1 of 25 concentrations ready" in html(test)
    assert "prefetch" not in test.query_params
    test.toggle(key="prefetch").set_value(False).run()
    assert not test.exception
    assert "concentrations ready" not in html(test)
    assert test.query_params["prefetch"] == "no"


def test_slider_positions_are_those_of_the_options():
    options = list(GRID)
    assert [slider_position(nu, options) for nu in options] == list(range(len(options)))
    assert 0 < slider_position(1.5, options) < 1


def test_the_plain_model_has_no_spread_and_the_page_says_so():
    test = opened("explore", nu="inf")
    assert not test.exception
    assert "no spread" in html(test)


def test_nine_members_are_not_asked_to_hold_more_than_eighty_percent():
    test = opened("explore")
    assert "80% coverage" in html(test) and "90% coverage" not in html(test)


def test_a_pattern_that_matches_no_layer_is_one_sentence_and_the_sidebar_stays():
    test = opened("explore", layers="no.such.layer")
    assert not test.exception
    assert len(test.error) == 1
    test.text_input(key="layers").set_value("").run()
    assert not test.exception and not test.error
    assert "Spread-skill ratio" in html(test)


def test_layers_are_chosen_by_name_or_by_a_pattern_of_ones_own():
    test = opened("method", task="grid")
    chosen = test.selectbox(key="layer-group")
    assert chosen.options == ["Blocks only (default)", "All attention", "Custom pattern"]
    assert chosen.value == "" and not [field for field in test.text_input if field.key == "layers"]
    chosen.set_value("*").run()
    assert test.query_params["layers"] == "*"
    test.selectbox(key="layer-group").set_value("own").run()
    assert test.text_input(key="layers").value == "*"
    test.text_input(key="layers").set_value("*blocks.0*").run()
    assert test.query_params["layers"] == "*blocks.0*" and test.selectbox(key="layer-group").value == "own"
    test.selectbox(key="layer-group").set_value("").run()
    assert "layers" not in test.query_params and not [field for field in test.text_input if field.key == "layers"]


def test_tuning_ends_in_a_file_that_loads():
    test = opened("tune", dataset="diabetes")
    assert "Export" not in [heading.value for heading in test.subheader]
    test.button(key="start-tuning").click().run(timeout=300)
    assert not test.exception
    assert "Export" in [heading.value for heading in test.subheader]
    assert "ν* =" in html(test)
    assert len(test.code) == 1
    compile(test.code[0].value, "snippet", "exec")
