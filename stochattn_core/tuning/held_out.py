"""Does a verdict hold on cases that did not judge? One half of the test part judges, and the other half reports, both ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stochattn_core.corrections.cross_fitting import folds
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.significance import Estimate
from stochattn_core.verdict import judge
from stochattn_core.verdict.departures import overall_departures
from stochattn_core.verdict.evidence import evidence_of


@dataclass(frozen=True)
class HeldOut:
    """word: the verdict of the cases that judged.   ratio, coverage: of the cases that did not judge.   n_judged, n_case: how many there are of each."""

    word: str
    ratio: Estimate
    coverage: Estimate
    n_judged: int
    n_case: int


def held_out(ensemble: Ensemble, *, at_low: bool = False, at_high: bool = False) -> tuple[HeldOut, ...]:
    """Return two results, each judged on one half of the cases and reported on the other; none where the cases are too few for halves.

    With times, the halves are contiguous, and cases near the boundary judge on neither side. at_low, at_high: as in `judge`.
    """
    try:
        pairs = folds(ensemble)
    except ValueError:
        return ()
    results = []
    for judging, reporting in pairs:
        if not judging.any() or not reporting.any():
            return ()
        rest = ensemble.of_cases(reporting)
        tests = evidence_of(overall_departures(rest.pooled))
        ratio, coverage = (Estimate(*tests[name][:3], tests[name].n_effective) for name in ("ratio", "coverage_90"))
        word = judge(ensemble.of_cases(judging), at_low=at_low, at_high=at_high).word
        results.append(HeldOut(word, ratio, coverage, int(np.count_nonzero(judging)), int(np.count_nonzero(reporting))))
    return tuple(results)


def held_out_text(halves: tuple[HeldOut, ...]) -> str:
    """Return one line for each half: how it was judged, and what the other half holds; "" without halves."""
    return "".join(
        f"{'first' if place == 0 else 'second'} half judged {half.word!r}; the {half.n_case:,} cases of the other half hold "
        f"{half.coverage.estimate:.0%} ({half.coverage.low:.0%} to {half.coverage.high:.0%}) in the central 90%\n"
        for place, half in enumerate(halves)
    )
