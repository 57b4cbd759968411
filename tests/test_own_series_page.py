"""A series of the user on the pages: its title, its times and its lead times, everywhere in words that the user knows."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from stochattn_core.datasets import series_parts
from tests.app import ROOT, html, opened, title_of

N = 480
DATES = pd.date_range("2016-07-01", periods=N, freq="16h")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file whose values are the numbers of their rows; its init times are thinned, and its name is longer than a box."""
    monkeypatch.setattr(series_parts, "MAX_CASE", {"train": 40, "calibration": 20, "test": 20})
    path = tmp_path / "Oil temperature of a transformer.csv"
    pd.DataFrame({"date": DATES, "OT": np.arange(N)}).to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S")
    return path


def brought(path, monkeypatch) -> dict:
    """The datasets of a session after a file was brought by its path."""
    monkeypatch.setattr("pages.ui.own_csv.st.switch_page", lambda page: None)
    test = opened("bring")
    test.text_input(key="own-address").set_value(str(path))
    next(button for button in test.button if button.label == "Open it").click().run()
    next(button for button in test.button if button.label == "Use it on Explore").click().run()
    assert not test.exception and not test.error
    return test.session_state["own"]


def explored(own: dict, **query: str) -> AppTest:
    (name,) = own
    test = AppTest.from_file(str(ROOT / "pages" / "explore.py"), default_timeout=120)
    test.session_state["own"] = own
    for key, value in ({"task": "series", "dataset": name, "members": "9", "prefetch": "no"} | query).items():
        test.query_params[key] = value
    test.run()
    assert not test.exception and not test.error
    return test


def shown_text(test: AppTest) -> str:
    """Everything that a user reads on the page, without the address of the view."""
    captions = [caption.value for caption in test.caption]
    boxes = [" ".join(map(str, box.options)) for box in test.selectbox]
    figures = [element.proto.bytes.decode(errors="replace") for element in test.get("bidi_component") if element.proto.bytes]
    return " ".join([html(test), *captions, *boxes, *figures])


def test_a_series_is_called_by_its_file_and_its_column(path, monkeypatch):
    test = explored(brought(path, monkeypatch))
    title = "Oil temperature of a transformer.csv: OT"
    assert f"on {title}</b>" in html(test)
    assert f"{title} (yours)" in test.selectbox(key="dataset").options
    assert f"{title} (yours)" in [caption.value for caption in test.sidebar.caption], "the whole title, which the box would cut"
    assert "own-oil-temperature" not in shown_text(test) and "values of your own" not in shown_text(test)


def test_lead_times_and_times_are_those_of_the_series_and_not_of_its_init_times(path, monkeypatch):
    own = brought(path, monkeypatch)
    (data,) = own.values()
    last = 16 * len(data.lead_time)
    test = explored(own)
    assert test.selectbox(key="lead").options[:3] == [f"lead times 16 to {last} h", "lead time 16 h", "lead time 32 h"]
    assert f"lead times 16 to {last} h" in html(test)
    init = DATES[data.test.target[:, 0].numpy().astype(int) - 1]
    assert test.selectbox(key="case").options == [f"{time:%Y-%m-%d %H:%M}" for time in init]
    assert title_of(test, "fan") == f"Forecast from {init[0]:%Y-%m-%d %H:%M}"
    (figure,) = (element for element in test.get("bidi_component") if element.proto.id.endswith("-fan"))
    (truth,) = (trace for trace in json.loads(figure.proto.bytes)["data"] if trace.get("name") == "truth")
    wanted = DATES[data.test.target[0].numpy().astype(int)]
    assert (pd.DatetimeIndex(truth["x"]) == wanted).all()
    assert title_of(explored(own, lead="3"), "fan-at-lead") == "Forecasts 48 h ahead"
