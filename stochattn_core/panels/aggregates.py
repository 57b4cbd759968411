"""Aggregates that nothing was tuned on, of this ensemble and of its rivals: ratio, coverage, PIT and CRPS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from stochattn_core.compare.joint import ATTENTION, aggregates_of, rivals
from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.aggregates import AggregateScores, Interval, aggregate_scores
from stochattn_core.metrics.intervals import attainable_coverage
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.lag_correlation import TAB


class Row(NamedTuple):
    """aggregate: its title.   key: of the method, as in compare.joint.   method: its title."""

    aggregate: str
    key: str
    method: str
    scores: AggregateScores


class Numbers(NamedTuple):
    rows: Sequence[Row]
    units: str
    n_member: int


def numbers(view: View) -> Numbers:
    ensemble = view.ensemble
    aggregates = aggregates_of(ensemble)
    reference: np.ndarray | None = None
    rows = []
    for rival in rivals(ensemble, view.calibration, seed=view.known.setting.seed):
        for aggregate in aggregates:
            scores = aggregate_scores(aggregate, rival.members, ensemble.target, reference=reference)
            rows.append(Row(aggregate.title, rival.key, rival.title, scores))
        reference = rival.members if reference is None else reference
    order = {aggregate.title: place for place, aggregate in enumerate(aggregates)}
    rows.sort(key=lambda row: order[row.aggregate])
    return Numbers(rows, units_text(ensemble.units), ensemble.n_member)


def reading(numbers: Numbers) -> str:
    return read_aggregates(numbers.rows, numbers.n_member)


def table(numbers: Numbers) -> pd.DataFrame:
    units = f" ({numbers.units})" if numbers.units else ""
    rows = [
        {
            "aggregate": row.aggregate,
            "method": row.method,
            "ratio": _text(row.scores.ratio),
            "90% coverage": _text(row.scores.coverage_90, percent=True),
            "PIT W1 (by chance)": f"{number(row.scores.w1)} ({number(row.scores.w1_by_chance)})",
            f"fair CRPS{units}": number(row.scores.crps.value),
            f"CRPS below this ensemble by{units}": _text(row.scores.gain) if math.isfinite(row.scores.gain.value) else "–",
            "independent cases": f"{row.scores.n_effective:,.0f}" if math.isfinite(row.scores.n_effective) else "–",
        }
        for row in numbers.rows
    ]
    return pd.DataFrame(rows)


def _text(interval: Interval, *, percent: bool = False) -> str:
    """Return a value with its 90% interval: "0.812 (0.701 to 0.923)"; the value alone where the interval is not known."""

    def text(value: float) -> str:
        return (f"{value:.0%}" if percent else number(value)).replace("-", "−")

    if not math.isfinite(interval.low):
        return text(interval.value)
    low, high = (min(max(end, 0.0), 1.0) if percent else end for end in interval[1:])
    return f"{text(interval.value)} ({text(low)} to {text(high)})"


def read_aggregates(all_rows: Sequence[Row], n_member: int) -> str:
    """Return the sentence over the aggregates: for which of them the ratio of this ensemble excludes 1, and which rivals have a smaller CRPS."""
    rows = [row for row in all_rows if row.key == ATTENTION]
    if not rows:
        return "There is nothing to add up: the target is one number, or there are fewer than 20 rows."
    known = [row for row in rows if math.isfinite(row.scores.ratio.low)]
    intro = "Nothing was tuned on these aggregates; their spread depends on how the members of an ensemble depend on one another."
    if not known:
        return f"{intro} There are too few independent cases to judge them."
    if not any(row.scores.ratio.value > 0 for row in known):
        return "There is no spread, so that the aggregates have none."
    narrow = [f"{_named(row)} (ratio {number(row.scores.ratio.value)})" for row in known if row.scores.ratio.high < 1]
    wide = [f"{_named(row)} (ratio {number(row.scores.ratio.value)})" for row in known if row.scores.ratio.low > 1]
    says = [f"The spread is too small, beyond chance, for the {_and(narrow)}."] if narrow else []
    says += [f"The spread is too large, beyond chance, for the {_and(wide)}."] if wide else []
    if not says:
        says = ["For none of them does the 90% interval of the ratio exclude 1: there is no evidence that a spread is wrong."]
    return " ".join([intro, *says, *_better_rivals(all_rows), *_coverage_note(n_member)])


def _better_rivals(rows: Sequence[Row]) -> list[str]:
    """Return a sentence that names the rivals with a smaller CRPS of any aggregate, beyond chance; none where there is no rival."""
    if not any(math.isfinite(row.scores.gain.low) for row in rows):
        return []
    better: dict[str, list[str]] = {}
    for row in rows:
        if row.scores.gain.low > 0:
            better.setdefault(row.method, []).append(_named(row))
    if not better:
        return ["No rival has a smaller CRPS of any of them beyond chance."]
    return [f"{method} has a smaller CRPS of the {_and(names)}, beyond chance." for method, names in better.items()]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', the '.join(names[:-1])} and the {names[-1]}"


def _named(row: Row) -> str:
    return row.aggregate[:1].lower() + row.aggregate[1:]


def _coverage_note(n_member: int) -> list[str]:
    reached = float(attainable_coverage(n_member, [0.9])[0])
    return [f"With {n_member} members, a perfect ensemble covers {reached:.0%}."] if reached < 0.9 - 1e-9 else []


panel = Panel(
    "aggregates",
    "Aggregates that were never tuned on",
    "tab",
    numbers,
    reading,
    table,
    tab=TAB,
    choices=("has_calibration",),
    serves=lambda view: view.evaluation is not None and view.ensemble.n_member > 1,
    is_wide=True,
)
