"""The verdict: can the spread of an ensemble be trusted? A rule of tests decides, and is shown with its evidence.

A claim of failure needs a departure that is beyond the limits and beyond chance, with one correction for all the tests made, overall and in
every slice. The claim of calibration is an equivalence test: every interval lies inside its limits. What is neither is "nearly", where the
intervals reach a little beyond the limits, or there are too few independent cases.
Source: Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15, 657, for equivalence by two one-sided tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.scores import Evidence, Grade
from stochattn_core.metrics.scores.rule import LEAST_EFFECTIVE
from stochattn_core.verdict import words
from stochattn_core.verdict.departures import LEVEL, Bound, Column, Departures, departures_of
from stochattn_core.verdict.evidence import SHAPE_TEST, evidence_of
from stochattn_core.verdict.phrases import at, compared, lower, others, over_slices, percent, ratio_text, rounded, shape_text

NEARLY = 2.0  # times the limits: an interval that reaches no further beyond them is nearly inside
NOT_KNOWN = 4.0  # times as many cases are asked for where there is no interval


@dataclass(frozen=True)
class Verdict:
    """A verdict with its evidence.

    word: one of words.WORDS.   finding: the evidence in words.   evidence: every overall test by name, and the departure over the slices of each
    partition.   level: of each interval.   worst: the slice that departs most beyond chance, "" for none.   n_effective: independent cases.
    """

    word: str
    finding: str
    evidence: Mapping[str, Evidence]
    level: float
    worst: str = ""
    n_effective: float = math.nan
    departures: Departures | None = field(default=None, repr=False, compare=False)

    @property
    def grade(self) -> Grade:
        """good, doubtful or bad."""
        return words.GRADES.get(self.word, "bad")

    @property
    def next(self) -> str:
        """What to do next."""
        return words.NEXT[self.word]

    @property
    def sentence(self) -> str:
        """The finding, and what to do next."""
        return f"{self.finding}; {self.next}."


def judge(ensemble: Ensemble, *, at_low: bool = False, at_high: bool = False) -> Verdict:
    """Return the verdict on an ensemble of cases that were not tuned on, overall and in every slice.

    at_low, at_high: True if the search for nu* ended at the smallest or at the largest concentration.
    """
    return verdict_on(departures_of(ensemble), at_low=at_low, at_high=at_high)


def verdict_on(found: Departures, *, at_low: bool = False, at_high: bool = False) -> Verdict:
    """Return the verdict that these departures allow. Arguments as in `judge`."""
    word, reason, worst = _decide(found, at_low=at_low, at_high=at_high)
    return Verdict(word, f"{ratio_text(found)}: {reason}", evidence_of(found), LEVEL, worst, found.n_effective, found)


def _decide(found: Departures, *, at_low: bool, at_high: bool) -> tuple[str, str, str]:
    """Return the word, the reason, and the name of the worst slice."""
    overall = found.overall
    ratio, bias, coverage, cost = (overall[key] for key in ("ratio", "bias", "coverage_90", "cost"))
    if not math.isfinite(ratio.departure):
        return words.FEW, "no test target is a number, or the errors or the spread are all zero", ""
    n = found.n_effective
    if not n >= LEAST_EFFECTIVE:
        return words.FEW, f"at least {LEAST_EFFECTIVE} are needed{_so_far(ratio)}", ""
    worst = max((column for column in found.slices if column.side), key=_size, default=None)
    where = worst.slice_.name if worst and worst.slice_ else ""
    more = f"; the mean errs {percent(cost)}" if cost.side > 0 else ""
    amount = _amount(found, worst)
    if amount:
        by = abs(math.expm1(ratio.departure))
        if at_low and amount < 0:
            reached = (
                f"one draw a row, the largest noise there is, gives {math.exp(ratio.departure):.2f} of the spread that the error asks for"
            )
            return words.UNREACHED, f"{reached}, and there the mean errs {compared(cost)}", where
        if at_high and amount > 0:
            return words.OVER, f"even the largest concentration spreads too much, by {by:.0%}", where
        side = ("smaller", words.NARROW) if amount < 0 else ("larger", words.WIDE)
        return side[1], f"the spread is {by:.0%} {side[0]} than the error it should match{more}", where
    if cost.side > 0 and ratio.departure < ratio.quantity.low:
        short = f"the spread is still {-math.expm1(ratio.departure):.0%} smaller than the error"
        return words.NARROW, f"the ensemble mean errs {percent(cost)}, and {short}", where
    if cost.side > 0:
        return words.DRIFTED, f"the ensemble mean errs {percent(cost)}", where
    if bias.side:
        return words.BIASED, f"the forecast is too {'high' if bias.side > 0 else 'low'} by {abs(bias.departure):.2f} of its RMSE", where
    if worst and worst.slice_ and worst.slice_.kinds == ("spread",) and worst.quantity.key in ("ratio", "coverage_90"):
        on_average = "the amount is right on average" if ratio.is_within else "the amount shows no fault on average beyond chance"
        return words.MISPLACED, f"{on_average}, and is wrong at the {where}: {at(worst)}", where
    shape_fault = shape_text(found)
    if shape_fault:
        return words.SHAPE, shape_fault, where
    if coverage.side:
        side = ("few", words.NARROW) if coverage.side < 0 else ("many", words.WIDE)
        return side[1], f"the 90% intervals hold too {side[0]} of the targets, {coverage.departure + 0.9:.0%}", where
    if worst:
        there = f"it is not calibrated at the {where}: {at(worst)}{others(found, worst)}"
        if all(column.is_near_enough for column in (ratio, bias, coverage)):
            return words.ON_AVERAGE, there, where
        return _fault_of(worst), f"{there}, and it is not shown to be right on average", where
    return *_equivalence(found), ""


def _amount(found: Departures, worst: Column | None) -> int:
    """Return -1 where the spread is too small, 1 where it is too large, else 0.

    The ratio decides, or where it lies beyond its limits without departing, what departs on the same side: the coverage, the spread of the PIT,
    or ratio or coverage in the worst slice.
    """
    ratio, coverage, width = (found.overall[key] for key in ("ratio", "coverage_90", "pit_width"))
    sides = {coverage.side, -width.side, worst.side if worst and worst.quantity.key in ("ratio", "coverage_90") else 0}
    if ratio.departure < ratio.quantity.low and -1 in sides:
        return -1
    if ratio.departure > ratio.quantity.high and 1 in sides:
        return 1
    return ratio.side


def _fault_of(column: Column) -> str:
    """Return the word for one quantity that departs."""
    if column.quantity.key in ("ratio", "coverage_90"):
        return words.NARROW if column.side < 0 else words.WIDE
    return {"bias": words.BIASED, "cost": words.DRIFTED}.get(column.quantity.key, words.SHAPE)


def _equivalence(found: Departures) -> tuple[str, str]:
    """Return the word and the reason where nothing departs beyond chance: are the intervals inside their limits?"""
    asked: list[Column | Bound] = [*(found.overall[key] for key in ("ratio", "bias", "coverage_90", "cost")), found.shape, *found.bounds]
    if all(each.is_within for each in asked):
        return words.CALIBRATED, f"spread, shape, bias, coverage and mean are inside their limits{_in_slices(found)}"
    missing = [each for each in asked if not each.is_within]
    if all(_is_near(each) for each in missing):
        worst = max(missing, key=_excess)
        return words.NEARLY, f"it misses by less than {_miss(worst)}"
    needed = max(_times_more(each) for each in missing)
    n = found.n_effective
    more = n * (needed - 1)
    return (
        words.FEW,
        f"the intervals hold calibrated and uncalibrated values alike; about {rounded(more)} more independent cases are needed",
    )


def _so_far(ratio: Column) -> str:
    """Return what too few cases suggest of the spread, "" for nothing."""
    if not (math.isfinite(ratio.low) and math.isfinite(ratio.high)) or ratio.low <= 0 <= ratio.high:
        return ""
    return f"; so far the spread looks too {'narrow' if ratio.high < 0 else 'wide'}"


def _is_near(each: Column | Bound) -> bool:
    if isinstance(each, Bound):
        return each.upper <= NEARLY * each.limit
    return each.low >= NEARLY * each.quantity.low and each.high <= NEARLY * each.quantity.high


def _excess(each: Column | Bound) -> float:
    """Return the overshoot in units of the limit."""
    if isinstance(each, Bound):
        return each.upper / each.limit
    return max(each.low / each.quantity.low if math.isfinite(each.quantity.low) else 0.0, each.high / each.quantity.high)


def _times_more(each: Column | Bound) -> float:
    """Return by what factor the number of independent cases has to grow before an interval around a small departure fits inside the limits."""
    if isinstance(each, Bound):
        return (each.upper / (0.8 * each.limit)) ** 2 if math.isfinite(each.upper) else NOT_KNOWN
    half, limit = (each.high - each.low) / 2, min(abs(each.quantity.low), abs(each.quantity.high))
    return max((half / (0.6 * limit)) ** 2, 1.1) if math.isfinite(half) else NOT_KNOWN


def _miss(each: Column | Bound) -> str:
    """Return by how much and on what an interval reaches beyond its limits."""
    if isinstance(each, Bound):
        over, of = each.upper - each.limit, "the shape of the PIT" if each.quantity == SHAPE_TEST else f"the {over_slices(each)}"
        return f"{over:.2f} on {of}"
    quantity = each.quantity
    if quantity.is_share:
        return f"{100 * each.overshoot:.1f} points on the coverage"
    if quantity.shown is math.exp:
        return f"{math.expm1(each.overshoot):.1%} on the {lower(quantity.title)}"
    return f"{each.overshoot:.2f} on the {lower(quantity.title)}"


def _in_slices(found: Departures) -> str:
    kinds = list(dict.fromkeys(bound.kind for bound in found.bounds))
    if not kinds:
        return ""
    text = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} and {kinds[-1]}"
    return f", also by {text}"


def _size(column: Column) -> float:
    """Return the departure in standard errors, by which the worst slice is chosen."""
    return abs(column.departure) / column.error
