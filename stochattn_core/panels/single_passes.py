"""The single passes of the search in the paper, and the line fitted to them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.single_passes import single_passes
from stochattn_core.figures.theme import Palette, units_text
from stochattn_core.panels.base import Panel, View
from stochattn_core.tuning import Tuning
from stochattn_core.tuning.thompson import REACH, Thompson


class Numbers:
    """line: (pass,), the fitted median of d, NaN where no line was fitted."""

    def __init__(self, tuning: Tuning, passes: Thompson, units: str) -> None:
        near = np.abs(np.log(passes.concentration / passes.optimum)) <= math.log(REACH)
        fitted = np.exp(passes.line.intercept + passes.line.slope * np.log(passes.concentration))
        self.tuning, self.passes, self.units, self.line = tuning, passes, units, np.where(near, fitted, np.nan)


def numbers(view: View) -> Numbers:
    tuning = view.tuned
    if tuning.thompson is None:
        raise ValueError("expected a tuning with single passes, got one by a grid; tune with search='thompson'")
    return Numbers(tuning, tuning.thompson, units_text(view.dataset.units))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    tuning, passes = numbers.tuning, numbers.passes
    n_case = tuning.setting.dataset.calibration.n_case
    return single_passes(
        passes.concentration,
        passes.deviation,
        numbers.line,
        error=tuning.error,
        optimum=passes.optimum,
        subtitle=f"{len(passes.concentration)} passes · N = {n_case:,} calibration cases",
        units=numbers.units,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    passes = numbers.passes
    return read_single_passes(len(passes.concentration), passes.line.slope, passes.line.noise, passes.converged)


def table(numbers: Numbers) -> pd.DataFrame:
    passes = numbers.passes
    return pd.DataFrame({"concentration": passes.concentration, "deviation": passes.deviation, "line": numbers.line})


def read_single_passes(n_pass: int, slope: float, noise: float, converged: bool) -> str:
    """Return the sentence under the scatter of single passes. noise: standard deviation of log d about the line."""
    fit = (
        f"{n_pass} passes: d falls as ν to the power {slope:.2f}".replace("-", "−")
        + f", and single passes scatter by {noise:.0%} about that line"
    )
    if converged:
        return f"{fit}. More passes would hardly move ν*, so the search ended."
    return f"{fit}. The search ended before ν* had settled."


panel = Panel(
    "single-passes",
    "Single passes",
    "tune",
    numbers,
    reading,
    table,
    figure,
    tab="curves",
    is_cached=False,
    serves=lambda view: view.tuning is not None and view.tuning.thompson is not None,
)
