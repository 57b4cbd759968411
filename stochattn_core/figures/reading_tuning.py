"""Reading the figures of a tuning in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from stochattn_core.figures.theme import number


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


def read_optima(intervals: Mapping[str, tuple[float, float]]) -> str:
    """The sentence under the intervals: which of them is the wider, and so the one that counts. intervals: by name."""
    if len(intervals) == 1:
        (name,) = intervals
        return f"One interval, from the {name}: this objective has no law whose posterior could be a second opinion."
    factor = {name: high / low for name, (low, high) in intervals.items()}
    wide, other = max(factor, key=factor.get), min(factor, key=factor.get)
    said = f"The {wide} spans a factor of {factor[wide]:.2f}, the {other} one of {factor[other]:.2f}: the wider one is exported"
    return f"{said}; cases that are few or alike are seen by the bootstrap alone." if factor[wide] > 2 * factor[other] else f"{said}."


def read_single_passes(n_pass: int, slope: float, noise: float, converged: bool) -> str:
    """The sentence under the scatter of single passes. noise: standard deviation of log d about the line."""
    law = f"{n_pass} passes: d falls as ν to the {slope:.2f}".replace("-", "−") + f", and one pass strays {noise:.0%} about that line"
    if converged:
        return f"{law}; more passes would hardly move ν*, so the search ended."
    return f"{law}; the search ended before more passes would have hardly moved ν*."


def read_gains(title: Sequence[str], kind: Sequence[str], gain: np.ndarray, recommended: int | None) -> str:
    """The sentence under the gains: what is beyond chance on the test part. gain: (method, 3) estimate, low, high."""
    better = [name for name, one in zip(title, gain, strict=True) if one[1] > 0]
    worse = [name for name, one in zip(title, gain, strict=True) if one[2] < 0]
    said = (
        f"Better than the concentration alone on the test part, beyond chance: {', '.join(better)}"
        if better
        else ("On the test part no method is better than the concentration alone beyond chance")
    )
    if worse:
        said += f". Worse: {', '.join(worse)}"
    if recommended is not None:
        held = "holds" if gain[recommended][1] > 0 else "is not sure" if gain[recommended][2] >= 0 else "does not hold"
        said += f". What was recommended on calibration data {held} here"
    hard = " References are hard to beat on the CRPS of single values; they have no joint scenarios." if "reference" in kind else ""
    return f"{said}.{hard}"
