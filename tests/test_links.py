"""The address of a view: a right one brings the view back, a wrong one is one sentence and never a traceback."""

from __future__ import annotations

import pytest

from pages.ui import state
from tests.app import PAGES, PLANET, html, opened

WRONG = {
    "task": ("maps", "", "☃"),
    "model": ("nothing", "ft_transformer2", "../../etc"),
    "dataset": ("nothing", "own-sales", "%00"),
    "lead": ("-1", "99", "abc", "1.5"),
    "members": ("0", "50", "-3", "many"),
    "nu": ("0", "-1", "2.5", "abc", "1e3", "5000", "nan", "99999999999999999999"),
    "seed": ("-1", "1.5", "abc", "99999999999"),
    "layers": ("x" * 300,),
    "correction": ("nonsense", "inflation", "inflation -1", "fractional 0.5", "shared 2", "inflation nan"),
    "case": ("-1", "1000000", "abc"),
    "variable": ("nothing", "geopotential"),
    "forecasts": ("-1", "21", "all"),
    "projection": ("mercator", ""),
    "view": ("map", ""),
    "member": ("0", "1.5", "100"),
    "wind": ("1", "☃"),
    "prefetch": ("1", "off"),
    "event": ("30", ">", ">q0", ">q100", "☃"),
    "box": ("30,60", "a,b,c,d", "60,30,0,10", "0,91,0,10", "nan,1,2,3"),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_wrong_value_in_the_address_is_one_sentence(key, value):
    test = opened("method", **{key: value})
    assert not test.exception
    assert len(test.warning) == 1
    assert f"{key}={value[:40]}" in test.warning[0].value
    assert key not in test.query_params or test.query_params[key] != value


@pytest.mark.parametrize("name", PAGES)
def test_every_page_survives_an_address_that_is_wrong_everywhere(name):
    test = opened(name, **{key: values[0] for key, values in WRONG.items() if key not in ("task", "dataset", "members")})
    assert not test.exception
    assert len(test.warning) == 1


def test_a_right_address_is_kept_and_says_nothing():
    test = opened("explore", nu="8", members="19", seed="3")
    assert not test.warning
    assert (test.query_params["nu"], test.query_params["members"], test.query_params["seed"]) == ("8", "19", "3")
    assert "M = 19" in html(test) and "ν = 8" in html(test)


def test_an_address_brings_back_the_map():
    query = {"projection": "orthographic", "view": "member", "member": "3", "lead": "6", "variable": "temperature_650", "case": "19"}
    test = opened("explore", **PLANET, **query, box="30,60,-20,40")
    assert not test.exception and not test.warning
    assert {name: test.query_params[name] for name in query} == query
    assert "temperature at 650 hPa" in html(test) and "6 h ahead" in html(test)


def test_a_dataset_name_of_the_command_line_opens_the_planet():
    test = opened("method", task="grid", dataset="planet-72h")
    assert not test.exception and not test.warning
    assert test.selectbox(key="lead").value == 72 and test.selectbox(key="variable").value == "geopotential_500"


def test_a_grid_without_a_choice_of_variables_has_a_plain_address():
    test = opened("method", task="grid", dataset="era5")
    assert not test.exception and not test.warning
    assert not {"variable", "lead"} & set(test.query_params)


def test_there_is_a_wrong_value_for_every_setting():
    assert set(WRONG) == set(state.NAMES)
