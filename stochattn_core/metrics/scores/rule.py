"""The rule for good, doubtful and bad, and what a score is held against: one class for tiles, tables and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Grade = Literal["good", "doubtful", "bad", "none"]
MARK: dict[Grade, str] = {"good": "●", "doubtful": "◐", "bad": "○", "none": ""}


class Evidence(NamedTuple):
    """One test: an estimate with its interval, and the rule it was held against, in words."""

    estimate: float
    low: float
    high: float
    rule: str


@dataclass(frozen=True)
class Judgement:
    """grade: for the colour.   word: for readers, also those who see no colour."""

    grade: Grade
    word: str

    @property
    def mark(self) -> str:
        return MARK[self.grade]


@dataclass(frozen=True)
class Rule:
    """When the quantity of a score is good, doubtful or bad.

    Within low .. high it is good. Outside it is bad where the interval of the estimate excludes `ideal`, the value of a perfect ensemble,
    on the same side; else chance alone may explain it, and it is doubtful. `sure`, where given, is the range that the interval must lie in
    before a value within the limits counts as good.

    test: name of the quantity in the evidence of a verdict.   about: what the quantity is, in words, "" for the score itself.
    within, below, above: the words of each outcome, formatted with estimate, gap = |estimate - ideal| and points = 100 gap.
    is_distance: resampling enlarges the quantity, so that its interval is moved back by as much.
    shift(n_member) moves limits and ideal: few members cannot reach every coverage.   text: the limits in words, where the default does not do.
    """

    test: str
    ideal: float
    low: float = -math.inf
    high: float = math.inf
    sure: tuple[float, float] | None = None
    within: str = "matches"
    below: str = "too low"
    above: str = "too high"
    about: str = ""
    is_distance: bool = False
    shift: Callable[[int], float] = lambda n_member: 0.0
    text: Callable[[Rule], str] | None = None

    def at(self, n_member: int) -> Rule:
        """The rule for an ensemble of so many members."""
        by = self.shift(n_member)
        return replace(self, ideal=self.ideal + by, low=self.low + by, high=self.high + by) if by else self

    def side(self, estimate: float) -> int:
        """-1 below the limits, 1 above them, 0 within."""
        return -1 if estimate < self.low else 1 if estimate > self.high else 0

    def misses(self, evidence: Evidence) -> int:
        """-1 or 1 where the estimate is outside the limits and its interval excludes the ideal on that side, else 0."""
        side = self.side(evidence.estimate)
        beyond_chance = evidence.high < self.ideal if side < 0 else evidence.low > self.ideal
        return side if side and beyond_chance else 0

    def is_sure(self, evidence: Evidence) -> bool:
        """Whether the interval is narrow enough for a claim that the value is good."""
        return self.sure is None or (self.sure[0] < evidence.low and evidence.high < self.sure[1])

    def judge(self, evidence: Evidence) -> Judgement:
        estimate = evidence.estimate
        if not math.isfinite(estimate):
            return Judgement("none", "not defined")
        gap = abs(estimate - self.ideal)
        side = self.side(estimate)
        word = (self.within, self.above, self.below)[side].format(estimate=estimate, gap=gap, points=100 * gap)
        if side == 0:
            known = math.isfinite(evidence.low) and math.isfinite(evidence.high)
            return Judgement("good", word) if not known or self.is_sure(evidence) else Judgement("doubtful", "range too wide to tell")
        return Judgement("bad" if self.misses(evidence) else "doubtful", word)

    @property
    def limits(self) -> str:
        """The limits in words."""
        if self.text:
            return self.text(self)
        if math.isinf(self.low):
            return f"below {self.high:g}"
        return f"above {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"

    @property
    def words(self) -> str:
        """The limits, and what is held against them."""
        return f"{self.limits}: {self.about}" if self.about else self.limits
