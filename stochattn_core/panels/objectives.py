"""Every objective over the concentration, and where each is least."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.objectives import objective_curves
from stochattn_core.figures.theme import Palette, number
from stochattn_core.panels.base import Panel, View
from stochattn_core.tuning import OBJECTIVES, Tuning


def tuning_of(view: View) -> Tuning:
    return view.tuned


def calibration_size(tuning: Tuning) -> str:
    """Under the title: passes, points and calibration cases."""
    n_case = tuning.setting.dataset.calibration.n_case
    return f"M = {tuning.deviation.shape[1]} passes at each of {len(tuning.grid)} points · N = {n_case:,} calibration cases"


def figure(tuning: Tuning, palette: Palette) -> go.Figure:
    return objective_curves(
        tuning.grid,
        {OBJECTIVES[name].title: cost for name, cost in tuning.curves.items()},
        optima_by_title(tuning),
        chosen=OBJECTIVES[tuning.objective].title,
        subtitle=calibration_size(tuning),
        palette=palette,
    )


def optima_by_title(tuning: Tuning) -> dict[str, float]:
    return {OBJECTIVES[name].title: optimum.value for name, optimum in tuning.optima.items()}


def reading(tuning: Tuning) -> str:
    said = read_objectives(optima_by_title(tuning), OBJECTIVES[tuning.objective].title, tuning.at_bound)
    return f"{said} {read_bias(tuning.optima['per-sample'].value, tuning.grid, tuning.ratio)}"


def table(tuning: Tuning) -> pd.DataFrame:
    return pd.DataFrame({"concentration": tuning.grid} | dict(tuning.curves))


def read_objectives(optimum: Mapping[str, float], chosen: str, at_bound: bool) -> str:
    """The sentence under the objectives: where the chosen one is least, and how far the others are from it. optimum: by title."""
    here, others = optimum[chosen], [value for title, value in optimum.items() if title != chosen]
    where = f"{chosen}, the one chosen, is least at ν = {number(here)}"
    if at_bound:
        where += ", at the end of the range: the true optimum lies beyond"
    if not others:
        return f"{where}."
    if max(others) / min(others) < 1.1:
        return f"{where}; all others are least near {number(others[0])}."
    return f"{where}; the others are least from ν = {number(min(others))} to {number(max(others))}."


def read_bias(optimum: float, grid: np.ndarray, ratio: np.ndarray) -> str:
    """What the per-sample objective would give. ratio: (point,) spread-skill of the calibration part over the grid."""
    known = np.isfinite(ratio)
    if not known.any():
        return "Per-sample dispersion is too narrow by design; how much cannot be told here."
    spread = float(np.interp(np.log(optimum), np.log(np.asarray(grid, dtype=float)[known]), np.asarray(ratio)[known]))
    return f"Per-sample dispersion would take ν = {number(optimum)}, where the spread is {spread:.2f} of the error: its bias on these data."


panel = Panel("objectives", "Objectives", "tune", tuning_of, reading, table, figure, tab="curves", is_cached=False, in_report=True)
