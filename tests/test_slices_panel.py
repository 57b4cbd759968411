"""The panel of slices says what is so in every state, and its buttons open a slice on the page."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sliced_ensembles import series
from stochattn_core.figures.theme import LIGHT
from stochattn_core.metrics.regions import REGIONS
from stochattn_core.panels import PANELS
from stochattn_core.panels.slices import Numbers, PitNumbers, read_failure, read_search
from stochattn_core.slices import Estimate, Failure, Search, Slice, search_slices
from stochattn_core.slices.search import MOST
from stochattn_core.slices.sums import FIELDS
from tests.app import html, opened

NARROW, RIGHT = Estimate(0.6, 0.55, 0.66, 0.99), Estimate(1.0, 0.95, 1.05, 1.0)
NO_BIAS, HIGH, LOW = Estimate(0.0, -0.1, 0.1, 0.0), Estimate(0.45, 0.3, 0.6, -0.02), Estimate(-0.45, -0.6, -0.3, 0.02)
HOLDS, RARELY, OFTEN = Estimate(0.9, 0.88, 0.92, 0.9), Estimate(0.7, 0.66, 0.74, 0.9), Estimate(0.98, 0.96, 0.99, 0.9)
WHOLE = {"ratio": Estimate(0.97, 0.94, 1.0, np.nan), "bias": NO_BIAS, "coverage": HOLDS}
LEAD = Slice(("lead time",), (3,), ("lead 4 days",), (4,))


def failure(*tests, slice_=LEAD, ratio=RIGHT, bias=NO_BIAS, coverage=HOLDS, n_case=250.0, n_effective=250.0):
    sums = np.ones(len(FIELDS)) * 25
    return Failure(slice_, tests, {"ratio": ratio, "bias": bias, "coverage": coverage}, -8.0, n_case, n_effective, 0.05, sums)


def search(*failures, n_slice=129, n_too_few=0, whole=WHOLE, problem=""):
    return Search(tuple(failures), n_slice, n_too_few, whole, problem)


@pytest.mark.parametrize(
    ("given", "said", "not_said"),
    [
        (
            failure("ratio", ratio=NARROW),
            "too narrow, with a spread-skill ratio of 0.600 (90% range 0.550 to 0.660) and of 0.990 else",
            "wide",
        ),
        (failure("ratio", ratio=Estimate(1.5, 1.3, 1.7, 1.0)), "too wide", "narrow"),
        (failure("bias", bias=HIGH), "too high by 45% of the RMSE (90% range 30% to 60%), where the bias elsewhere is −2%", "too low"),
        (failure("bias", bias=LOW), "too low by 45% of the RMSE (90% range 30% to 60%), where the bias elsewhere is +2%", "too high"),
        (failure("coverage", coverage=RARELY), "too rarely, in 70% of the values (90% range 66% to 74%) and in 90% elsewhere", "too often"),
        (failure("coverage", coverage=OFTEN), "too often, in 98%", "too rarely"),
        (failure("ratio", "coverage", ratio=NARROW, coverage=RARELY), "elsewhere; the central 90%", "bias"),
    ],
)
def test_the_sentence_of_a_slice_names_what_departs_and_its_side(given, said, not_said):
    text = read_failure(given)
    assert text.startswith("Lead 4 days: ") and said in text and not_said not in text and text.endswith("This slice has 250 cases.")


def test_independent_cases_are_named_where_they_are_fewer():
    assert "250 cases, of which 60 are independent." in read_failure(failure("ratio", ratio=NARROW, n_effective=60.0))
    assert "independent" not in read_failure(failure("ratio", ratio=NARROW, n_effective=249.0))


def test_nothing_found_is_said_with_the_number_that_was_searched():
    text = read_search(search())
    assert text.startswith("No slice departs") and "among the 129 that were searched." in text and "0.970 (90% range 0.940 to 1.00)" in text
    assert "fails" not in text and "too few" not in text
    assert "14 more slices have too few cases" in read_search(search(n_too_few=14))


def test_a_range_that_is_not_known_is_not_given():
    unknown = WHOLE | {"ratio": Estimate(0.97, np.nan, np.nan, np.nan)}
    text = read_search(search(whole=unknown))
    assert "too few independent cases for a range" in text and "nan" not in text


def test_places_are_counted():
    one, many = failure("ratio", ratio=NARROW), [failure("ratio", ratio=NARROW)] * MOST
    assert "in one place, among 129 slices that were searched. It is this: Lead 4 days:" in read_search(search(one))
    assert "in 2 places, among" in read_search(search(one, one)) and "The first is this:" in read_search(search(one, one))
    assert f"in at least {MOST} places" in read_search(search(*many))
    assert "No slice" not in read_search(search(one))


@pytest.mark.parametrize("problem", ["The ensemble has no spread, so no slice can be searched.", "There are too few cases to search: ..."])
def test_a_problem_is_all_that_is_said(problem):
    assert read_search(search(n_slice=0, whole={}, problem=problem)) == problem


@pytest.mark.parametrize(
    "given",
    [search(), search(failure("ratio", ratio=NARROW), failure("bias", bias=HIGH)), search(n_slice=0, whole={}, problem="No spread.")],
)
def test_the_figure_and_the_table_have_a_row_for_all_values_and_one_for_each_slice(given):
    numbers, panel = Numbers(given, 49, 1000), PANELS["slices"]
    figure, table = panel.figure(numbers, LIGHT), panel.table(numbers)
    assert len(table) == len(given.failures) + 1 and table.columns.is_unique
    assert panel.figure(numbers, LIGHT) == figure, "a figure with a NaN differs from itself"
    assert next(iter(figure.layout.yaxis.ticktext)) == "All values" and len(figure.layout.yaxis.ticktext) == len(table)


def test_the_histograms_are_those_of_the_slices():
    numbers = PitNumbers(["lead 4 days", "winter"], np.array([np.ones(10), np.linspace(0.5, 1.5, 10)]), 49, 1000)
    figure, table = PANELS["slices-pit"].figure(numbers, LIGHT), PANELS["slices-pit"].table(numbers)
    np.testing.assert_allclose(figure.data[1].y, table["winter"])
    assert len(figure.data) == 2 and len(table) == 10


def test_the_pit_of_a_slice_that_is_too_narrow_is_a_u():
    found = search_slices(series(0, n_case=1000, planted=lambda values: np.broadcast_to(np.arange(5) == 3, values.sd.shape)))
    bins = found.failures[0].sums[FIELDS.index("pit_0") :]
    assert bins[[0, -1]].sum() / bins.sum() > 0.3


def test_a_button_opens_the_lead_time_of_a_slice(monkeypatch):
    """A planted search in place of the real one: a slice with a lead time has a button, one by spread has none."""
    by_spread = replace(LEAD, kinds=("spread",), names=("smallest tenth of the spread",), leads=())
    lead = replace(LEAD, labels=(1,), names=("lead 2 months",), leads=(2,))
    planted = search(failure("ratio", ratio=NARROW, slice_=lead), failure("ratio", ratio=NARROW, slice_=by_spread))
    monkeypatch.setattr("stochattn_core.panels.slices.search_slices", lambda ensemble: planted)
    test = opened("explore", task="series", dataset="sunspots", nu="8", members="9")
    test.session_state["tabs-series"] = "Where does it fail?"
    test.run()
    assert not test.exception and "1. Lead 2 months: the ensemble is too narrow" in html(test)
    assert [button.key for button in test.button if str(button.key).startswith("slice-")] == ["slice-1"]
    test.button(key="slice-1").click().run()
    assert not test.exception and test.session_state["settings"].lead == 2


def test_a_region_is_opened_as_a_box():
    from pages.ui.choices import region_of

    for region in REGIONS.values():
        box = region_of(region.box)
        assert (box.south, box.north, box.west, box.east) == (region.south, region.north, region.west, region.east)
