"""Is a score good, doubtful or bad? One table of rules, so that every page says the same by word and by mark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Grade = Literal["good", "doubtful", "bad", "none"]
MARK = {"good": "●", "doubtful": "◐", "bad": "○", "none": ""}


@dataclass(frozen=True)
class Verdict:
    """grade for the colour, word for the eye that sees no colour."""

    grade: Grade
    word: str

    @property
    def mark(self) -> str:
        return MARK[self.grade]


NO_SPREAD = Verdict("bad", "no spread")


def judge_ratio(ratio: float, interval: tuple[float, float] | None = None) -> Verdict:
    """Within 10% of 1 is good; within a third it is doubtful, or when 1 lies in the interval of its estimate."""
    if not math.isfinite(ratio) or ratio < 1e-6:
        return NO_SPREAD
    if 0.9 <= ratio <= 1.11:
        return Verdict("good", "matches")
    word = "too narrow" if ratio < 1 else "too wide"
    near = 0.75 <= ratio <= 1.33 or (interval is not None and interval[0] <= 1 <= interval[1])
    return Verdict("doubtful" if near else "bad", word)


def judge_w1(w1: float, floor: float) -> Verdict:
    """floor: what a perfect ensemble exceeds one time in ten on as many cases with the same dependence; below it nothing is left to explain."""
    if not math.isfinite(floor):
        return Verdict("none", "too few cases to tell")
    if w1 <= max(floor, 0.01):
        return Verdict("good", "within chance")
    return Verdict("doubtful", "some misfit") if w1 <= max(1.5 * floor, 0.05) else Verdict("bad", "misfit")


def judge_crps(crps: float, plain_mae: float) -> Verdict:
    """The fair CRPS of one forecast is its mean absolute error: an ensemble must be below it to be worth having."""
    if crps < 0.98 * plain_mae:
        return Verdict("good", f"{1 - crps / plain_mae:.0%} below")
    return Verdict("doubtful", "no gain") if crps <= 1.02 * plain_mae else Verdict("bad", f"{crps / plain_mae - 1:.0%} above")


def judge_coverage(observed: float, level: float = 0.9, n_case: int = 10**9) -> Verdict:
    """Within 3 points, or within chance for this many cases, is good; within 8 points doubtful."""
    gap = observed - level
    chance = 1.645 * math.sqrt(level * (1 - level) / max(n_case, 1))
    if abs(gap) <= max(0.03, chance):
        return Verdict("good", "holds")
    word = f"{abs(gap) * 100:.0f} points {'short' if gap < 0 else 'over'}"
    return Verdict("doubtful" if abs(gap) <= 0.08 else "bad", word)


def judge_rmse(rmse: float, plain_rmse: float) -> Verdict:
    """The ensemble mean should not drift from the plain model: within 1.5% is good, within 5% doubtful."""
    change = rmse / plain_rmse - 1 if plain_rmse > 0 else 0.0
    if change <= 0.015:
        return Verdict("good", "no drift" if change > -0.015 else f"{-change:.0%} better")
    return Verdict("doubtful" if change <= 0.05 else "bad", f"{change:.0%} worse")
