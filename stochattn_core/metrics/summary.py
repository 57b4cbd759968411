"""The scores of one set of cases with their ranges and judgements: the contents of tiles, tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stochattn_core.metrics.scores import SCORES, Judgement, scores
from stochattn_core.metrics.significance import bootstrap, evidence, w1_floor
from stochattn_core.metrics.statistics import Statistics

LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class Summary:
    """Scores with their ranges and judgements.

    scores: by key.   ranges: 90% range of each score, from resampled blocks of cases; NaN for one block.
    judgements: by the key of each score that has a rule.   w1_floor: the W1 that a perfect ensemble exceeds one time in ten on as many cases.
    n_effective: the number of independent cases with the same information.
    """

    scores: Mapping[str, float | int]
    ranges: Mapping[str, tuple[float, float]]
    judgements: Mapping[str, Judgement]
    w1_floor: float
    n_effective: float

    @property
    def n_member(self) -> int:
        return int(self.scores["n_member"])

    @property
    def has_spread(self) -> bool:
        """False for the plain model, which gives one answer."""
        return bool(self.scores["spread_skill_ratio"] > 1e-6)


def summarise(statistics: Statistics) -> Summary:
    """Return the summary of these sums. Elements of the event have equal weights; for a map, give statistics.pooled(weights)."""
    floor, pooled = w1_floor(statistics), statistics.pooled()
    values = scores(statistics)
    tests = evidence(pooled, level=LEVEL)
    judgements = {}
    for key, score in SCORES.items():
        if score.rule:
            judgements[key] = score.rule.at(statistics.n_member).judge(tests[score.rule.test])
    if not values["spread_skill_ratio"] > 1e-6:  # also NaN
        no_spread = Judgement("bad", "no spread")
        judgements |= {key: no_spread for key in ("spread_skill_ratio", "coverage_90") if key in judgements}
    return Summary(values, bootstrap(statistics, scores), judgements, floor.upper, floor.n_effective)


def is_known(interval: tuple[float, float]) -> bool:
    """Return whether both ends of a range are numbers."""
    return bool(np.isfinite(interval).all())
