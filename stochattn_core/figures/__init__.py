"""Figures: functions from arrays to one Plotly figure each."""

from stochattn_core.extras import explained_extras

with explained_extras():
    import plotly  # noqa: F401, every figure needs it: without it, the first import says which extra to install
