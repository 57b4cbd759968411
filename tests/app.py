"""The pages of the app without a browser: how a test opens one, reads it, and hands it a file."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui.work import Work

ROOT = Path(__file__).parents[1]
PAGES = ("explore", "tune", "bring", "method")
PLANET = {"task": "grid", "dataset": "planet"}


def opened(name: str, **query: str) -> AppTest:
    test = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=120)
    for key, value in ({"dataset": "diabetes", "members": "9"} | query).items():
        test.query_params[key] = value
    return test.run()


def html(test: AppTest) -> str:
    return " ".join(element.proto.body for element in test.get("html"))


def title_of(test: AppTest, key: str) -> str:
    """The title of the figure under this key."""
    (figure,) = (element for element in test.get("bidi_component") if element.proto.id.endswith(f"-{key}"))
    return json.loads(figure.proto.bytes)["layout"]["title"]["text"].split("<br>")[0]


def refusal(test: AppTest) -> str:
    """The one sentence in which a page refuses, and goes on."""
    assert not test.exception
    (error,) = test.error
    return error.value


def upload(test: AppTest, key: str, name: str, content: bytes) -> None:
    widget = next(element for element in test.get("file_uploader") if element.key == key)
    widget.set_value((name, content, "application/octet-stream")).run()


class Silent(Work):
    """Long work of which no page shows anything."""

    def __init__(self) -> None:
        super().__init__(st.empty(), "", key="", on_stop=lambda: None)

    def _draw(self, share: float, text: str) -> None:
        pass
