"""A Plotly figure in the page, which every run brings up to date in place (figure.js).

`st.plotly_chart` takes a figure away and makes it anew whenever a number in it changes, and draws it several times while it does so: on a
slider's move that is most of what the user waits for.
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

LARGE = 1000  # characters of an array from which it is taken out of a figure

_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8").replace("PLOTLY_VERSION", version("plotly"))
_mount = st.components.v2.component("stochattn_figure", js=_SCRIPT, isolate_styles=False)


def draw(figure: go.Figure, *, key: str, on_box: Callable[[], None] | None = None) -> None:
    """The figure as wide as its column. on_box: called when the viewer has dragged a box, which lies in session state as [key]["box"]."""
    _serve_library()
    spec = figure.to_dict()
    if ground := _taken_out(spec):
        _mount(data=json.dumps({"ground": ground}).encode(), key=f"{key}-ground")
    data = pio.to_json(spec, validate=False).encode()
    if on_box:
        _mount(data=data, key=key, on_box_change=on_box)
    else:
        _mount(data=data, key=key)


def _taken_out(spec: dict[str, Any]) -> dict[str, dict]:
    """The large arrays of a figure but its heat map, by marks that stand in their places: coasts, the places of pixels.

    They are the same at every step of the slider. In a message of their own they are sent once: Streamlit sends a message that the browser
    still has by name only. Of a map of geopotential 1.0 MB become 0.4.
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
