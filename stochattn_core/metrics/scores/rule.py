"""The rule that judges a score as good, doubtful or bad: one class for tiles, tables and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Grade = Literal["good", "doubtful", "bad", "none"]
Scale = Literal["linear", "log", "share"]  # on which an interval is found: "log" for positive quantities, "share" for shares
LEAST_EFFECTIVE = 20  # independent cases; with fewer neither an interval nor a test is to be trusted
MARK: dict[Grade, str] = {"good": "●", "doubtful": "◐", "bad": "○", "none": ""}


class Evidence(NamedTuple):
    """One test: an estimate with its interval, and the rule it is compared with, in words.

    n_effective: independent cases behind the interval.   departs: -1 or 1 where the estimate is beyond its limits and beyond chance, all tests
    made counted, 0 where it is not; None where this test stands alone and its own interval decides.
    """

    estimate: float
    low: float
    high: float
    rule: str
    n_effective: float = math.nan
    departs: int | None = None


@dataclass(frozen=True)
class Judgement:
    """A grade, which sets the colour, and a word, which says the same without colour."""

    grade: Grade
    word: str

    @property
    def mark(self) -> str:
        return MARK[self.grade]


@dataclass(frozen=True)
class Rule:
    """The limits that decide whether the quantity of a score is good, doubtful or bad.

    A quantity is good if its interval lies within low .. high. It is bad if the estimate is outside these limits and the interval excludes
    `ideal`, the value of a perfect ensemble, on the same side. Everything else is doubtful: the data do not decide. So is everything that rests
    on fewer than LEAST_EFFECTIVE independent cases.

    test: name of the quantity in the evidence of a verdict.   about: the quantity in words; "" for the score itself.
    within, below, above: the words for each outcome, formatted with estimate, gap = |estimate - ideal| and points = 100 gap.
    scale: of the interval.   needs_spread: bad for members that are all equal.
    shift: n_member -> an amount added to limits and ideal, because a few members cannot reach every coverage.
    text: writes the limits in words, if the default is not suitable.
    """

    test: str
    ideal: float
    low: float = -math.inf
    high: float = math.inf
    within: str = "matches"
    below: str = "too low"
    above: str = "too high"
    about: str = ""
    scale: Scale = "linear"
    needs_spread: bool = False
    shift: Callable[[int], float] = lambda n_member: 0.0
    text: Callable[[Rule], str] | None = None

    def at(self, n_member: int) -> Rule:
        """Return the rule for an ensemble of n_member members."""
        amount = self.shift(n_member)
        return replace(self, ideal=self.ideal + amount, low=self.low + amount, high=self.high + amount) if amount else self

    def side(self, estimate: float) -> int:
        """Return -1 below the limits, 1 above them, 0 within."""
        return -1 if estimate < self.low else 1 if estimate > self.high else 0

    def misses(self, evidence: Evidence) -> int:
        """Return the side, -1 or 1, if the estimate is outside the limits and its interval excludes the ideal on that side; else 0."""
        if evidence.departs is not None:
            return evidence.departs
        side = self.side(evidence.estimate)
        beyond_chance = evidence.high < self.ideal if side < 0 else evidence.low > self.ideal
        return side if side and beyond_chance else 0

    def is_sure(self, evidence: Evidence) -> bool:
        """Return whether the interval lies within the limits, which is the claim that the value is good."""
        return self.low <= evidence.low and evidence.high <= self.high

    def judge(self, evidence: Evidence) -> Judgement:
        """Return grade and word for this estimate and its interval; grade "none" for an estimate that is not a number."""
        estimate = evidence.estimate
        if not math.isfinite(estimate):
            return Judgement("none", "not defined")
        gap = abs(estimate - self.ideal)
        side = self.side(estimate)
        word = (self.within, self.above, self.below)[side].format(estimate=estimate, gap=gap, points=100 * gap)
        if evidence.n_effective < LEAST_EFFECTIVE:
            return Judgement("doubtful", f"perhaps {word}")
        if self.is_sure(evidence):
            return Judgement("good", word)
        if side and self.misses(evidence):
            return Judgement("bad", word)
        return Judgement("doubtful", f"perhaps {word}" if side else "range too wide to tell")

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
        """The limits and the quantity that is compared with them."""
        return f"{self.limits}: {self.about}" if self.about else self.limits
