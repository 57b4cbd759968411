"""The scores of one set of cases with their ranges and judgements: the contents of tiles, tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stochattn_core.metrics.scores import Judgement, rules, scores
from stochattn_core.metrics.significance import evidence, intervals, w1_floor
from stochattn_core.metrics.statistics import Statistics
from stochattn_core.verdict.departures import overall_departures
from stochattn_core.verdict.judge import Verdict, verdict_on

LEAST_RATIO = 1e-6  # of spread to error; below it the spread is rounding
OF_MEMBERS = "coverage_90"  # a few members cannot reach 90%: the tile is judged by the coverage that they can reach


@dataclass(frozen=True, eq=False)
class Summary:
    """Scores with their ranges and judgements.

    scores: by key.   ranges: 90% interval of each score; NaN for one block.   judgements: by the key of each score that has a rule.
    verdict: on all values together, without slices.   w1_by_chance: the mean W1 of a perfect ensemble on as many cases.
    n_effective: the number of independent cases with the same information.
    """

    scores: Mapping[str, float | int]
    ranges: Mapping[str, tuple[float, float]]
    judgements: Mapping[str, Judgement]
    verdict: Verdict
    w1_by_chance: float
    n_effective: float

    @property
    def n_member(self) -> int:
        return int(self.scores["n_member"])

    @property
    def has_spread(self) -> bool:
        """False for the plain model, which gives one forecast."""
        return has_spread(self.scores)


def summarise(statistics: Statistics) -> Summary:
    """Return the summary of these sums. Elements of the event have equal weights; for a map, give statistics.pooled(weights).

    A tile is judged by the same tests as the verdict, where the verdict has such a test.
    """
    floor, pooled = w1_floor(statistics), statistics.pooled()
    values = scores(statistics)
    judged = verdict_on(overall_departures(pooled))
    tests = evidence(pooled) | {name: test for name, test in judged.evidence.items() if name != OF_MEMBERS}
    judgements = {}
    for key, rule in rules(statistics.n_member).items():
        is_without_spread = rule.needs_spread and not has_spread(values)
        judgements[key] = Judgement("bad", "no spread") if is_without_spread else rule.judge(tests[rule.test])
    return Summary(values, intervals(statistics, scores), judgements, judged, floor.expected, floor.n_effective)


def has_spread(values: Mapping[str, float | int]) -> bool:
    """Return whether the members differ; False for the plain model, which gives one forecast, and where the ratio is NaN."""
    return values["spread_skill_ratio"] > LEAST_RATIO


def is_known(interval: tuple[float, float]) -> bool:
    """Return whether both ends of a range are numbers."""
    return bool(np.isfinite(interval).all())
