"""The tab Events of Explore: its controls are one setting, and every figure follows it."""

from __future__ import annotations

import pytest

from pages.ui.event_controls import KIND, LEVEL, SIDE
from tests.app import html, opened, title_of


@pytest.fixture
def page():
    test = opened("explore")
    test.session_state["tabs-table"] = "Events"
    return test.run()


def widget(test, kind, key):
    return next(element for element in test.get(kind) if element.key == key)


def test_the_tab_begins_with_a_quantile_of_the_climatology(page):
    assert not page.exception and not page.error
    assert title_of(page, "reliability") == "Reliability of the event"
    assert "above the 75% quantile of the climatology" in html(page) and "event" not in page.query_params


def test_a_threshold_is_a_setting_and_is_in_the_link(page):
    widget(page, "number_input", LEVEL).set_value(90.0).run()
    assert page.query_params["event"] == ">q90" and "above the 90% quantile" in html(page)
    widget(page, "selectbox", SIDE).select(False).run()
    assert page.query_params["event"] == "<q90" and "below the 90% quantile" in html(page)


def test_a_value_begins_at_the_same_share_of_the_climatology_and_back(page):
    widget(page, "selectbox", KIND).select(False).run()
    assert not page.exception and page.query_params["event"] == ">212" and "The target was above 212" in html(page)
    widget(page, "selectbox", KIND).select(True).run()
    assert "event" not in page.query_params or page.query_params["event"] == ">q75"


def test_an_event_that_never_happens_is_said_and_not_drawn_as_if_it_were_known():
    test = opened("explore", event=">100000")
    test.session_state["tabs-table"] = "Events"
    test.run()
    assert not test.exception and not test.error
    assert html(test).count("in none of 89 values, so that this is not defined") == 2


def test_another_dataset_has_an_event_of_its_own(page):
    widget(page, "number_input", LEVEL).set_value(90.0).run()
    page.selectbox(key="dataset").select("synthetic-table").run()
    assert "event" not in page.query_params
