"""Each sentence of a verdict, from departures that are given: said where it is true, and not where it is not."""

import math
import re

import pytest

from stochattn_core.slices import Slice
from stochattn_core.verdict import words
from stochattn_core.verdict.departures import Bound, Column, Departures
from stochattn_core.verdict.judge import verdict_on
from stochattn_core.verdict.quantities import QUANTITIES

CALIBRATED = {key: (0.0, 0.01) for key in QUANTITIES}
REACH = 1.65  # standard errors of an interval


def column(key, departure=0.0, error=0.01, slice_=None, n=1000.0):
    """A quantity with its interval; beyond chance where it is more than three standard errors from 0."""
    low, high = departure - REACH * error, departure + REACH * error
    return Column(QUANTITIES[key], slice_, departure, low, high, error, n, 0.001 if abs(departure) > 3 * error else 0.5)


def place(kind, name, label=0):
    return Slice((kind,), (label,), (name,))


def verdict(overall=(), slices=(), shape=0.05, bounds=(), n=1000.0, **ends):
    """Every quantity is calibrated but those given: key -> (departure, error)."""
    columns = {key: column(key, *numbers, n=n) for key, numbers in (CALIBRATED | dict(overall)).items()}
    found = Departures(columns, tuple(slices), Bound("", "shape", shape / 2, shape, 0.15), tuple(bounds), 20)
    return verdict_on(found, **ends)


def test_departures_that_are_all_small_are_calibrated():
    said = verdict()
    assert said.word == words.CALIBRATED
    assert said.finding == (
        "spread-skill ratio 1.00 (0.98 to 1.02) on 1,000 independent cases: spread, shape, bias, coverage and mean are inside their limits"
    )


def test_the_kinds_of_slices_that_were_judged_are_named_and_no_others():
    bounds = [Bound(kind, "ratio", 0.05, 0.1, 0.18) for kind in ("season", "forecast", "spread")]
    assert verdict(bounds=bounds).finding.endswith(", also by season, forecast and spread")
    assert verdict(bounds=bounds[:1]).finding.endswith(", also by season") and "also" not in verdict().finding


ORDER = [
    ({"ratio": (-0.3, 0.02)}, words.NARROW),
    ({"cost": (0.1, 0.01)}, words.DRIFTED),
    ({"bias": (0.3, 0.02)}, words.BIASED),
    ({"pit_skew": (0.3, 0.02)}, words.SHAPE),
    ({"coverage_90": (-0.08, 0.01)}, words.NARROW),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_first_rule_that_applies_gives_the_word(first):
    overall = {key: numbers for given, _ in ORDER[first:] for key, numbers in given.items()}
    assert verdict(overall).word == ORDER[first][1]


@pytest.mark.parametrize(
    ("overall", "said"),
    [
        ({"ratio": (math.log(0.7), 0.02)}, "the spread is 30% smaller than the error it should match"),
        ({"ratio": (math.log(1.3), 0.02)}, "the spread is 30% larger than the error it should match"),
        (
            {"ratio": (math.log(0.7), 0.02), "cost": (math.log(1.1), 0.01)},
            "match; the mean errs 10% more (+8% to +12%) than the plain model",
        ),
        ({"cost": (math.log(1.1), 0.01)}, "the ensemble mean errs 10% more (+8% to +12%) than the plain model"),
        ({"cost": (math.log(12), 0.01)}, "the ensemble mean errs 12 times as much as the plain model"),
        ({"bias": (0.31, 0.02)}, "the forecast is too high by 0.31 of its RMSE"),
        ({"bias": (-0.31, 0.02)}, "the forecast is too low by 0.31 of its RMSE"),
        ({"coverage_90": (-0.08, 0.01)}, "the 90% intervals hold too few of the targets, 82%"),
        ({"coverage_90": (0.07, 0.01)}, "the 90% intervals hold too many of the targets, 97%"),
        ({"pit_skew": (0.3, 0.02)}, "the errors are skewed, with a long tail of targets above the members"),
        ({"pit_skew": (-0.3, 0.02)}, "the errors are skewed, with a long tail of targets below the members"),
        ({"pit_tails": (0.3, 0.02)}, "the tails of the errors are heavier than those of the members"),
        ({"pit_skew": (0.3, 0.02), "pit_tails": (-0.3, 0.02)}, "above the members and the tails of the errors are lighter than"),
        ({"pit_width": (0.3, 0.02)}, "the targets lie too far from the middle of the members"),
        ({"pit_width": (-0.3, 0.02)}, "the targets lie too near the middle of the members"),
        ({"pit_place": (0.3, 0.02)}, "the targets lie too high among the members"),
        ({"pit_place": (-0.3, 0.02)}, "the targets lie too low among the members"),
    ],
)
def test_a_fault_is_said_where_it_is_beyond_chance_and_not_where_it_may_be_chance(overall, said):
    assert said in verdict(overall).finding
    by_chance = {key: (departure, abs(departure)) for key, (departure, _) in overall.items()}
    assert said not in verdict(by_chance).finding
    opposite = {key: (-departure, error) for key, (departure, error) in overall.items()}
    assert said not in verdict(opposite).finding


@pytest.mark.parametrize(
    ("cost", "said"),
    [(math.log(1.02), "2% more (+0% to +4%) than"), (math.log(0.97), "3% less (-5% to -1%) than"), (0.0, "0% more (-2% to +2%) than")],
)
def test_where_no_concentration_reaches_the_spread_the_cost_of_the_mean_is_said_as_well(cost, said):
    found = verdict({"ratio": (math.log(0.5), 0.02), "cost": (cost, 0.01)}, at_low=True)
    assert (
        found.word == words.UNREACHED
        and f"gives 0.50 of the spread that the error asks for, and there the mean errs {said}" in found.finding
    )
    assert "the largest noise there is" not in verdict({"ratio": (math.log(0.5), 0.02)}).finding
    assert "the largest noise there is" not in verdict(at_low=True).finding


def test_the_largest_concentration_is_named_only_where_the_search_ended_there_and_the_spread_is_too_large():
    wide = {"ratio": (math.log(1.5), 0.02)}
    assert "even the largest concentration spreads too much, by 50%" in verdict(wide, at_high=True).finding
    assert verdict(wide, at_low=True).word == words.WIDE and verdict(at_high=True).word == words.CALIBRATED


@pytest.mark.parametrize(
    ("overall", "word"),
    [
        ({"ratio": (-0.15, 0.1), "coverage_90": (-0.1, 0.02)}, words.NARROW),  # the ratio alone is not beyond chance
        ({"ratio": (-0.15, 0.1), "pit_width": (0.3, 0.05)}, words.NARROW),
        ({"ratio": (0.15, 0.1), "coverage_90": (0.07, 0.01)}, words.WIDE),
        ({"ratio": (0.15, 0.1), "pit_width": (-0.3, 0.05)}, words.WIDE),
        ({"ratio": (-0.15, 0.1), "pit_width": (-0.3, 0.05)}, words.SHAPE),  # on opposite sides
        ({"ratio": (-0.05, 0.1), "pit_width": (0.3, 0.05)}, words.SHAPE),  # the ratio is inside its limits
        ({"ratio": (-0.15, 0.1)}, words.FEW),
    ],
)
def test_coverage_and_pit_speak_for_the_amount_where_the_ratio_lies_on_the_same_side(overall, word):
    found = verdict(overall)
    assert found.word == word, found.finding
    assert ("14% smaller than the error" in found.finding) == (word == words.NARROW)


# ---- neither calibrated nor a fault


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"overall": {"ratio": (0.0, 0.08)}},
            "3.6% on the spread-skill ratio",
        ),  # 0.132 beside the limit 0.0953, a factor of 1.037; 0.105 below
        ({"overall": {"coverage_90": (0.0, 0.04)}}, "1.6 points on the coverage"),
        ({"overall": {"bias": (0.0, 0.1)}}, "0.02 on the bias over RMSE"),  # 0.165 beside 0.15
        ({"overall": {"cost": (0.02, 0.03)}}, "2.2% on the RMSE of the mean over that of the plain model"),
        ({"shape": 0.2}, "0.05 on the shape of the PIT"),
        ({"bounds": [Bound("season", "bias", 0.1, 0.3, 0.25)]}, "0.05 on the bias over RMSE by season"),
    ],
)
def test_nearly_calibrated_says_by_how_much_and_on_what(given, said):
    found = verdict(**given)
    assert found.word == words.NEARLY, found.finding
    overshoot = re.match(r"([\d.]+)", said)[1]
    stated = re.search(r"misses by less than ([\d.]+)(.*)", found.finding)
    assert stated[2].startswith(said.removeprefix(overshoot)), found.finding
    assert float(stated[1]) == pytest.approx(float(overshoot), abs=0.11 if "%" in said or "points" in said else 0.006)


@pytest.mark.parametrize(
    "given",
    [
        {"overall": {"ratio": (0.0, 0.2)}},
        {"shape": 0.4},
        {"bounds": [Bound("season", "ratio", 0.1, math.inf, 0.18)]},
        {"overall": {"cost": (0.0, math.nan)}},
    ],
)
def test_intervals_far_beyond_their_limits_ask_for_more_cases(given):
    found = verdict(**given, n=100.0)
    more = int(re.search(r"about ([\d,]+) more independent cases are needed", found.finding)[1].replace(",", ""))
    assert found.word == words.FEW and more > 0
    if "ratio" in given.get("overall", ()):  # with so many more, an interval around a small departure is well inside
        assert REACH * 0.2 * math.sqrt(100 / (100 + more)) < 0.7 * QUANTITIES["ratio"].high


@pytest.mark.parametrize(
    ("n", "said"), [(19.7, "on 19 independent cases: at least 20 are needed"), (1.2, "on 1 independent case: at least")]
)
def test_fewer_cases_than_can_be_trusted_are_too_few_whatever_they_show(n, said):
    found = verdict({"ratio": (-0.5, 0.02)}, n=n)
    assert found.word == words.FEW and said in found.finding
    assert verdict({"ratio": (-0.5, 0.02)}, n=20.0).word == words.NARROW


def test_too_few_cases_tell_what_they_suggest_only_where_the_interval_excludes_a_match():
    assert verdict({"ratio": (-0.5, 0.2)}, n=10).finding.endswith("so far the spread looks too narrow")
    assert verdict({"ratio": (0.5, 0.2)}, n=10).finding.endswith("so far the spread looks too wide")
    assert "so far" not in verdict({"ratio": (0.5, 0.4)}, n=10).finding


def test_a_ratio_that_is_not_defined_is_not_shown():
    found = verdict({"ratio": (math.nan, math.nan)})
    assert found.word == words.FEW and found.finding.startswith("no spread-skill ratio on") and "nan" not in found.finding
    found = verdict({"ratio": (0.0, 100.0)}, n=2.0)
    assert found.finding.startswith("spread-skill ratio 1.00 on 2 independent cases")  # an interval from 0 to 1e71 says nothing


# ---- slices


def test_the_worst_slice_is_that_of_the_strongest_evidence_and_the_others_are_counted():
    slices = [
        column("bias", 0.5, 0.1, place("season", "June to August")),
        column("bias", 0.4, 0.02, place("lead time", "lead 3 days")),
        column("ratio", 0.3, 0.05, place("lead time", "lead 3 days")),
        column("bias", 0.2, 0.2, place("lead time", "lead 4 days")),
    ]
    found = verdict(slices=slices)
    assert (found.word, found.worst) == (words.ON_AVERAGE, "lead 3 days")
    assert "it is not calibrated at the lead 3 days: bias over RMSE 0.40 (0.37 to 0.43) (and at 1 more of 20 slices)" in found.finding
    assert verdict(slices=slices[3:]).word == words.CALIBRATED and "more of" not in verdict(slices=slices[1:3]).finding


def test_a_spread_in_the_wrong_places_is_a_fault_of_ratio_or_coverage_where_the_spread_is_small_or_large():
    at = place("spread", "largest tenth of the spread")
    found = verdict(slices=[column("ratio", math.log(1.5), 0.05, at)])
    assert found.word == words.MISPLACED
    assert "the amount is right on average, and is wrong at the largest tenth of the spread: spread-skill ratio 1.50" in found.finding
    uncertain = verdict({"ratio": (-0.15, 0.1)}, slices=[column("ratio", math.log(1.5), 0.05, at)])
    assert "right on average" not in uncertain.finding and "no fault on average beyond chance" in uncertain.finding
    assert "coverage 80% (77% to 83%)" in verdict(slices=[column("coverage_90", -0.1, 0.02, at)]).finding
    assert verdict(slices=[column("bias", 0.5, 0.05, at)]).word == words.ON_AVERAGE
    assert verdict(slices=[column("ratio", 0.5, 0.05, place("season", "June to August"))]).word == words.ON_AVERAGE


def test_the_evidence_marks_what_departs():
    evidence = verdict({"ratio": (-0.3, 0.02), "pit_tails": (0.3, 0.02)}, bounds=[Bound("season", "bias", 0.1, 0.3, 0.25)]).evidence
    assert {name: test.departs for name, test in evidence.items() if test.departs} == {"ratio": -1, "pit_tails": 1, "shape": 1}
    assert evidence["ratio"].estimate == pytest.approx(math.exp(-0.3)) and evidence["coverage_90"].estimate == pytest.approx(0.9)
    assert evidence["bias by season"][:3] == (0.1, 0.0, 0.3) and evidence["bias by season"].rule.startswith("at most 0.25: ")
