"""The verdict: can the tuned ensemble be trusted? A small set of rules decides, and is shown with its evidence.

Every word is based on intervals from test cases, widened for the number of tests (Bonferroni). A claim of failure needs a difference that is
both material and beyond chance. The claim of calibration needs an interval narrow enough to exclude a large error of the spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.association import within_by_block
from stochattn_core.metrics.scores import SCORES, Evidence, Grade, Rule, rules
from stochattn_core.metrics.significance import block_counts, evidence, interval_of, n_used

LEVEL = 0.9  # of all intervals jointly
VARIES = 0.15  # relative standard deviation of the spread over cases, without the part due to a finite number of members
LEAST_BLOCKS = 10  # independent blocks of test cases; with fewer, the verdict is FEW
N_REPLICATE = 2000
ASSOCIATION = Rule(
    "association",
    ideal=0.0,
    low=0.0,
    sure=(0.0, math.inf),
    within="spread goes with error",
    below="spread says nothing of the error",
    about="correlation of spread and error of the plain model over cases, at each place by itself",
)

CALIBRATED, UNDER, OVER, DRIFTED, MISPLACED, MISSED, FEW = WORDS = (
    "calibrated",
    "under-dispersed even at ν = 1",
    "over-dispersed at every concentration",
    "spread reached only with a drifted mean",
    "right on average, in the wrong places",
    "not calibrated on test",
    "too few cases to tell",
)

GRADES: dict[str, Grade] = {CALIBRATED: "good", FEW: "doubtful"}  # every other word is "bad"
TESTS = ("ratio", "cost", "coverage_90", "association", "w1_excess", "bias")
NEXT = {
    CALIBRATED: "read the PIT and the coverage beside it before you rely on the tails",
    UNDER: "no concentration calibrates this model: compare the corrections, output inflation first, or take conformal intervals",
    OVER: "sample fewer layers",
    DRIFTED: "inflate an ensemble of larger ν, whose mean hardly drifts, or forecast with the plain answer",
    MISPLACED: "do not trust the spread of a single case: dress the plain answer with its calibration errors, or sample other layers",
    MISSED: "look at the PIT for its shape; the calibration part may be unlike the test part, or an inflation may help",
    FEW: "add test cases, or read the intervals and decide yourself",
}


@dataclass(frozen=True)
class Verdict:
    """A verdict with its evidence.

    word: one of WORDS.   finding: the evidence in words.   evidence: every test by name.   level: of each interval, so that all intervals
    contain the true values jointly with 90%.
    """

    word: str
    finding: str
    evidence: Mapping[str, Evidence]
    level: float

    @property
    def grade(self) -> Grade:
        """good, doubtful or bad."""
        return GRADES.get(self.word, "bad")

    @property
    def next(self) -> str:
        """What to do next."""
        return NEXT[self.word]

    @property
    def sentence(self) -> str:
        """The finding, and what to do next."""
        return f"{self.finding}; {self.next}."


def judge(ensemble: Ensemble, *, at_low: bool, at_high: bool) -> Verdict:
    """Return the verdict on an ensemble of the test part.

    at_low, at_high: True if the search ended at the smallest or at the largest concentration.
    """
    within = within_by_block(ensemble.members, ensemble.target, ensemble.plain, ensemble.block, ensemble.weights)
    tests, level = gather(ensemble, within)
    sums, m = ensemble.pooled, len(ensemble.members)
    word, reason = _decide(tests, n_used(sums), m, _variation(sums, within[1], m), at_low=at_low, at_high=at_high)
    n_case, ratio = round(float(sums.n_case.sum())), tests["ratio"]
    ends = f" ({ratio.low:.2f} to {ratio.high:.2f})" if math.isfinite(ratio.low) else ""
    shown = f"spread-skill ratio {ratio.estimate:.2f}{ends} on" if math.isfinite(ratio.estimate) else "no spread-skill ratio on"
    return Verdict(word, f"{shown} {n_case:,} test case{'s' if n_case != 1 else ''}: {reason}", tests, level)


def rules_by_test(n_member: int) -> dict[str, Rule]:
    """Return the rule of every test for an ensemble of n_member members: those of SCORES, and that of the association."""
    return {rule.test: rule for rule in rules(n_member).values()} | {ASSOCIATION.test: ASSOCIATION}


def titles_by_test() -> dict[str, str]:
    """Return the quantity of each test in a few words, for a table."""
    of_scores = {score.rule.test: score.rule.about or score.title for score in SCORES.values() if score.rule}
    return of_scores | {ASSOCIATION.test: ASSOCIATION.about}


def _decide(
    tests: Mapping[str, Evidence], n_block: int, n_member: int, variation: float, *, at_low: bool, at_high: bool
) -> tuple[str, str]:
    ratio, cost, coverage, association, flat, bias = (tests[name] for name in TESTS)
    judged_by = rules_by_test(n_member)
    misses = {name: judged_by[name].misses(tests[name]) for name in TESTS}
    amount = misses["ratio"]
    larger_error = f"the ensemble mean errs {100 * (cost.estimate - 1):.0f}% more than the plain model ({_percent(cost)})"
    if cost.estimate > 10:
        larger_error = f"the ensemble mean errs {cost.estimate:.0f} times as much as the plain model"
    if not math.isfinite(ratio.estimate):
        return FEW, "no test target is a number, or the errors are all zero"
    if n_block < LEAST_BLOCKS:
        there = "is 1 independent block" if n_block == 1 else f"are {n_block} independent blocks"
        return FEW, f"there {there} of test cases, at least {LEAST_BLOCKS} are needed"
    if at_low and amount < 0:
        return UNDER, "one draw a row, the largest noise there is, spreads too little"
    if at_high and amount > 0:
        return OVER, "even the largest concentration spreads too much"
    if misses["cost"] > 0:
        return DRIFTED, larger_error
    if misses["bias"]:
        side = "high" if bias.estimate > 0 else "low"
        return MISSED, f"the forecast is too {side} throughout, by {abs(bias.estimate):.0%} of its RMSE"
    is_amount_to_blame = bool(amount) and not _contradicts(coverage, ratio, judged_by["coverage_90"].ideal)
    if not is_amount_to_blame and misses["w1_excess"] > 0 and variation > VARIES and not ASSOCIATION.is_sure(association):
        return MISPLACED, (
            f"the PIT is not flat (W1 {flat.estimate:.3f} beyond chance) and the spread of a case says nothing about its error (correlation "
            f"{association.estimate:.2f}, {association.low:.2f} to {association.high:.2f}; a constant spread has 0)"
        )
    if amount:
        return MISSED, f"the spread is too {'narrow' if amount < 0 else 'wide'} on cases that were not tuned on"
    if misses["coverage_90"]:
        return MISSED, f"the 90% intervals hold {coverage.estimate:.0%} of the truth ({coverage.low:.0%} to {coverage.high:.0%})"
    are_within = not any(judged_by[name].side(tests[name].estimate) for name in ("ratio", "coverage_90"))
    if are_within and judged_by["ratio"].is_sure(ratio):
        drifts = judged_by["cost"].side(cost.estimate) > 0
        return CALIBRATED, "the spread matches the error" + (f", though here {larger_error}" if drifts else "")
    return FEW, "the interval holds calibrated and uncalibrated values alike"


def _contradicts(coverage: Evidence, ratio: Evidence, share: float) -> bool:
    """Return whether the coverage differs more than a wrong spread explains: from that of normal errors at every ratio of the interval.

    A few huge errors or spreads change the ratio, but not how often the truth is inside the interval.   share: of a perfect ensemble.
    """
    reach = NormalDist().inv_cdf((1 + share) / 2)
    least, most = (math.erf(reach * end / math.sqrt(2)) for end in (ratio.low, ratio.high))
    return coverage.high < least or coverage.low > most


def _percent(cost: Evidence) -> str:
    return f"{100 * (cost.low - 1):+.0f}% to {100 * (cost.high - 1):+.0f}%"


def _variation(sums: Statistics, squares: Tensor, m: int) -> float:
    """Return the relative standard deviation of the spread over cases, within each place, without the part due to a finite number of members.

    squares: (block,), of the deviations of the spread of `m` members from its mean over cases.
    """
    mean_square = float(sums.variance.sum() / sums.weight.sum())
    if m < 2 or not mean_square > 0:
        return 0.0
    return math.sqrt(max(float(squares.sum() / sums.weight.sum()) / mean_square - 1 / (2 * (m - 1)), 0.0))


def gather(ensemble: Ensemble, within: tuple[Tensor, Tensor, Tensor]) -> tuple[dict[str, Evidence], float]:
    """Return every test with its interval, and the level of each interval.   within: the sums of `within_by_block`."""
    sums = ensemble.pooled
    level = 1 - (1 - LEVEL) / len(TESTS)
    tests = evidence(sums, level=level, n_replicate=N_REPLICATE) | {"association": _association(sums, within, level)}
    return {name: tests[name] for name in TESTS}, level


def _association(sums: Statistics, within: tuple[Tensor, Tensor, Tensor], level: float) -> Evidence:
    def correlation(counts: Tensor) -> Tensor:
        product, spread_sq, error_sq = (counts @ part for part in within)
        return product / (spread_sq * error_sq).sqrt()

    estimate = float(correlation(torch.ones(1, sums.n_block, dtype=torch.float64))[0])
    replicates = correlation(block_counts(sums, N_REPLICATE, seed=0))
    ends = interval_of(replicates, level, enough=n_used(sums) > 1)
    return Evidence(estimate if math.isfinite(estimate) else math.nan, *ends, ASSOCIATION.words)
