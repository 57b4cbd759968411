"""The private names of Streamlit that pages/ui/streamlit_private.py gathers exist in the version that is pinned, and do what the app needs."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import plotly
import pytest
import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from pages.ui import streamlit_private
from tests.app import ROOT, upload

CHECKED = "1.67"  # after an update: read the tests of this file again, then change this line
PRIVATE = ("streamlit.runtime", "streamlit.proto", "streamlit.components.v2.")


def test_the_names_were_checked_for_the_version_that_is_installed():
    assert version("streamlit").startswith(f"{CHECKED}."), "check pages/ui/streamlit_private.py against the new version"


def test_no_other_module_of_the_app_imports_a_private_name():
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]:
        if path.name == "streamlit_private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not f"{node.module}.".startswith(PRIVATE), f"{path.name}: from {node.module}"
                assert node.module != "streamlit" or "runtime" not in {alias.name for alias in node.names}, path.name


@pytest.mark.parametrize("listed", [True, False, None])
def test_the_pages_folder_is_ignored_from_then_on(monkeypatch, listed):
    monkeypatch.setattr(PagesManager, "uses_pages_directory", listed)
    assert streamlit_private.ignore_pages_folder() is bool(listed)
    assert not PagesManager.uses_pages_directory


def test_a_run_of_a_page_has_a_session_and_code_outside_has_none():
    assert streamlit_private.session_id() == ""

    def page() -> None:
        import streamlit as st

        from pages.ui import streamlit_private

        st.text(streamlit_private.session_id())
        streamlit_private.end_fragment_timer()  # outside a fragment there is no timer to end

    test = AppTest.from_function(page).run()
    assert not test.exception and test.text[0].value


def test_ending_the_timer_of_a_fragment_sends_the_browser_one_message():
    def page() -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        from pages.ui import streamlit_private

        sent: list[str] = []

        @st.fragment(run_every=60)
        def part() -> None:
            context = get_script_run_ctx()
            assert context is not None
            enqueue = context.enqueue
            context.enqueue = lambda message: (sent.append(message.WhichOneof("type")), enqueue(message))[1]  # type: ignore[method-assign]
            streamlit_private.end_fragment_timer()
            context.enqueue = enqueue  # type: ignore[method-assign]

        part()
        st.text(",".join(sent))

    test = AppTest.from_function(page).run()
    assert not test.exception and test.text[0].value == "stop_auto_rerun"


def test_without_a_server_no_session_has_a_browser():
    assert streamlit_private.has_browser("no-such-session") is False


def test_the_library_of_plotly_is_served_and_served_once(monkeypatch):
    root = Path(plotly.__file__).parent
    manager = BidiComponentManager()
    monkeypatch.setattr(streamlit_private, "get_bidi_component_manager", lambda: manager)
    for _ in range(2):
        streamlit_private.serve_folder("plotly", plotly.__version__, "library", "package_data", root)
    assert manager.get("plotly.library") is not None
    assert manager.get_component_path("plotly.library") == str(root / "package_data")
    assert (root / "package_data" / "plotly.min.js").is_file()


def test_an_upload_is_of_the_type_that_signatures_name(monkeypatch):
    seen = []
    monkeypatch.setattr(st, "seen", seen, raising=False)

    def page() -> None:
        import streamlit as st

        file = st.file_uploader("File", key="file")
        if file is not None:
            st.seen.append(file)

    test = AppTest.from_function(page).run()
    upload(test, "file", "a.csv", b"a,b\n1,2\n")
    assert isinstance(seen[-1], streamlit_private.UploadedFile) and seen[-1].name == "a.csv" and seen[-1].file_id
