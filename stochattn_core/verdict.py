"""The verdict: whether the tuned ensemble can be trusted, by a small rule that is shown with its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stochattn_core.metrics import Statistics, bootstrap

RATIO = (0.9, 1.1)  # a spread-skill ratio within is called calibrated
DRIFT_COST = 1.05  # the RMSE of the mean over that of the plain model, above which the mean has drifted
LEAST_BLOCKS = 10  # independent blocks of test cases, below which nothing is said

WORDS = (
    "calibrated",
    "under-dispersed at every concentration",
    "over-dispersed at every concentration",
    "spread reached with a drifted mean",
    "not calibrated on test",
    "too few cases to tell",
)


@dataclass(frozen=True)
class Verdict:
    """word: one of WORDS.   sentence: the evidence and what to do next.   ratio, cost: (estimate, low, high) at 90%, on the test part."""

    word: str
    sentence: str
    ratio: tuple[float, float, float]
    cost: tuple[float, float, float]


def judge(statistics: Statistics, *, at_low: bool, at_high: bool) -> Verdict:
    """Judge an ensemble by its test sums. at_low, at_high: the search ended at the smallest or the largest concentration.

    cost is rmse / rmse_plain: what the ensemble mean loses (above 1) or gains against the plain model's one answer.
    """
    found = _evidence(statistics)
    ranges = bootstrap(statistics, _evidence, level=0.9, seed=0)
    ratio, cost = ((found[name], *ranges[name]) for name in ("ratio", "cost"))
    evidence = f"spread-skill ratio {ratio[0]:.2f} (90% interval {ratio[1]:.2f} to {ratio[2]:.2f}) on {round(float(statistics.n_case.sum()))} test cases"
    if not math.isfinite(ratio[0]):
        word, advice = WORDS[5], "no test target is a number, or the errors are all zero: add data"
    elif statistics.n_block < LEAST_BLOCKS:
        word = WORDS[5]
        advice = f"there are {statistics.n_block} independent blocks of test cases, at least {LEAST_BLOCKS} are needed: add data"
    elif at_low and ratio[2] < RATIO[0]:
        word, advice = (
            WORDS[1],
            "even one draw a row spreads too little: no concentration calibrates this model; widen the members by a factor, or take conformal intervals",
        )
    elif at_high and ratio[1] > RATIO[1]:
        word, advice = WORDS[2], "even the largest concentration spreads too much: sample fewer layers"
    elif cost[1] > DRIFT_COST:
        word = WORDS[3]
        advice = f"the ensemble mean errs {100 * (cost[0] - 1):.0f}% more than the plain model: forecast with the plain answer, or sample fewer layers"
    elif RATIO[0] <= ratio[0] <= RATIO[1]:
        word, advice = WORDS[0], "the spread matches the error; read the PIT and the coverage beside it before you rely on the tails"
        if cost[0] > DRIFT_COST:
            advice += (
                f"; the ensemble mean errs {100 * (cost[0] - 1):.0f}% more than the plain model here, so forecast with the plain answer"
            )
    elif ratio[2] - ratio[1] > RATIO[1] - RATIO[0] and ratio[1] < RATIO[1] and ratio[2] > RATIO[0]:
        word, advice = WORDS[5], "the interval holds calibrated and uncalibrated values alike: add test cases"
    else:
        word, side = WORDS[4], "wide" if ratio[0] > 1 else "narrow"
        drift = math.sqrt(float(statistics.drift_sq.sum() / statistics.plain_error_sq.sum()))
        advice = f"the spread is too {side} on cases that were not tuned on; the mean strays {100 * drift:.0f}% of the error from the plain model"
    return Verdict(word, f"{evidence}: {advice}.", ratio, cost)


def _evidence(statistics: Statistics) -> dict[str, float]:
    """Spread-skill ratio, and the RMSE of the mean over that of the plain model."""
    m = statistics.n_member
    variance, error_sq, plain_error_sq = (float(x.sum()) for x in (statistics.variance, statistics.error_sq, statistics.plain_error_sq))
    if min(error_sq, plain_error_sq) <= 0:
        return {"ratio": math.nan, "cost": math.nan}
    return {"ratio": math.sqrt((m + 1) / m * variance / error_sq), "cost": math.sqrt(error_sq / plain_error_sq)}
