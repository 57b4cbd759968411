"""Gains of corrections and reference forecasts in fair CRPS over the concentration alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.compare import Comparison, Row
from stochattn_core.figures.gains import gains
from stochattn_core.figures.theme import Palette, units_text
from stochattn_core.panels.base import Panel, View


class Numbers:
    """rows: methods with a gain of their own; conformal intervals leave the members, and so the CRPS, as they are."""

    def __init__(self, comparison: Comparison, n_case: int) -> None:
        self.comparison, self.n_case = comparison, n_case
        self.rows = [row for row in comparison.rows[1:] if np.isfinite(row.gain.estimate) and row.gain[:3] != (0, 0, 0)]
        self.titles = [short_title(row) for row in self.rows]
        self.kinds = [row.kind for row in self.rows]
        self.gain = np.array([row.gain[:3] for row in self.rows]).reshape(-1, 3)
        self.gain_calibration = np.array([row.gain_calibration[:3] for row in self.rows]).reshape(-1, 3)
        self.n_effective = np.array([row.gain.n_effective for row in self.rows])
        self.recommended = next((place for place, row in enumerate(self.rows) if row is comparison.recommended), None)


def short_title(row: Row) -> str:
    """Return a title that leaves room for the plot: a group of layers by its name alone."""
    title = row.title.removeprefix("Group of layers: ")
    return title[:1].upper() + title[1:]


def numbers(view: View) -> Numbers:
    return Numbers(view.compared, len(view.dataset.test))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    return gains(
        numbers.titles,
        numbers.kinds,
        numbers.gain,
        numbers.gain_calibration,
        level=numbers.comparison.level,
        recommended=numbers.recommended,
        subtitle=f"90% · N = {numbers.n_case:,} paired test cases{worth(numbers.n_effective)} · diamonds: references",
        units=units_text(numbers.comparison.units),
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    return read_gains(numbers.titles, numbers.kinds, numbers.gain, numbers.recommended)


def table(numbers: Numbers) -> pd.DataFrame:
    ends = ("estimate", "low", "high")
    columns = {f"gain_{end}": numbers.gain[:, place] for place, end in enumerate(ends)}
    columns |= {f"gain_calibration_{end}": numbers.gain_calibration[:, place] for place, end in enumerate(ends)}
    return pd.DataFrame({"method": numbers.titles, "kind": numbers.kinds} | columns | {"n_effective": numbers.n_effective})


def worth(n_effective: np.ndarray) -> str:
    """Return in words how many independent cases are behind the gains; "" where it is not known.

    >>> worth(np.array([41.7, 60.2])), worth(np.array([np.nan]))
    (', worth 42 to 60 independent ones', '')
    """
    known = n_effective[np.isfinite(n_effective)]
    if not len(known):
        return ""
    low, high = round(known.min()), round(known.max())
    return f", worth {low:,} to {high:,} independent ones" if low < high else f", worth {low:,} independent ones"


def read_gains(title: Sequence[str], kind: Sequence[str], gain: np.ndarray, recommended: int | None) -> str:
    """Return the sentence under the gains: which are beyond chance on the test part. gain: (method, 3) estimate, low, high."""
    better = [name for name, (_, low, _) in zip(title, gain, strict=True) if low > 0]
    worse = [name for name, (_, _, high) in zip(title, gain, strict=True) if high < 0]
    sentence = (
        f"Better than ν alone on the test part, beyond chance: {', '.join(better)}"
        if better
        else "On the test part there is no evidence that a method is better than ν alone"
    )
    if worse:
        sentence += f". Worse: {', '.join(worse)}"
    if recommended is not None:
        name, (_, low, high) = title[recommended], gain[recommended]
        if low > 0:
            sentence += f". The lower fair CRPS of the recommended method, {name}, is confirmed there"
        elif high < 0:
            sentence += f". The recommended method, {name}, has a higher fair CRPS there than ν alone"
        else:
            sentence += f". There it is not certain whether the fair CRPS of the recommended method, {name}, is lower than that of ν alone"
    hard = (
        " Reference forecasts are hard to beat on the CRPS of single values; they give no joint scenarios." if "reference" in kind else ""
    )
    return f"{sentence}.{hard}"


panel = Panel(
    "gains",
    "Gain over the concentration alone",
    "compare",
    numbers,
    reading,
    table,
    figure,
    is_cached=False,
    serves=lambda view: view.comparison is not None and bool(Numbers(view.comparison, 0).rows),
    in_report=True,
)
