"""The spread-skill ratio over the concentration, on the calibration part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.curve import ratio_curve
from stochattn_core.figures.theme import Palette, number
from stochattn_core.panels.base import Panel
from stochattn_core.panels.objectives import calibration_size, tuning_of
from stochattn_core.tuning import Tuning


def figure(tuning: Tuning, palette: Palette) -> go.Figure:
    return ratio_curve(
        tuning.grid,
        tuning.ratio,
        concentration=tuning.concentration,
        interval=tuning.interval[1:],
        subtitle=calibration_size(tuning),
        palette=palette,
    )


def reading(tuning: Tuning) -> str:
    return read_ratio_curve(tuning.grid, tuning.ratio)


def table(tuning: Tuning) -> pd.DataFrame:
    return pd.DataFrame({"concentration": tuning.grid, "spread_skill_ratio": tuning.ratio})


def read_ratio_curve(grid: np.ndarray, ratio: np.ndarray) -> str:
    """Return the sentence under the ratio over nu: where it crosses 1, or that it never does."""
    known = np.isfinite(ratio)
    grid, ratio = np.asarray(grid)[known], np.asarray(ratio)[known]
    if not len(ratio):
        return "The ratio is not known at any ν."
    if ratio.max() < 1:
        return f"The ratio stays below 1: even ν = {grid[ratio.argmax()]:,} reaches only {number(float(ratio.max()))}."
    if ratio.min() > 1:
        return f"The ratio stays above 1: even ν = {grid[ratio.argmin()]:,} spreads {number(float(ratio.min()))} times the error."
    crossing = int(np.argmax((ratio[:-1] - 1) * (ratio[1:] - 1) <= 0))
    return (
        f"The ratio passes 1 between ν = {grid[crossing]:,} and {grid[crossing + 1]:,} on the calibration part; "
        "ν* is the minimum of the objective, not this crossing."
    )


panel = Panel("ratio", "Spread-skill ratio", "tune", tuning_of, reading, table, figure, tab="curves", is_cached=False, in_report=True)
