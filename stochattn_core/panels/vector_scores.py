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
    """gain: by how much the score of this ensemble is larger, on the same cases; NaN for this ensemble itself and where it is not known."""

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
        reference = scores if reference is None else reference
    rows.sort(key=lambda row: list(NAMES).index(row.score))
    return Numbers(rows, units_text(ensemble.units))


def reading(numbers: Numbers) -> str:
    return read_vector_scores([row for row in numbers.rows if row.key != ATTENTION])


def table(numbers: Numbers) -> pd.DataFrame:
    rows = [
        {
            "score": NAMES[row.score] + (f" ({numbers.units})" if numbers.units and row.score == "energy" else ""),
            "method": row.method,
            "mean (smaller is better)": _text(row.value),
            "below this ensemble by": _text(row.gain) if math.isfinite(row.gain.value) else "–",
        }
        for row in numbers.rows
    ]
    return pd.DataFrame(rows)


def _text(interval: Interval) -> str:
    value, low, high = (number(end).replace("-", "−") for end in interval)
    return f"{value} ({low} to {high})" if math.isfinite(interval.low) else value


def read_vector_scores(rivals: Sequence[Row]) -> str:
    """Return the sentence over the scores of the whole event: which rivals are better, or worse, than this ensemble beyond chance."""
    if not rivals:
        return "These scores judge the joint distribution of the whole event; smaller is better. No rival was computed."
    if not any(math.isfinite(row.gain.low) for row in rivals):
        return "There are too few independent cases to compare this ensemble with others."
    says = []
    for name, title in NAMES.items():
        rows = [row for row in rivals if row.score == name]
        better, worse = ([row.method for row in rows if is_beyond(row.gain)] for is_beyond in (_is_above, _is_below))
        parts = [f"{_are(better)} better than this ensemble"] if better else []
        parts += [f"{_are(worse)} worse{'' if better else ' than this ensemble'}"] if worse else []
        if parts:
            says.append(f"In the {title}, {'; '.join(parts)}, beyond chance.")
        else:
            says.append(f"There is no evidence that a rival differs from this ensemble in the {title}.")
    return " ".join(says)


def _are(methods: Sequence[str]) -> str:
    """Return the subject and the verb: "Gaussian dressing is", "Gaussian dressing and residual dressing are"."""
    return f"{methods[0]} is" if len(methods) == 1 else f"{', '.join(methods[:-1])} and {methods[-1]} are"


def _is_above(gain: Interval) -> bool:
    return gain.low > 0


def _is_below(gain: Interval) -> bool:
    return gain.high < 0


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
