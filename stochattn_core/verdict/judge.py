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
from stochattn_core.verdict.quantities import QUANTITIES, SHAPE

NEARLY = 2.0  # times the limits: an interval that reaches no further beyond them is nearly inside
SHAPE_TEST = "shape"
NOT_KNOWN = 4.0  # times as many cases are asked for where there is no interval
MOST_RATIO = 1000.0  # an interval that reaches beyond it says nothing, and is not printed


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
    return Verdict(word, f"{_ratio_text(found)}: {reason}", evidence_of(found), LEVEL, worst, found.n_effective, found)


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
    more = f"; the mean errs {_percent(cost)}" if cost.side > 0 else ""
    amount = _amount(found)
    if amount:
        by = abs(math.expm1(ratio.departure))
        if at_low and amount < 0:
            reached = (
                f"one draw a row, the largest noise there is, gives {math.exp(ratio.departure):.2f} of the spread that the error asks for"
            )
            return words.UNREACHED, f"{reached}, and there the mean errs {_compared(cost)}", where
        if at_high and amount > 0:
            return words.OVER, f"even the largest concentration spreads too much, by {by:.0%}", where
        side = ("smaller", words.NARROW) if amount < 0 else ("larger", words.WIDE)
        return side[1], f"the spread is {by:.0%} {side[0]} than the error it should match{more}", where
    if cost.side > 0:
        return words.DRIFTED, f"the ensemble mean errs {_percent(cost)}", where
    if bias.side:
        return words.BIASED, f"the forecast is too {'high' if bias.side > 0 else 'low'} by {abs(bias.departure):.2f} of its RMSE", where
    if worst and worst.slice_ and worst.slice_.kinds == ("spread",) and worst.quantity.key in ("ratio", "coverage_90"):
        on_average = "the amount is right on average" if ratio.is_within else "the amount shows no fault on average beyond chance"
        return words.MISPLACED, f"{on_average}, and is wrong at the {where}: {_at(worst)}", where
    shape = _shape(found)
    if shape:
        return words.SHAPE, shape, where
    if coverage.side:
        side = ("few", words.NARROW) if coverage.side < 0 else ("many", words.WIDE)
        return side[1], f"the 90% intervals hold too {side[0]} of the targets, {coverage.departure + 0.9:.0%}", where
    if worst:
        return words.ON_AVERAGE, f"it is not calibrated at the {where}: {_at(worst)}{_others(found, worst)}", where
    return *_equivalence(found), ""


def _amount(found: Departures) -> int:
    """Return -1 where the spread is too small, 1 where it is too large, else 0.

    The ratio decides, or where it lies beyond its limits without departing, the coverage or the spread of the PIT that departs on the same side.
    """
    ratio, coverage, width = (found.overall[key] for key in ("ratio", "coverage_90", "pit_width"))
    if ratio.departure < ratio.quantity.low and (coverage.side < 0 or width.side > 0):
        return -1
    if ratio.departure > ratio.quantity.high and (coverage.side > 0 or width.side < 0):
        return 1
    return ratio.side


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
        f"the intervals hold calibrated and uncalibrated values alike; about {_rounded(more)} more independent cases are needed",
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
        over, of = each.upper - each.limit, "the shape of the PIT" if each.quantity == SHAPE_TEST else f"the {_over_slices(each)}"
        return f"{over:.2f} on {of}"
    quantity = each.quantity
    if quantity.is_share:
        return f"{100 * each.overshoot:.1f} points on the coverage"
    if quantity.shown is math.exp:
        return f"{math.expm1(each.overshoot):.1%} on the {_lower(quantity.title)}"
    return f"{each.overshoot:.2f} on the {_lower(quantity.title)}"


def _over_slices(bound: Bound) -> str:
    return f"{_lower(QUANTITIES[bound.quantity].title)} by {bound.kind}"


def _shape(found: Departures) -> str:
    """Return what is wrong with the shape of the PIT beyond chance, "" for nothing."""
    place, width, skew, tails = (found.overall[quantity.key] for quantity in SHAPE)
    texts = []
    if skew.side:
        texts.append(f"the errors are skewed, with a long tail of targets {'above' if skew.side > 0 else 'below'} the members")
    if tails.side:
        texts.append(f"the tails of the errors are {'heavier' if tails.side > 0 else 'lighter'} than those of the members")
    if not texts and width.side:
        texts.append(f"the targets lie too {'far from' if width.side > 0 else 'near'} the middle of the members")
    if not texts and place.side:
        texts.append(f"the targets lie too {'high' if place.side > 0 else 'low'} among the members")
    return " and ".join(texts)


def _in_slices(found: Departures) -> str:
    kinds = list(dict.fromkeys(bound.kind for bound in found.bounds))
    if not kinds:
        return ""
    text = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} and {kinds[-1]}"
    return f", also by {text}"


def _others(found: Departures, worst: Column) -> str:
    """Return how many more slices depart, "" for none."""
    n = len({column.slice_.name for column in found.slices if column.side and column.slice_} - {worst.slice_.name if worst.slice_ else ""})
    return f" (and at {n} more of {found.n_slice} slices)" if n else ""


def _size(column: Column) -> float:
    """Return the departure in standard errors, by which the worst slice is chosen."""
    return abs(column.departure) / column.error


def _at(column: Column) -> str:
    """Return the value of one quantity in a slice."""
    quantity, value = column.quantity, column.quantity.shown(column.departure)
    if quantity.is_share:
        return f"coverage {value:.0%} ({quantity.shown(column.low):.0%} to {min(quantity.shown(column.high), 1.0):.0%})"
    low, high = quantity.shown(column.low), quantity.shown(column.high)
    values = f"{value:.2f} ({low:.2f} to {high:.2f})".replace("-", "−")
    return f"{_lower(quantity.title)} {values}"


def _compared(cost: Column) -> str:
    """Return how the error of the mean compares with that of the plain model, with its interval."""
    return _percent(cost) if cost.departure >= 0 else _percent(cost).replace("-", "", 1).replace(" more ", " less ", 1)


def _percent(cost: Column) -> str:
    """Return how much more the mean errs than the plain model."""
    more = math.expm1(cost.departure)
    if more > 9:
        return f"{1 + more:.0f} times as much as the plain model"
    return f"{more:.0%} more ({math.expm1(cost.low):+.0%} to {math.expm1(cost.high):+.0%}) than the plain model"


def _rounded(number: float) -> str:
    """Return a number with two digits."""
    if number < 10:
        return f"{max(math.ceil(number), 1)}"
    unit = 10 ** (int(math.log10(number)) - 1)
    return f"{math.ceil(number / unit) * unit:,}"


def _counted(n_effective: float) -> str:
    """Return a number of cases, rounded down: 19.7 are not 20."""
    n = max(math.floor(n_effective), 1)
    return f"{n:,} independent case{'s' if n > 1 else ''}"


def _ratio_text(found: Departures) -> str:
    ratio = found.overall["ratio"]
    worth = _counted(found.n_effective) if math.isfinite(found.n_effective) else "these cases"
    if not math.isfinite(ratio.departure):
        return f"no spread-skill ratio on {worth}"
    is_bounded = math.isfinite(ratio.low) and ratio.high < math.log(MOST_RATIO)
    ends = f" ({math.exp(ratio.low):.2f} to {math.exp(ratio.high):.2f})" if is_bounded else ""
    return f"spread-skill ratio {math.exp(ratio.departure):.2f}{ends} on {worth}"


def evidence_of(found: Departures) -> dict[str, Evidence]:
    """Return every overall quantity by name, "shape", the distance of the PIT from uniform, and the departures over slices, such as "ratio by season"."""
    tests = {}
    for key, column in found.overall.items():
        estimate, low, high = (column.quantity.shown(value) for value in (column.departure, column.low, column.high))
        rule = f"{column.quantity.limits}: {_lower(column.quantity.title)}"
        tests[key] = Evidence(estimate, low, high, rule, column.n_effective, column.side)
    departs = int(any(found.overall[quantity.key].side for quantity in SHAPE))
    tests[SHAPE_TEST] = _evidence_of_bound(found.shape, "distance of the PIT from uniform", found.n_effective, departs)
    for bound in found.bounds:
        what = f"root-mean-square departure of the {_over_slices(bound)}"
        tests[f"{bound.quantity} by {bound.kind}"] = _evidence_of_bound(bound, what, found.n_effective, 0)
    return tests


def _evidence_of_bound(bound: Bound, what: str, n_effective: float, departs: int) -> Evidence:
    return Evidence(bound.estimate, 0.0, bound.upper, f"at most {bound.limit:.2g}: {what}", n_effective, departs)


def _lower(title: str) -> str:
    """Return a title within a sentence; PIT and RMSE stay as they are."""
    return title if title[:2].isupper() else f"{title[0].lower()}{title[1:]}"
