"""The result of a comparison: one row for each method, with its evidence, and the recommendation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from stochattn_core.compare.estimate import UNKNOWN
from stochattn_core.compare.gain import Gain, paired_gain
from stochattn_core.compare.price import Price, price_of
from stochattn_core.compare.recommendation import Candidate, Kind, gain_level, recommend
from stochattn_core.compare.workbench import Outcome, Workbench
from stochattn_core.corrections import Intervals
from stochattn_core.metrics.significance import Estimate
from stochattn_core.settings import Setting

LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class Method:
    """One method to compare. kind: "method" for the concentration alone.   run: None where there is nothing to compare.

    changes_members: False where the members, and so their CRPS, are those of the concentration alone.
    has_members: False for intervals without members.
    """

    name: str
    title: str
    kind: Kind
    run: Callable[[Workbench], Outcome | None]
    changes_members: bool = True
    has_members: bool = True


@dataclass(frozen=True, eq=False)
class Row:
    """One method in the result. kind: "method" (the paper's, nu alone), "correction" or "reference".

    setting: None for references.   passes: stochastic passes over the calibration part that the fit took.   scores: of the test part.
    gain: in fair CRPS over nu alone, on the test part, at 90%, for display.   gain_calibration: the same on the calibration part, cross-fitted,
    at the level of the comparison: it decides the recommendation.   intervals: on top of the members, where the method gives them.
    attention_share: of the variance of the members that attention supplies, on the calibration part; NaN where there is no row.
    association: of the spread with the error of the plain model over cases, at each place by itself, on the test part, at 90%; None for a
    spread that is the same in every case.   price: of its calibration over nu alone, on the test part, at 90%; None where it has the members
    of nu alone, or none.   problem: one sentence that says why there is nothing else, or "".
    """

    name: str
    title: str
    kind: Kind
    setting: Setting | None = None
    passes: int = 0
    scores: Mapping[str, float | int] | None = None
    gain: Gain | Estimate = UNKNOWN
    gain_calibration: Gain | Estimate = UNKNOWN
    intervals: Intervals | None = None
    attention_share: float = math.nan
    association: Estimate | None = None
    price: Price | None = None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """rows: nu alone first, then the corrections, then the references.   level: of gain_calibration, the higher the more corrections are tried.
    recommended: the row of a correction or of a reference, or None.   sentence: the recommendation and its reason.
    attention: the row of the best method that samples attention, nu alone where no correction is better; None where nu alone has a problem.
    n_effective: independent calibration cases behind the recommendation.
    """

    rows: tuple[Row, ...]
    level: float
    recommended: Row | None
    sentence: str
    units: str = ""
    attention: Row | None = None
    n_effective: float = math.nan


def judged(outcomes: Sequence[tuple[Method, Outcome | None, str]], units: str) -> Comparison:
    """Return the rows with their evidence, and the recommendation, which uses the calibration part alone.

    outcomes: each method with its outcome, None where it could not be fitted, and with its problem.   The concentration alone is the first.
    """
    alone = outcomes[0][1]
    known = [(method, outcome) for method, outcome, _ in outcomes if outcome is not None and method.changes_members]
    n_tried = sum(method.kind == "correction" for method, _ in known)
    level = gain_level(n_tried)
    rows = tuple(_row(method, outcome, problem, alone, level) for method, outcome, problem in outcomes)
    if alone is None:
        sentence = f"The concentration alone could not be scored, so that there is nothing to compare with: {rows[0].problem}."
        return Comparison(rows, level, None, sentence, units)
    recommendation = recommend([_candidate(method, outcome) for method, outcome in known])
    by_name = {row.name: row for row in rows}
    return Comparison(
        rows,
        level,
        by_name[recommendation.name] if recommendation.name else None,
        recommendation.sentence,
        units,
        by_name[recommendation.attention],
        recommendation.n_effective,
    )


def _candidate(method: Method, outcome: Outcome) -> Candidate:
    return Candidate(
        method.name, method.title, method.kind, outcome.calibration, outcome.attention_share, without_attention=outcome.without_attention
    )


def _row(method: Method, outcome: Outcome | None, problem: str, alone: Outcome | None, level: float) -> Row:
    row = Row(method.name, method.title, method.kind, problem=problem)
    if outcome is None:
        return row
    row = replace(
        row,
        setting=outcome.setting,
        passes=outcome.passes,
        scores=outcome.scores,
        intervals=outcome.intervals,
        attention_share=outcome.attention_share,
        association=outcome.association,
    )
    if alone is None or outcome is alone:
        return row
    return replace(
        row,
        gain=paired_gain(alone.test, outcome.test, LEVEL),
        gain_calibration=paired_gain(alone.calibration, outcome.calibration, level),
        price=price_of(alone.test, outcome.test, LEVEL) if method.changes_members and method.has_members else None,
    )
