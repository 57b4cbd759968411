"""Spread against error in bins of similar spread: is the error larger where the spread is?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.spread_skill import spread_skill
from stochattn_core.figures.theme import Palette, number, units_text
from stochattn_core.metrics import SpreadError, binned_spread_error
from stochattn_core.metrics.scores import SCORES, Evidence
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.pit import NARROWER, WIDER
from stochattn_core.verdict.summary import Summary, is_known


class Numbers(NamedTuple):
    bins: SpreadError
    n_value: np.ndarray  # (bin,) whole numbers
    summary: Summary
    units: str


def numbers(view: View) -> Numbers:
    bins = binned_spread_error(view.statistics)
    return Numbers(bins, np.round(bins.n).astype(int), view.summary, units_text(view.ensemble.units))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    bins, score = numbers.bins, numbers.summary.scores
    return spread_skill(
        bins.spread,
        bins.error,
        numbers.n_value,
        low=bins.low,
        high=bins.high,
        ratio=score["spread_skill_ratio"],
        n_member=numbers.summary.n_member,
        n_case=int(score["n"]),
        units=numbers.units,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    bins, summary = numbers.bins, numbers.summary
    ratio, interval = summary.scores["spread_skill_ratio"], summary.ranges["spread_skill_ratio"]
    return read_spread_skill(bins.spread, bins.error, numbers.n_value, ratio, interval)


def table(numbers: Numbers) -> pd.DataFrame:
    bins = numbers.bins
    return pd.DataFrame(
        {"spread": bins.spread, "rmse": bins.error, "rmse_low_90": bins.low, "rmse_high_90": bins.high, "values": numbers.n_value}
    )


def read_ratio(ratio: float, interval: tuple[float, float]) -> str:
    """Return the spread-skill ratio in words, by its rule; where its 90% range leaves the answer open, the sentence says so."""
    if not np.isfinite(ratio) or ratio < 1e-6:
        return "There is no spread: the plain model gives one answer."
    rule = SCORES["spread_skill_ratio"].rule
    assert rule is not None
    evidence = Evidence(ratio, *interval, "")
    known = is_known(interval)
    reach = f"90% range {number(interval[0])} to {number(interval[1])}"
    if not rule.side(ratio):
        if known and not rule.is_sure(evidence):
            return f"Ratio {number(ratio)}, but its {reach} is too wide to tell whether the spread matches the error."
        if not known:
            return f"Ratio {number(ratio)}, with too few independent cases to tell whether the spread matches the error."
        return f"Ratio {number(ratio)}: the spread matches the error within {rule.high - rule.ideal:.0%} ({reach})."
    size = f"{1 - ratio:.0%} smaller" if ratio < 1 else f"{ratio - 1:.0%} larger"
    sentence = f"Ratio {number(ratio)}: the spread is {size} than the error it should match"
    if known and not rule.misses(evidence):
        return f"{sentence}, though its {reach} does not exclude 1."
    return f"{sentence}; {WIDER if ratio < 1 else NARROWER}."


def read_spread_skill(spread: np.ndarray, error: np.ndarray, count: np.ndarray, ratio: float, interval: tuple[float, float]) -> str:
    """Return the sentence under spread against error: the ratio, and whether a larger spread goes with a larger error."""
    sentence = read_ratio(ratio, interval)
    keep = (count > 0) & np.isfinite(spread) & np.isfinite(error)
    if not np.isfinite(ratio) or ratio < 1e-6 or keep.sum() < 3:
        return sentence
    spread, error, count = spread[keep], error[keep], count[keep]
    if count.min() < 8:
        return f"{sentence} Bins hold as few as {int(count.min())} values: too few to say whether the spread tells cases apart."
    if spread.max() < 1.1 * spread.min():
        return f"{sentence} The spread is nearly the same in all cases, so it does not tell them apart."
    slope = np.polyfit(np.log(np.maximum(spread, 1e-12)), np.log(np.maximum(error, 1e-12)), 1, w=np.sqrt(count))[0]
    if slope > 0.5:
        return f"{sentence} Where the spread is larger, the error is larger: the spread tells hard cases from easy ones."
    if slope > 0.2:
        return f"{sentence} Where the spread is larger, the error is slightly larger."
    return f"{sentence} The error grows little or not at all with the spread, which does not tell hard cases from easy ones."


panel = Panel("spread-skill", "Spread against error", "diagnostics", numbers, reading, table, figure, choices=("lead",), in_report=True)
