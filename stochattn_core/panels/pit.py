"""PIT histogram: the position of the truth among the members."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.pit import pit
from stochattn_core.figures.theme import Palette
from stochattn_core.metrics import PitHistogram, pit_histogram
from stochattn_core.panels.base import Panel, View
from stochattn_core.verdict.summary import Summary, is_known

WIDER, NARROWER = "a smaller ν (at least 1) widens it", "a larger ν narrows it"
Range = tuple[float, float]


class Numbers(NamedTuple):
    histogram: PitHistogram
    low: np.ndarray  # (bin,), ends of the 90% band of chance, 1 where it is not known
    high: np.ndarray
    summary: Summary
    has_spread: bool


def numbers(view: View) -> Numbers:
    histogram = pit_histogram(view.statistics)
    low, high = (np.nan_to_num(band, nan=1.0) for band in (histogram.low, histogram.high))
    return Numbers(histogram, low, high, view.summary, not view.known.setting.is_plain)


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    histogram = numbers.histogram
    more = effective_text(histogram.n, histogram.n_effective)
    return pit(histogram.density, numbers.low, numbers.high, n_member=histogram.n_member, n_case=histogram.n, more=more, palette=palette)


def reading(numbers: Numbers) -> str:
    dispersion, mean = ((numbers.summary.scores[key], numbers.summary.ranges[key]) for key in ("pit_dispersion", "pit_mean"))
    amount = numbers.summary.verdict.evidence["ratio"].departs or 0
    return read_pit(
        numbers.histogram.density, numbers.low, numbers.high, dispersion=dispersion, mean=mean, has_spread=numbers.has_spread, amount=amount
    )


def table(numbers: Numbers) -> pd.DataFrame:
    edges = numbers.histogram.edges
    return pd.DataFrame(
        {
            "pit_from": edges[:-1],
            "pit_to": edges[1:],
            "relative_frequency": numbers.histogram.density,
            "chance_low_90": numbers.low,
            "chance_high_90": numbers.high,
        }
    )


def read_pit(
    density: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    dispersion: tuple[float, Range],
    mean: tuple[float, Range],
    has_spread: bool = True,
    amount: int = 0,
) -> str:
    """Return the sentence under a PIT histogram. density, low, high: (bin,), 1 when flat, with the band of chance.

    Two numbers with their 90% ranges name the shape: the dispersion of the PIT, its variance over that of a uniform distribution (above 1
    a U, below 1 a dome), and its mean (0.5 without bias). The ranges take dependence into account, so the sentence claims a shape only
    where there is evidence for it.   amount: -1 where the spread-skill ratio shows too little spread beyond chance, 1 where too much, else 0.
    """
    if not has_spread:
        return "The plain model has no spread, so its PIT histogram says nothing about calibration."
    shapes = []
    if _excludes(dispersion[1], 1.0):
        is_u = dispersion[0] > 1
        shape = (
            "U shape: the truth lies too far from the middle of the members"
            if is_u
            else "Dome: the truth lies too near the middle of the members"
        )
        if amount == (-1 if is_u else 1):
            shapes.append(f"{shape}, so the ensemble is too {'narrow' if is_u else 'wide'}; {WIDER if is_u else NARROWER}")
        else:
            shapes.append(f"{shape}, though the spread-skill ratio does not show too {'little' if is_u else 'much'} spread beyond chance")
    if _excludes(mean[1], 0.5):
        side = ("up", "above") if mean[0] > 0.5 else ("down", "below")
        shapes.append(f"slope {side[0]}: the truth lies {side[1]} the middle of the members more often than not, a bias that no ν corrects")
    if shapes:
        sentence = "; ".join(shapes)
        return sentence[0].upper() + sentence[1:] + "."
    reach = float(np.mean(high - low)) / 2
    if not np.isfinite(dispersion[1]).all() or reach > 0.75:
        return f"Too few independent cases to tell: chance alone moves a bar by ±{reach:.0%}."
    n_outside = int(((density < low) | (density > high)).sum())
    if n_outside:
        verb = "lies" if n_outside == 1 else "lie"
        return f"There is no evidence of a U, dome or slope; {n_outside} of {len(density)} bars {verb} outside the band of chance."
    return "Flat within what chance allows: the histogram shows no U, dome or slope."


def _excludes(interval: Range, value: float) -> bool:
    return is_known(interval) and not interval[0] <= value <= interval[1]


def effective_text(n: int, n_effective: float) -> str:
    """Return the effective sample size in words if it is clearly below n, because neighbours in time depend on one another."""
    return f"{n_effective:,.0f} effective" if np.isfinite(n_effective) and n_effective < 0.8 * n else ""


panel = Panel("pit", "PIT histogram", "diagnostics", numbers, reading, table, figure, choices=("lead",), in_report=True)
