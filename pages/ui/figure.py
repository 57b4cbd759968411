"""A Plotly figure in the page that every run updates in place (figure.js).

`st.plotly_chart` removes a figure and creates it again whenever a number in it changes, and draws it several times on the way. After a move
of the slider that would be most of the waiting time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import plotly
import plotly.graph_objects as go
import plotly.io as pio
import streamlit as st

from pages.ui.streamlit_private import serve_folder

LARGE = 1000  # characters above which an array is sent in a message of its own

_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8").replace("PLOTLY_VERSION", version("plotly"))
_mount = st.components.v2.component("stochattn_figure", js=_SCRIPT, isolate_styles=False)


def draw(figure: go.Figure, *, key: str, on_box: Callable[[], None] | None = None) -> None:
    """Draw a figure as wide as its column. on_box: called after the user drags a box, which is in the session state under [key]["box"]."""
    _serve_library()
    spec = figure.to_dict()
    if ground := _separated(spec):
        _mount(data=json.dumps({"ground": ground}).encode(), key=f"{key}-ground")
    data = pio.to_json(spec, validate=False).encode()
    if on_box:
        _mount(data=data, key=key, on_box_change=on_box)
    else:
        _mount(data=data, key=key)


def _separated(spec: dict[str, Any]) -> dict[str, dict]:
    """Take the large constant arrays (coastlines, places of pixels) out of a figure; return them by the marks that replace them.

    They are the same at every step of the slider. A message of their own is sent once, because Streamlit names a message that the browser
    already has instead of sending it again. A map of geopotential shrinks from 1.0 to 0.4 MB.
    """
    ground = {}
    for trace in spec["data"]:
        for name in ("x", "y", "customdata"):
            array = trace.get(name)
            if isinstance(array, dict) and len(array["bdata"]) > LARGE:
                mark = hashlib.sha256(json.dumps(array, sort_keys=True).encode()).hexdigest()[:16]
                ground[mark], trace[name] = array, mark
    return ground


def _serve_library() -> None:
    """Serve the script of the Python package plotly to the browser: from this host alone, in the version that is pinned."""
    serve_folder("plotly", version("plotly"), "library", "package_data", Path(plotly.__file__).parent)
