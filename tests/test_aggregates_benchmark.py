"""The table of aggregates in docs/measured.md says what its results hold."""

from benchmarks.aggregates import TITLES, report
from stochattn_core.compare.joint import ATTENTION


def methods(ratio, gain):
    scores = {"ratio": [0.8, *ratio], "coverage_90": [0.85, 0.8, 0.9], "crps": [1.234, 1.0, 1.5], "gain": [0.1, *gain], "n": 1234}
    return {key: scores if key != ATTENTION else {**scores, "gain": [None, None, None]} for key in TITLES}


def results(*of_aggregates):
    aggregates = {str(place): {"title": "Mean over lead times", "methods": each} for place, each in enumerate(of_aggregates)}
    return {"n_member": 19, "datasets": {"sunspots": {"units": "degC", "aggregates": aggregates}}}


def test_a_cell_holds_ratio_coverage_and_crps():
    text = report(results(methods([0.7, 0.9], [-0.1, 0.3])))
    assert "| sunspots, mean over lead times (degC) | 1,234 | 0.80, 85%, 1.23 |" in text


def test_ratios_and_gains_are_counted_beyond_chance_only():
    off, on = [0.7, 0.9], [0.7, 1.1]
    text = report(results(methods(off, [0.05, 0.2]), methods(on, [-0.1, 0.3]), methods(off, [-0.3, -0.1]), methods(off, [None, None])))
    assert "| attention at ν* | 3 |  |  |" in text and "| Gaussian dressing | 3 | 1 | 1 |" in text


def test_an_interval_that_is_not_known_counts_for_nothing():
    assert "| Gaussian dressing | 0 | 0 | 0 |" in report(results(methods([None, None], [None, None])))
