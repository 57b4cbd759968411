"""Lines of a plot from SCORES: every score that has a curve, with its range, at several lead times or regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stochattn_core.figures.lead_curves import Line
from stochattn_core.metrics import Statistics, by_event, finite_size_factor, intervals
from stochattn_core.metrics.scores import SCORES, Score
from stochattn_core.metrics.scores.coverage import attainable
from stochattn_core.verdict.summary import Summary


@dataclass(frozen=True, eq=False)
class ScoresAt:
    """Scores at several points (lead times, regions): values, low and high are (point,) by key."""

    values: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]
    n_member: int
    n_case: int

    @classmethod
    def of_summaries(cls, summaries: Sequence[Summary]) -> ScoresAt:
        """Return the scores of several summaries, one for each point."""
        keys = [key for key in summaries[0].scores if key in summaries[0].ranges]
        values = {key: np.array([summary.scores[key] for summary in summaries], dtype=float) for key in keys}
        low, high = ({key: np.array([summary.ranges[key][end] for summary in summaries]) for key in keys} for end in (0, 1))
        return cls(values, low, high, summaries[0].n_member, max(int(summary.scores["n_case"]) for summary in summaries))

    @classmethod
    def of_event(cls, statistics: Statistics) -> ScoresAt:
        """Return the scores of each element of an event with one axis; each element is a point."""
        ranges = intervals(statistics, by_event)
        values = {key: np.asarray(value, dtype=float) for key, value in by_event(statistics).items()}
        low, high = ({key: np.asarray(ranges[key][end], dtype=float) for key in values} for end in (0, 1))
        return cls(values, low, high, statistics.n_member, int(values["n"].max()))

    def table(self) -> pd.DataFrame:
        """Return one column for each score and for each end of its range."""
        columns: dict[str, np.ndarray] = {}
        for key, values in self.values.items():
            if SCORES[key].unit == "count":
                continue
            columns[key] = values
            if np.isfinite(self.low[key]).any():
                columns |= {f"{key}_low_90": self.low[key], f"{key}_high_90": self.high[key]}
        return pd.DataFrame(columns)


def lines_of(scores: ScoresAt, units: str, *, by_region: bool = False) -> list[Line]:
    """Return the lines of every score that has a curve and that the members can reach. units: of the target, as they are printed."""
    lines = []
    for key, score in SCORES.items():
        curve = score.curve
        if curve is None or key not in scores.values or (by_region and not curve.by_region):
            continue
        if curve.level is not None and attainable(scores.n_member, curve.level) < curve.level - 1e-9:
            continue
        factor = finite_size_factor(scores.n_member) if curve.is_spread else 1.0
        lines.append(
            Line(
                axes=curve.axes,
                label=curve.label,
                name=score.title,
                values=factor * scores.values[key],
                low=factor * scores.low[key],
                high=factor * scores.high[key],
                role=curve.role,
                dash=curve.dash,
                units=units if score.unit == "target" else "",
                is_share=score.unit == "percent",
                ideal=_ideal(score),
                level=curve.level,
            )
        )
    # Plots in the order of the table; within a plot the plain model first, under the others.
    order = list(dict.fromkeys(line.axes for line in lines))
    return sorted(lines, key=lambda line: (order.index(line.axes), line.role != "plain"))


def _ideal(score: Score) -> float | None:
    return score.ideal if score.direction == "ideal" and score.ideal else None
