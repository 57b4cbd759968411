"""The recommendation: one set of rules for what `tune` and `compare` say a user should do next.

All evidence is of the calibration part, cross-fitted; intervals are paired and widened for the number of methods tried. A correction is
recommended where it is clearly better than the concentration alone in one of two ways:

- it lowers the fair CRPS;
- it is closer to calibration in a quantity that is outside its limits, and its fair CRPS is not higher by more than the margin.

In both, every quantity must be within its limits or no further from calibration than that of the concentration alone.

The best of these, or else the concentration alone, is then compared with the reference forecasts, which sample no attention. One that is
calibrated as well in this sense, and whose CRPS is not higher by more than the margin, is recommended in its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from stochattn_core.compare.departure import QUANTITIES, State, is_as_calibrated, reduction, states
from stochattn_core.compare.estimate import Jackknife, Sums, estimated
from stochattn_core.compare.gain import ScoredPart
from stochattn_core.metrics.significance import LEVEL, Estimate, n_used

MARGIN = 0.02  # of the CRPS: a smaller difference is no reason to choose a method, and the most that better calibration may cost
LEAST_CASES = 20  # independent calibration cases; with fewer, nothing is recommended
LEAST_SHARE = 0.1  # of the variance; with a smaller share of attention, a correction has become what is left without attention
ERROR_RATE = 0.05  # of recommending any correction that is no better
PROPER_NAMES = ("Gaussian",)

Kind = Literal["method", "correction", "reference"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One method on the calibration part.

    attention_share: of the variance of its members that attention supplies.   without_attention: what is left of it without that share.
    """

    name: str
    title: str
    kind: Kind
    part: ScoredPart
    attention_share: float = 1.0
    without_attention: str = ""


@dataclass(frozen=True)
class Trial:
    """A method against another one. gain: relative, 1 minus the ratio of both CRPS.   reductions: of departures, by key of the quantity.

    price: the gain with its interval at 90%. A claim that needs better calibration as well needs no further widening of it.
    """

    gain: Estimate
    reductions: Mapping[str, Estimate]
    price: Estimate


@dataclass(frozen=True)
class Recommendation:
    """name: of the method to use, a correction or a reference; None where nothing is recommended beside the concentration alone.

    attention: the name of the best method that samples attention.   sentence: the recommendation and its reason.
    n_effective: independent cases behind it.   trials: of each correction against the concentration alone, by name.
    """

    name: str | None
    attention: str
    sentence: str
    n_effective: float
    trials: Mapping[str, Trial] = field(default_factory=dict)


def gain_level(n_tried: int) -> float:
    """Return the level of the intervals of gains, which share one half of ERROR_RATE.

    >>> gain_level(5)
    0.99
    """
    return 1 - ERROR_RATE / max(n_tried, 1)


def reduction_level(n_tried: int) -> float:
    """Return the level of the intervals of reductions, one for each quantity, which share the other half of ERROR_RATE."""
    return 1 - ERROR_RATE / (max(n_tried, 1) * len(QUANTITIES))


def recommend(candidates: Sequence[Candidate]) -> Recommendation:
    """Return the recommendation.   candidates: the concentration alone first."""
    alone, *others = candidates
    corrections = [entry for entry in others if entry.kind == "correction"]
    references = [entry for entry in others if entry.kind == "reference"]
    n_effective = effective_cases(alone.part)
    if n_effective < LEAST_CASES:
        return Recommendation(None, alone.name, too_few(n_effective), n_effective)
    of_alone = Jackknife.of(alone.part)
    trials = {entry.name: trial(of_alone, Jackknife.of(entry.part), len(corrections)) for entry in corrections}
    state = {entry.name: states(entry.part) for entry in candidates}
    better = [entry for entry in corrections if is_better(trials[entry.name], state[entry.name], state[alone.name])]
    # Calibrated ones first, then by their gain.
    best = max(
        better, key=lambda entry: (all(of.is_within for of in state[entry.name].values()), trials[entry.name].gain.estimate), default=alone
    )
    words = _chosen(best, trials[best.name], state[best.name], state[alone.name], len(corrections)) if better else _none(len(corrections))
    rival, about = _rival(best, references, state)
    name = rival.name if rival else best.name if better else None
    return Recommendation(name, best.name, " ".join(filter(None, (words, about))), n_effective, trials)


def effective_cases(part: ScoredPart) -> float:
    """Return how many independent cases the mean CRPS of a method rests on; 0 or 1 where no more have a target."""
    found = estimated(lambda sums: sums.crps / sums.statistics.n, Jackknife.of(part), level=1 - ERROR_RATE).n_effective
    return found if math.isfinite(found) else min(n_used(part.statistics), 1)


def trial(reference: Jackknife, method: Jackknife, n_tried: int) -> Trial:
    """Return the evidence on a method against another one, as one of n_tried methods."""
    reductions = {entry.key: reduction(reference, method, entry, reduction_level(n_tried)) for entry in QUANTITIES}
    return Trial(relative_gain(reference, method, gain_level(n_tried)), reductions, relative_gain(reference, method, LEVEL))


def relative_gain(reference: Jackknife, method: Jackknife, level: float) -> Estimate:
    """Return 1 minus the CRPS of the method over that of the reference, with a paired interval; above 0 where the method is better."""

    def value(of_reference: Sums, of_method: Sums) -> Tensor:
        return 1 - of_method.crps / of_reference.crps

    return estimated(value, reference, method, level=level)


def is_better(trial: Trial, state: Mapping[str, State], alone: Mapping[str, State]) -> bool:
    """Is a correction clearly better than the concentration alone, in one of the two ways that the head of this file names?"""
    if not is_as_calibrated(state, alone):
        return False
    is_nearer = any(is_above(entry) and not alone[key].is_within for key, entry in trial.reductions.items())
    return is_above(trial.gain) or (is_nearer and trial.price.low > -MARGIN)


def is_above(estimate: Estimate) -> bool:
    """Is the whole interval above 0, and does it rest on enough independent cases to be relied on?"""
    return estimate.low > 0 and estimate.n_effective >= LEAST_CASES


def too_few(n_effective: float) -> str:
    n = math.floor(n_effective)
    there = "is about 1 independent case" if n == 1 else f"are about {n} independent cases"
    needed = f"at least {LEAST_CASES} are needed to recommend a method: add {LEAST_CASES - n} or more such cases"
    return f"There {there} in the calibration part; {needed}."


def _chosen(best: Candidate, trial: Trial, state: Mapping[str, State], alone: Mapping[str, State], n_tried: int) -> str:
    gain, level = trial.gain, gain_level(n_tried)
    interval = f"{level:.1%} interval {_change(gain)}, for {n_tried} correction{'s' if n_tried != 1 else ''} tried"
    if is_above(gain):
        reason = f"lowers the fair CRPS of the concentration alone by {gain.estimate:.1%} on calibration data ({interval})"
    else:
        reason = (
            f"is better calibrated than the concentration alone on calibration data, at a fair CRPS that is not higher by more than {MARGIN:.0%} "
            f"({LEVEL:.0%} interval {_change(trial.price)}{' lower' if trial.price.low > 0 else ''})"
        )
    values = ", ".join(
        f"{entry.name} {entry.text(state[entry.key].value)} instead of {entry.text(alone[entry.key].value)}" for entry in QUANTITIES
    )
    outside = [entry.name for entry in QUANTITIES if not state[entry.key].is_within]
    sentence = f"{best.title} {reason}: {values}."
    if outside:
        sentence += f" Its {' and its '.join(outside)} {'is' if len(outside) == 1 else 'are'} outside the limits on these data."
    if best.without_attention and best.attention_share < LEAST_SHARE:
        sentence += (
            f" Attention supplies {best.attention_share:.0%} of its variance, so that this correction has become {best.without_attention}."
        )
    return sentence


def _none(n_tried: int) -> str:
    if not n_tried:
        return "No correction that changes the members was fitted, so that there is none to recommend."
    return (
        f"No correction is recommended: of {n_tried} tried, none is clearly better than the concentration alone, by a lower fair CRPS at no worse "
        f"calibration, or by better calibration at a fair CRPS that is higher by at most {MARGIN:.0%}."
    )


def _change(gain: Estimate) -> str:
    """Return the interval of a relative gain in words.

    >>> _change(Estimate(0.1, -0.011, 0.2))
    '1.1% higher to 20.0% lower'
    """
    if gain.low > 0:
        return f"{gain.low:.1%} to {gain.high:.1%}"
    ends = [f"{abs(end):.1%} {'lower' if end > 0 else 'higher'}" for end in (gain.low, gain.high)]
    return " to ".join(ends)


def _rival(best: Candidate, references: Sequence[Candidate], state: Mapping[str, Mapping[str, State]]) -> tuple[Candidate | None, str]:
    """Return the reference that does as well as the best method that samples attention, or better, and the sentence about it."""
    level = gain_level(len(references))
    of_best = Jackknife.of(best.part)
    gains = {entry.name: relative_gain(of_best, Jackknife.of(entry.part), level) for entry in references}
    known = [entry for entry in references if math.isfinite(gains[entry.name].estimate)]
    if not known:
        return None, ""
    as_good = [entry for entry in known if gains[entry.name].low > -MARGIN and is_as_calibrated(state[entry.name], state[best.name])]
    strongest = max(as_good or known, key=lambda entry: gains[entry.name].estimate)
    gain, title = gains[strongest.name], strongest.title
    lower_case, whose = in_sentence(title), f"the {in_sentence(best.title)}" if best.kind == "method" else in_sentence(best.title)
    compared = f"its CRPS against {whose} is {_difference(gain)} ({level:.1%} interval {_ends(gain)})"
    if as_good:
        return (
            strongest,
            f"For this model, attention adds nothing to {lower_case}: use that; {compared}, and its ratio, coverage and PIT are within their limits "
            "or no worse.",
        )
    if gain.high < 0:
        return None, f"The best reference forecast is {lower_case}: {compared}, so that attention adds to it."
    if gain.low > -MARGIN:
        return None, f"{title} forecasts as well in CRPS, but departs further from calibration on these data: {compared}."
    return None, f"Whether attention adds to {lower_case} is not decided by these data: {compared}."


def in_sentence(title: str) -> str:
    """Return a title as it stands inside a sentence.

    >>> in_sentence("Split conformal"), in_sentence("Gaussian dressing")
    ('split conformal', 'Gaussian dressing')
    """
    return title if title.startswith(PROPER_NAMES) else title[:1].lower() + title[1:]


def _difference(gain: Estimate) -> str:
    return f"{abs(gain.estimate):.1%} {'lower' if gain.estimate > 0 else 'higher'}"


def _ends(gain: Estimate) -> str:
    return " to ".join(f"{abs(end):.1%} {'lower' if end > 0 else 'higher'}" for end in (gain.low, gain.high))
