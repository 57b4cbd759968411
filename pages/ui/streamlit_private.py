"""Every private name of Streamlit that the app uses, one function each, and the reason why the public interface is not enough.

tests/test_streamlit_private.py names the version of Streamlit for which they were checked.
"""

from __future__ import annotations

from pathlib import Path

from streamlit import runtime
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState
from streamlit.runtime.uploaded_file_manager import UploadedFile

__all__ = ["UploadedFile", "end_fragment_timer", "has_browser", "ignore_pages_folder", "serve_folder", "session_id"]
# UploadedFile is what st.file_uploader returns; Streamlit exports no public name for it, and a signature needs one.


def ignore_pages_folder() -> bool:
    """Stop Streamlit from listing the files of pages/ by itself; return whether it had done so.

    `st.navigation` turns that off, but on a fresh server whose first request is for a page app.py, which calls it, has not run yet.
    """
    was_listed = bool(PagesManager.uses_pages_directory)
    if was_listed:
        PagesManager.uses_pages_directory = False
    return was_listed


def session_id() -> str:
    """Return the id of the session of this run, or "" outside a server. Streamlit has no public name for a session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def has_browser(session: str) -> bool:
    """Return whether a browser still shows this session. Only the runtime knows it; a test of a page runs without a runtime."""
    return runtime.exists() and runtime.get_instance().is_active_session(session) is True


def end_fragment_timer() -> None:
    """End the timer of the fragment that is running. The public way is a run of the whole page, which would draw every figure again."""
    context, fragment = get_script_run_ctx(), ThreadState.get().fragment_id
    if context and fragment:
        message = ForwardMsg()
        message.stop_auto_rerun.fragment_ids.append(fragment)
        context.enqueue(message)


def serve_folder(package: str, version: str, component: str, folder: str, root: Path) -> None:
    """Let the server deliver the files of root/folder to components of the page.

    The public way (`asset_dir` in a pyproject.toml) serves files of packages that declare a component; plotly, whose script the page needs,
    declares none.
    """
    manager = get_bidi_component_manager()
    if manager.get(f"{package}.{component}") is None:
        manager.register_from_manifest(ComponentManifest(package, version, [ComponentConfig(component, folder)]), root)
