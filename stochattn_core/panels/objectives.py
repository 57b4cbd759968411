"""Every objective over the concentration, and the minimum of each."""

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
    """Return the line under the title: passes, points and calibration cases."""
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
    sentence = read_objectives(optima_by_title(tuning), OBJECTIVES[tuning.objective].title, tuning.at_bound)
    return f"{sentence} {read_bias(tuning.optima['per-sample'].value, tuning.grid, tuning.ratio)}"


def table(tuning: Tuning) -> pd.DataFrame:
    return pd.DataFrame({"concentration": tuning.grid} | dict(tuning.curves))


def read_objectives(optimum: Mapping[str, float], chosen: str, at_bound: bool) -> str:
    """Return the sentence under the objectives: the minimum of the chosen one and the range of the others. optimum: by title."""
    own, others = optimum[chosen], [value for title, value in optimum.items() if title != chosen]
    where = f"The chosen objective, {chosen}, has its minimum at ν = {number(own)}"
    if at_bound:
        where += ", the end of the range, so the optimum may lie beyond"
    if not others:
        return f"{where}."
    if max(others) / min(others) < 1.1:
        return f"{where}; the others have theirs near {number(others[0])}."
    return f"{where}; the others have theirs from ν = {number(min(others))} to {number(max(others))}."


def read_bias(optimum: float, grid: np.ndarray, ratio: np.ndarray) -> str:
    """Return what the per-sample objective would give. ratio: (point,) spread-skill ratio of the calibration part over the grid."""
    known = np.isfinite(ratio)
    if not known.any():
        return "Per-sample dispersion makes the ensemble too narrow by design; by how much is not known here."
    spread = float(np.interp(np.log(optimum), np.log(np.asarray(grid, dtype=float)[known]), np.asarray(ratio)[known]))
    return (
        f"Per-sample dispersion would choose ν = {number(optimum)}, where the spread is {spread:.2f} of the error on the calibration part."
    )


panel = Panel("objectives", "Objectives", "tune", tuning_of, reading, table, figure, tab="curves", is_cached=False, in_report=True)
