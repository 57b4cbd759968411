"""Energy score and variogram score: is the joint distribution of all lead times or cells better than that of simple rivals?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from torch import Tensor

from stochattn_core.compare.joint import ATTENTION, rivals
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.aggregates import Interval
from stochattn_core.metrics.joint import mean_and_gain, vector_scores
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.lag_correlation import TAB

NAMES = {"energy": "energy score", "variogram": "variogram score"}


class Row(NamedTuple):
    """gain: by how much the score of residual dressing is larger, on the same cases; NaN for residual dressing itself and where it is not known."""

    key: str
    method: str
    score: str  # a key of NAMES
    value: Interval
    gain: Interval


class Numbers(NamedTuple):
    rows: Sequence[Row]
    units: str


def numbers(view: View) -> Numbers:
    ensemble, reference, rows = view.ensemble, None, []
    for rival in rivals(ensemble, view.calibration, seed=view.known.setting.seed):
        scores = vector_scores(rival.members, ensemble.target, ensemble.weights)
        for name, score in scores._asdict().items():
            other: Tensor | None = None if reference is None else getattr(reference, name)
            found = mean_and_gain(score, score if other is None else other, ensemble.block)
            gain = Interval(math.nan, math.nan, math.nan) if other is None else Interval(*found.at(1))
            rows.append(Row(rival.key, rival.title, name, Interval(*found.at(0)), gain))
        if rival.key != ATTENTION and reference is None:
            reference = scores
    rows.sort(key=lambda row: (list(NAMES).index(row.score), row.key != ATTENTION))
    return Numbers(rows, units_text(ensemble.units))


def reading(numbers: Numbers) -> str:
    own = {row.score: row.gain for row in numbers.rows if row.key == ATTENTION}
    return read_vector_scores(own)


def table(numbers: Numbers) -> pd.DataFrame:
    rows = [
        {
            "score": NAMES[row.score] + (f" ({numbers.units})" if numbers.units and row.score == "energy" else ""),
            "method": row.method,
            "mean (smaller is better)": _text(row.value),
            "below residual dressing by": _text(row.gain) if math.isfinite(row.gain.value) else "–",
        }
        for row in numbers.rows
    ]
    return pd.DataFrame(rows)


def _text(interval: Interval) -> str:
    value, low, high = (number(end).replace("-", "−") for end in interval)
    return f"{value} ({low} to {high})" if math.isfinite(interval.low) else value


def read_vector_scores(gains: dict[str, Interval]) -> str:
    """Return the sentence over the scores of the whole vector. gains: of this ensemble over residual dressing, by the keys of NAMES."""
    known = {NAMES[name]: gain for name, gain in gains.items() if math.isfinite(gain.value)}
    if not known:
        return "These scores judge the joint distribution of the whole event; smaller is better. No rival was computed."
    if not all(math.isfinite(gain.low) for gain in known.values()):
        return "There are too few independent cases to compare this ensemble with residual dressing."
    better = [name for name, gain in known.items() if gain.low > 0]
    worse = [name for name, gain in known.items() if gain.high < 0]
    open_ = [name for name in known if name not in better + worse]
    says = [f"better in the {' and the '.join(better)}"] if better else []
    says += [f"worse in the {' and the '.join(worse)}"] if worse else []
    text = (
        f"Beyond chance, this ensemble is {' and '.join(says)} than residual dressing, which draws the errors of whole events."
        if says
        else ""
    )
    if open_:
        text += f"{' ' if text else ''}There is no evidence of a difference from residual dressing in the {' and the '.join(open_)}."
    return text


panel = Panel(
    "vector-scores",
    "Scores of the whole event",
    "tab",
    numbers,
    reading,
    table,
    tab=TAB,
    tasks=("series", "grid"),
    choices=("has_calibration",),
    serves=lambda view: view.evaluation is not None and view.ensemble.n_member > 1 and view.ensemble.plain[0].size > 1,
)
