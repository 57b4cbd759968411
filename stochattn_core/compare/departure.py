"""How far an ensemble departs from calibration: in the amount of its spread, in its coverage, and in the shape of its PIT."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from stochattn_core.compare.estimate import Jackknife, Sums, estimated
from stochattn_core.compare.gain import ScoredPart
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.ranks import legendre_means
from stochattn_core.metrics.scores import SCORES, Rule
from stochattn_core.metrics.significance import Estimate, infer


@dataclass(frozen=True)
class Quantity:
    """A score of which a calibrated ensemble has a known value, and the scale on which a departure from it is measured.

    key: of SCORES.   scale: of value and ideal, before they are subtracted.   text: writes a value in a sentence.
    """

    key: str
    name: str
    scale: Callable[[Tensor], Tensor]
    text: Callable[[float], str]

    def departure(self, sums: Statistics) -> Tensor:
        """Return |scale(value) - scale(ideal)|, (leading axis,), no units.

        The distance of the PIT has a part that is due to chance. Of two methods on the same cases it is about the same, so that it cancels in
        their difference.
        """
        ideal = torch.tensor(rule_of(self.key, sums.n_member).ideal, dtype=torch.float64)
        return (self.scale(self.value(sums)) - self.scale(ideal)).abs()

    def value(self, sums: Statistics) -> Tensor:
        tested = SCORES[self.key].tested
        assert tested is not None  # every score named below has a rule and a test
        return tested(sums, 0.0)


@cache
def rule_of(key: str, n_member: int) -> Rule:
    """Return the rule of a score for ensembles of n_member members."""
    rule = SCORES[key].rule
    assert rule is not None  # every score of QUANTITIES has one
    return rule.at(n_member)


QUANTITIES = (
    Quantity("spread_skill_ratio", "spread-skill ratio", torch.log, lambda value: f"{value:.2f}"),
    Quantity("coverage_90", "90% coverage", lambda value: value, lambda value: f"{value:.0%}"),
    Quantity("w1", "PIT distance from uniform", lambda value: value, lambda value: f"{value:.2f}"),
)


@dataclass(frozen=True)
class State:
    """value: of one quantity.   departure: from calibration, as in Quantity.   is_within: the limits, of the estimate."""

    value: float
    departure: float
    is_within: bool


def states(part: ScoredPart) -> Mapping[str, State]:
    """Return the state of every quantity on one part, by its key. NaN, and not within the limits, where a quantity is not defined.

    The part of the distance of the PIT that is due to chance is not held against a method: in few cases it alone exceeds the limit.
    """
    total = part.statistics.total()
    found = {}
    for quantity in QUANTITIES:
        rule = rule_of(quantity.key, total.n_member)
        value = float(quantity.value(total)[0])
        judged = math.sqrt(max(value**2 - _distance_by_chance_squared(part.statistics), 0.0)) if quantity.key == "w1" else value
        found[quantity.key] = State(value, float(quantity.departure(total)[0]), math.isfinite(value) and rule.side(judged) == 0)
    return found


def _distance_by_chance_squared(statistics: Statistics) -> float:
    """Return the expected square of the distance of the PIT of a calibrated ensemble on cases with the same dependence; 0 where it is not known."""
    total, rest = (legendre_means(sums.rank.T).T.numpy() for sums in (statistics.total(), statistics.without_each()))
    return float(np.nan_to_num(np.square(infer(total[0], rest).error)).sum())


def is_as_calibrated(method: Mapping[str, State], reference: Mapping[str, State]) -> bool:
    """Is every quantity of the method within its limits, or no further from calibration than that of the reference?"""
    return all(state.is_within or state.departure <= reference[key].departure for key, state in method.items())


def reduction(reference: Jackknife, method: Jackknife, quantity: Quantity, level: float) -> Estimate:
    """Return by how much the method departs less than the reference, with a paired interval; above 0 where it is better calibrated."""

    def value(of_reference: Sums, of_method: Sums) -> Tensor:
        return quantity.departure(of_reference.statistics) - quantity.departure(of_method.statistics)

    return estimated(value, reference, method, level=level)
