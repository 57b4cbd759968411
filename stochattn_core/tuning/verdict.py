"""The verdict: whether the tuned ensemble can be trusted, by a small rule that is shown with its evidence.

Every word rests on an interval from test cases, widened for the number of tests made (Bonferroni). A claim of failure needs a difference
that is both material and beyond chance; the claim of calibration needs an interval narrow enough to exclude a bad miss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import torch

from stochattn_core.forecasts import Ensemble
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.association import within_by_block
from stochattn_core.metrics.intervals import LEVELS, attainable_coverage
from stochattn_core.metrics.ranks import w1
from stochattn_core.metrics.significance import block_counts, w1_floor

LEVEL = 0.9  # of all intervals together
RATIO = (0.9, 1.1)  # a spread-skill ratio within is called calibrated
RATIO_SURE = (0.75, 4 / 3)  # and its interval must lie within
COVERAGE = (0.85, 0.95)  # of the central 90%, from 19 members on
COST = 1.05  # the RMSE of the mean over that of the plain model, above which the mean has drifted
W1_EXCESS = 0.015  # over what chance makes; a spread 10% off has 0.017
BIAS = 0.3  # of the RMSE: a tenth of the squared error
VARIES = 0.15  # relative standard deviation of the spread over cases, beyond that of a variance of so many members
LEAST_BLOCKS = 10  # independent blocks of test cases, below which nothing is said
N_REPLICATE = 2000

CALIBRATED, UNDER, OVER, DRIFTED, MISPLACED, MISSED, FEW = WORDS = (
    "calibrated",
    "under-dispersed even at ν = 1",
    "over-dispersed at every concentration",
    "spread reached only with a drifted mean",
    "right on average, in the wrong places",
    "not calibrated on test",
    "too few cases to tell",
)

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


class Evidence(NamedTuple):
    """One test: estimate with its interval, and what it was held against, in words."""

    estimate: float
    low: float
    high: float
    rule: str


@dataclass(frozen=True)
class Verdict:
    """word: one of WORDS.   finding: the evidence in words.   evidence: every test by name; level: of each interval, so that all hold
    together at 90%.
    """

    word: str
    finding: str
    evidence: Mapping[str, Evidence]
    level: float

    @property
    def next(self) -> str:
        """What to do now."""
        return NEXT[self.word]

    @property
    def sentence(self) -> str:
        return f"{self.finding}; {self.next}."


def judge(ensemble: Ensemble, *, at_low: bool, at_high: bool) -> Verdict:
    """Judge an ensemble of the test part. at_low, at_high: the search ended at the smallest or the largest concentration."""
    within = within_by_block(ensemble.members, ensemble.target, ensemble.plain, ensemble.block, ensemble.weights)
    evidence, level = gather(ensemble, within)
    sums, m = ensemble.pooled, len(ensemble.members)
    word, reason = _decide(evidence, _used(sums), _promised(m), _variation(sums, within[1], m), at_low=at_low, at_high=at_high)
    n_case, ratio = round(float(sums.n_case.sum())), evidence["ratio"]
    ends = f" ({ratio.low:.2f} to {ratio.high:.2f})" if math.isfinite(ratio.low) else ""
    shown = f"spread-skill ratio {ratio.estimate:.2f}{ends} on" if math.isfinite(ratio.estimate) else "no spread-skill ratio on"
    return Verdict(word, f"{shown} {n_case:,} test case{'s' if n_case != 1 else ''}: {reason}", evidence, level)


def _promised(n_member: int) -> float:
    """What the central 90% interval of a perfect ensemble holds: fewer than 19 members cannot reach that far."""
    return float(attainable_coverage(n_member, (0.9,))[0])


def _decide(
    evidence: Mapping[str, Evidence], n_block: int, share: float, variation: float, *, at_low: bool, at_high: bool
) -> tuple[str, str]:
    ratio, cost, coverage, association, flat, bias = (evidence[name] for name in TESTS)
    narrow, wide = ratio.estimate < RATIO[0] and ratio.high < 1, ratio.estimate > RATIO[1] and ratio.low > 1
    dearer = f"the ensemble mean errs {100 * (cost.estimate - 1):.0f}% more than the plain model ({_percent(cost)})"
    if cost.estimate > 10:
        dearer = f"the ensemble mean errs {cost.estimate:.0f} times as much as the plain model"
    if not math.isfinite(ratio.estimate):
        return FEW, "no test target is a number, or the errors are all zero"
    if n_block < LEAST_BLOCKS:
        there = "is 1 independent block" if n_block == 1 else f"are {n_block} independent blocks"
        return FEW, f"there {there} of test cases, at least {LEAST_BLOCKS} are needed"
    if at_low and narrow:
        return UNDER, "one draw a row, the largest noise there is, spreads too little"
    if at_high and wide:
        return OVER, "even the largest concentration spreads too much"
    if cost.estimate > COST and cost.low > 1:
        return DRIFTED, dearer
    amount = (narrow or wide) and not _contradicts(coverage, ratio, share)
    if abs(bias.estimate) > BIAS and not bias.low <= 0 <= bias.high:
        return MISSED, f"the forecast is too {'high' if bias.estimate > 0 else 'low'} throughout, by {abs(bias.estimate):.0%} of its RMSE"
    bent = not amount and flat.low > 0 and flat.estimate > W1_EXCESS
    if bent and variation > VARIES and not association.low > 0:
        return MISPLACED, (
            f"the PIT is not flat (W1 {flat.estimate:.3f} beyond chance) and the spread of a case says nothing about its error (correlation "
            f"{association.estimate:.2f}, {association.low:.2f} to {association.high:.2f}; a constant spread has 0)"
        )
    if narrow or wide:
        return MISSED, f"the spread is too {'narrow' if narrow else 'wide'} on cases that were not tuned on"
    off = not COVERAGE[0] <= coverage.estimate + 0.9 - share <= COVERAGE[1]
    if off and not coverage.low <= share <= coverage.high:
        return MISSED, f"the 90% intervals hold {coverage.estimate:.0%} of the truth ({coverage.low:.0%} to {coverage.high:.0%})"
    if RATIO[0] <= ratio.estimate <= RATIO[1] and RATIO_SURE[0] < ratio.low and ratio.high < RATIO_SURE[1] and not off:
        return CALIBRATED, "the spread matches the error" + (f", though here {dearer}" if cost.estimate > COST else "")
    return FEW, "the interval holds calibrated and uncalibrated values alike"


def _contradicts(coverage: Evidence, ratio: Evidence, share: float) -> bool:
    """Whether the coverage is further off than a spread of the wrong amount can make it: than normal errors have at any ratio of its interval.

    A few huge errors, or spreads, sway the ratio; they do not sway how often the truth is inside.
    """
    reach = NormalDist().inv_cdf((1 + share) / 2)
    least, most = (math.erf(reach * end / math.sqrt(2)) for end in (ratio.low, ratio.high))
    return coverage.high < least or coverage.low > most


def _percent(cost: Evidence) -> str:
    return f"{100 * (cost.low - 1):+.0f}% to {100 * (cost.high - 1):+.0f}%"


def _variation(sums: Statistics, squares: torch.Tensor, m: int) -> float:
    """Relative standard deviation of the spread over cases, at each place by itself, without the part that comes of few members.

    squares: (block,), of the spreads of `m` members about their mean over cases.
    """
    mean_square = float(sums.variance.sum() / sums.weight.sum())
    if m < 2 or not mean_square > 0:
        return 0.0
    return math.sqrt(max(float(squares.sum() / sums.weight.sum()) / mean_square - 1 / (2 * (m - 1)), 0.0))


def gather(ensemble: Ensemble, within: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> tuple[dict[str, Evidence], float]:
    """Every test with its interval, and the level of each. within: `within_by_block` of the ensemble."""
    sums, m = ensemble.pooled, len(ensemble.members)
    level_90 = LEVELS.index(0.9)
    floor = w1_floor(sums)

    def values(counts: torch.Tensor) -> dict[str, torch.Tensor]:
        total = {name: counts @ getattr(sums, name) for name in ("variance", "error", "error_sq", "plain_error_sq", "covered", "n", "rank")}
        both, left, right = (counts @ part for part in within)
        return {
            "ratio": ((m + 1) / m * total["variance"] / total["error_sq"]).sqrt(),
            "cost": ((total["error_sq"] - total["variance"] / m).clamp(min=0) / total["plain_error_sq"]).sqrt(),
            "coverage_90": total["covered"][:, level_90] / total["n"],
            "association": both / (left * right).sqrt(),
            "w1_excess": w1(total["rank"].T) - floor.expected,
            "bias": total["error"] / total["n"] / (total["error_sq"] / total["n"]).sqrt(),
        }

    rules = {
        "ratio": f"{RATIO[0]} to {RATIO[1]}",
        "cost": f"below {COST}: RMSE of the mean of endlessly many members over that of the plain model",
        "coverage_90": f"{COVERAGE[0] + _promised(m) - 0.9:.0%} to {COVERAGE[1] + _promised(m) - 0.9:.0%}",
        "association": "above 0: correlation of spread and error of the plain model over cases, at each place by itself",
        "w1_excess": f"below {W1_EXCESS}: W1 beyond what chance makes",
        "bias": f"within {BIAS} of 0: mean error of the ensemble mean over its RMSE",
    }
    level = 1 - (1 - LEVEL) / len(rules)
    once, again = values(torch.ones(1, sums.n_block, dtype=torch.float64)), values(block_counts(sums, N_REPLICATE, seed=0))
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    enough = _used(sums) > 1
    evidence = {}
    for name, rule in rules.items():
        estimate = float(once[name][0])
        estimate = estimate if math.isfinite(estimate) else math.nan
        low, high = (float(end) for end in torch.nanquantile(again[name], tails)) if enough else (math.nan, math.nan)
        if name == "w1_excess" and enough:  # resampling moves a W1 near its floor upwards: take that back
            shift = float(again[name].nanmedian()) - estimate
            low, high = low - max(shift, 0.0), high - max(shift, 0.0)
        evidence[name] = Evidence(estimate, low, high, rule)
    return evidence, level


def _used(sums: Statistics) -> int:
    return int((sums.n_case > 0).sum())
