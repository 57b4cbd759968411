"""Every test of a verdict with its estimate, interval, limits and independent cases: the rows of a table, and of tuned.json."""

from __future__ import annotations

from stochattn_core.metrics.scores import Evidence
from stochattn_core.verdict.departures import Bound, Departures
from stochattn_core.verdict.phrases import lower, over_slices
from stochattn_core.verdict.quantities import SHAPE

SHAPE_TEST = "shape"


def evidence_of(found: Departures) -> dict[str, Evidence]:
    """Return every overall quantity by name, "shape", the distance of the PIT from uniform, and the departures over slices, such as "ratio by season"."""
    tests = {}
    for key, column in found.overall.items():
        estimate, low, high = (column.quantity.shown(value) for value in (column.departure, column.low, column.high))
        rule = f"{column.quantity.limits}: {lower(column.quantity.title)}"
        tests[key] = Evidence(estimate, low, high, rule, column.n_effective, column.side)
    departs = int(any(found.overall[quantity.key].side for quantity in SHAPE))
    tests[SHAPE_TEST] = _evidence_of_bound(found.shape, "distance of the PIT from uniform", found.n_effective, departs)
    for bound in found.bounds:
        what = f"root-mean-square departure of the {over_slices(bound)}"
        tests[f"{bound.quantity} by {bound.kind}"] = _evidence_of_bound(bound, what, found.n_effective, 0)
    return tests


def _evidence_of_bound(bound: Bound, what: str, n_effective: float, departs: int) -> Evidence:
    return Evidence(bound.estimate, 0.0, bound.upper, f"at most {bound.limit:.2g}: {what}", n_effective, departs)
