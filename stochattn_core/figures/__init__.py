"""Figures: arrays in, one Plotly figure out; and `reading`, which says a figure's shape in one sentence."""
