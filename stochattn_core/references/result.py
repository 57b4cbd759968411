"""The best reference forecast beside an ensemble: the ratio of their RMSE with a paired interval, and what follows from it in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.scores import Judgement
from stochattn_core.metrics.significance import LEVEL, Estimate
from stochattn_core.metrics.statistics import coarser
from stochattn_core.references.errors import ReferenceErrors
from stochattn_core.references.paired import UNKNOWN, paired_ratio

NO_REFERENCE = "No reference forecast can be scored on these cases."
Outcome = Literal["better", "worse", "undecided", "no interval", "undefined"]


@dataclass(frozen=True)
class ReferenceResult:
    """The reference forecast with the smallest RMSE, beside an ensemble on the same cases.

    name: of the reference.   rmse: of the reference, in the units of the target.   mean, plain: RMSE of the ensemble mean and of the plain
    model over that of the reference.   crps: of the reference with the errors that it makes on calibration data, NaN where there are none.
    crps_ratio: fair CRPS of the ensemble over it.   level: of all intervals, 1 - 0.1 / n_reference, because the best of n_reference forecasts
    is found on the cases that are scored.   is_single: True where the members do not differ, so that the ensemble mean is the plain model.
    """

    name: str
    rmse: float
    mean: Estimate
    plain: Estimate
    crps: float
    crps_ratio: Estimate
    level: float
    n_reference: int
    is_single: bool

    @property
    def ratio(self) -> float:
        """RMSE of the ensemble mean over that of the reference; below 1 the ensemble mean is the better forecast."""
        return self.mean.estimate

    @property
    def low(self) -> float:
        return self.mean.low

    @property
    def high(self) -> float:
        return self.mean.high

    @property
    def n_effective(self) -> float:
        """The number of independent cases behind the interval of the ratio."""
        return self.mean.n_effective

    @property
    def loses(self) -> bool:
        """Whether the ensemble mean errs more than the reference, beyond chance."""
        return outcome_of(self.mean) == "worse"

    @property
    def sentence(self) -> str:
        """What the comparison shows, and what to do where the reference is better."""
        return _sentence(self)

    @property
    def crps_sentence(self) -> str:
        """What the comparison of the distributions shows; "" where the reference has none."""
        return _crps_sentence(self)

    def judged(self, judgement: Judgement) -> Judgement:
        """Return the judgement on the RMSE of the ensemble mean, given that on its drift: never good where it does not beat the reference."""
        outcome = outcome_of(self.mean)
        if outcome == "worse":
            return Judgement("bad", f"{_gap(self.ratio)} worse than {self.name}")
        if outcome == "undecided" and judgement.grade == "good":
            return Judgement("doubtful", f"not told apart from {self.name}")
        return judgement


def outcome_of(ratio: Estimate) -> Outcome:
    """Return what a ratio of errors and its interval show of the method."""
    if math.isnan(ratio.estimate):
        return "undefined"
    if math.isnan(ratio.low):
        return "no interval"
    return "better" if ratio.high < 1 else "worse" if ratio.low > 1 else "undecided"


def best_reference(errors: ReferenceErrors, statistics: Statistics, block: np.ndarray, lead: int | None = None) -> ReferenceResult | None:
    """Return the best reference beside an ensemble; None where there is none, or no target.

    statistics: pooled, of the lead time that is chosen.   block: (case,), the place of each case on its leading axis.   lead: the place of
    the lead time, None for all.
    """
    n, best = float(statistics.n.sum()), errors.best(lead)
    if not best or not n > 0:
        return None
    level = 1 - (1 - LEVEL) / len(errors.error_sq)

    def by_block(values: np.ndarray) -> np.ndarray:
        chosen = values if lead is None else values[:, lead]
        sums = np.bincount(coarser(block, statistics.n_block), chosen.reshape(len(block), -1).sum(1), minlength=statistics.n_block)
        return sums[(statistics.n_case > 0).numpy()]

    used = statistics.n_case > 0
    mean_sq, plain_sq, crps = (values[used].numpy() for values in (statistics.error_sq, statistics.plain_error_sq, statistics.crps_fair))
    reference_sq, reference_crps = by_block(errors.error_sq[best]), by_block(errors.crps.get(best, np.full_like(errors.n, np.nan)))
    least = errors.rounding**2 * n
    mean_sq, plain_sq, reference_sq = (
        values if values.sum() > least else np.zeros_like(values) for values in (mean_sq, plain_sq, reference_sq)
    )
    return ReferenceResult(
        name=best,
        rmse=math.sqrt(float(reference_sq.sum()) / n),
        mean=paired_ratio(mean_sq, reference_sq, root=True, level=level),
        plain=paired_ratio(plain_sq, reference_sq, root=True, level=level),
        crps=float(reference_crps.sum()) / n,
        crps_ratio=paired_ratio(crps, reference_crps, level=level) if np.isfinite(crps).all() else UNKNOWN,
        level=level,
        n_reference=len(errors.error_sq),
        is_single=not float(statistics.variance[used].nan_to_num(0.0).sum()) > 0,
    )


def _sentence(result: ReferenceResult) -> str:
    subject, best, name = "The model" if result.is_single else "The ensemble mean", _best(result), result.name
    outcome, ratio = outcome_of(result.mean), result.mean
    if outcome == "undefined":
        return f"{subject} makes no error on these cases beyond rounding, and neither does {best}."
    if outcome == "no interval":
        return f"{subject} has {_compared(ratio)} RMSE {_than(ratio)} {best}, on too few independent cases to tell whether this is chance."
    if outcome == "undecided":
        return f"{subject} and {best}, cannot be told apart in RMSE on {_cases(ratio.n_effective)} ({_ends(ratio, result.level)})."
    if outcome == "better":
        return f"{subject} beats {best}, by {_margin(ratio, result.level)}."
    if math.isinf(ratio.estimate):
        return f"{subject} loses to {best}, which makes no error on these cases beyond rounding: use {name}."
    loss, plain = f"{subject} loses to {best}, by {_margin(ratio, result.level)}", outcome_of(result.plain)
    if result.is_single:
        return f"{loss}: use {name}, or train the model longer."
    if plain == "worse":
        return f"{loss}, and so does the plain model, by {_gap(result.plain.estimate)}: use {name}, or train the model longer."
    if plain == "better":
        return f"{loss}, but the plain model beats it: use the plain forecast, or a larger ν."
    return f"{loss}, but the plain model cannot be told apart from it: use {name}, or a larger ν, whose mean is nearer to the plain model."


def _compared(ratio: Estimate) -> str:
    if ratio.estimate == 1:
        return "the same"
    gap = "" if math.isinf(ratio.estimate) else f"{_gap(ratio.estimate)} "
    return f"a {gap}{'larger' if ratio.estimate > 1 else 'smaller'}"


def _than(ratio: Estimate) -> str:
    return "as" if ratio.estimate == 1 else "than"


def _ends(ratio: Estimate, level: float) -> str:
    return f"ratio {ratio.estimate:.3g}, {_level(level)} interval {ratio.low:.3g} to {ratio.high:.3g}"


def _crps_sentence(result: ReferenceResult) -> str:
    ratio, outcome = result.crps_ratio, outcome_of(result.crps_ratio)
    if outcome == "undefined" or not math.isfinite(ratio.estimate):
        return ""
    start = f"With its errors on calibration data as its distribution, {result.name} has a CRPS of {result.crps:.3g}; the fair CRPS of the ensemble"
    ends = _ends(ratio, result.level)
    if outcome == "undecided":
        return f"{start} cannot be told apart from it on {_cases(ratio.n_effective)} ({ends})."
    size = f"{start} is {_gap(ratio.estimate)} {'above' if ratio.estimate > 1 else 'below'} it"
    return f"{size}, with too few independent cases for an interval." if outcome == "no interval" else f"{size} ({ends})."


def _best(result: ReferenceResult) -> str:
    n = result.n_reference
    return f"the best of {n} reference forecasts, {result.name}" if n > 1 else f"the only reference forecast, {result.name}"


def _level(level: float) -> str:
    return f"{100 * level:.3g}%"


def _margin(ratio: Estimate, level: float) -> str:
    ends = sorted((_percent(ratio.low), _percent(ratio.high)))
    return (
        f"{_gap(ratio.estimate)} in RMSE ({_level(level)} interval {_digits(ends[0])} to {_digits(ends[1])}%, {_cases(ratio.n_effective)})"
    )


def _percent(ratio: float) -> float:
    return 100 * abs(ratio - 1)


def _gap(ratio: float) -> str:
    return f"{_digits(_percent(ratio))}%"


def _digits(value: float) -> str:
    """Return a percentage with two digits, or as a whole number from 10 on."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _cases(n_effective: float) -> str:
    n = round(n_effective)
    return f"about {n:,} independent case{'s' if n != 1 else ''}"
