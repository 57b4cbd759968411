"""Corrections: their texts, and what they do to an ensemble."""

import json
import math

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.optimize import brentq

from stochattn_core import (
    Setting,
    TunedSetting,
    evaluate,
)
from stochattn_core import __main__ as command_line
from stochattn_core.attention import sampled_rows
from stochattn_core.corrections import CORRECTIONS, Fractional, Inflation, Shared, inflation, parse
from stochattn_core.corrections.fractional import takes_larger
from stochattn_core.draw import Draw
from stochattn_core.metrics import Statistics, scores

# ---- texts


@pytest.mark.parametrize(
    ("text", "recipe", "canonical"),
    (
        ("inflation 3.21", Inflation(3.21), "inflation 3.21"),
        ("  inflation   3.0 ", Inflation(3.0), "inflation 3"),
        ("fractional 5.40", Fractional(5.4), "fractional 5.4"),
        ("shared", Shared(), "shared"),
    ),
)
def test_a_text_is_one_correction_and_has_one_form(text, recipe, canonical):
    assert parse(text) == recipe and recipe.text == canonical and parse(canonical) == recipe
    assert Setting(correction=text).correction == canonical


@pytest.mark.parametrize(
    "text",
    ("inflate 3", "inflation", "inflation x", "inflation nan", "inflation inf", "inflation -1", "inflation 0", "inflation 1 2",
     "fractional 0.5", "fractional 1e12", "fractional", "shared 2", "layers", "conformal", "Inflation 3", "   ", 3),
)  # fmt: skip
def test_a_text_that_is_no_correction_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match=r"^(expected|correction must be) .*got") as error:
        Setting(correction=text)
    assert "\n" not in str(error.value)


def test_every_correction_says_what_it_does_and_costs():
    for correction in CORRECTIONS.values():
        assert correction.title and correction.cost and correction.description.endswith(".")


def test_a_fractional_setting_never_says_two_concentrations():
    assert Setting(64, correction="fractional 5.4") == Setting(5, correction="fractional 5.4")
    assert Setting(math.inf, correction="fractional 5.4").is_plain


def test_a_correction_goes_into_a_file_and_comes_back_and_older_files_have_none(model, diabetes):
    part = {"n_case": 3, "first": "0", "last": "2"}
    content = {
        "concentration": 64, "interval": {"level": 0.9, "low": 1, "high": 2}, "objective": "o", "verdict": "v", "n_member": 9, "seed": 1,
        "correction": "inflation 3.20", "model": {"name": "m", "weights_sha256": "w", "attention_calls": {}},
        "dataset": {"name": "d", "sha256": "s", "calibration": part, "test": part}, "scores": {"before": {}, "after": {}},
        "at_bound": False,
    }  # fmt: skip
    tuned = TunedSetting(**content)
    assert tuned.schema_version == 3 and TunedSetting.loads(tuned.dumps()).setting == Setting(64, 9, 1, correction="inflation 3.2")
    second = tuned.dumps().replace('"schema_version": 3', '"schema_version": 2').replace('"correction":', '"mend":')
    assert '"mend"' in second and TunedSetting.loads(second).setting == tuned.setting
    old = tuned.dumps().replace('"schema_version": 3', '"schema_version": 1').replace('  "correction": "inflation 3.2",\n', "")
    assert "correction" not in old and TunedSetting.loads(old).setting == Setting(64, 9, 1)
    with pytest.raises(ValueError, match="has a problem at correction") as error:
        TunedSetting.loads(tuned.dumps().replace("inflation 3.2", "magic"))
    assert "\n" not in str(error.value)


# ---- inflation


def small_ensemble(seed=0, m=7, n=60, drift=0.5):
    """Members about a mean that drifts with the error, as a small concentration makes it."""
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=n)
    target = plain + rng.normal(size=n)
    members = plain + drift * (rng.normal(size=n) * 0.3 + 0.4 * (target - plain)) + 0.2 * rng.normal(size=(m, n))
    return members, target, plain, np.arange(n) % 10


@pytest.mark.parametrize("drift", (-0.2, 0.0, 0.15))
@pytest.mark.parametrize("m", (2, 7, 40))
def test_the_fitted_inflation_makes_the_ratio_one_and_is_the_root_that_a_search_finds(drift, m):
    members, target, plain, block = small_ensemble(m=m, drift=drift)

    def log_ratio(c):
        wide = plain + c * (members - plain)
        return np.log((m + 1) / m * wide.var(0, ddof=1).mean() / np.mean((wide.mean(0) - target) ** 2))

    factor = inflation.fit_factor(Statistics.of(members, target, plain, block, 10))
    wide = inflation.inflated(members, plain, factor)
    assert scores(Statistics.of(wide, target, plain, block, 10))["spread_skill_ratio"] == pytest.approx(1, abs=1e-10)
    grid = np.geomspace(1e-3, 1e3, 4000)
    first = np.flatnonzero(np.diff(np.sign([log_ratio(c) for c in grid])))[0]
    assert factor == pytest.approx(brentq(log_ratio, grid[first], grid[first + 1], xtol=1e-12), rel=1e-8)


def test_the_fitted_inflation_does_not_depend_on_the_number_of_members():
    rng = np.random.default_rng(1)
    plain = np.zeros(40_000)
    target = plain + rng.normal(size=40_000)
    block = np.arange(40_000) % 20
    factors = [inflation.fit_factor(Statistics.of(0.25 * rng.normal(size=(m, 40_000)), target, plain, block, 20)) for m in (2, 20)]
    assert factors == pytest.approx([4.0, 4.0], rel=0.02)  # error 1, spread 1/4, no drift


def test_an_inflation_that_cannot_be_is_refused():
    members, target, plain, block = small_ensemble()
    for case, message in (
        ((np.tile(plain, (7, 1)), target, plain), "members that differ"),
        ((members, plain, plain), "errors of the plain model above 0"),
        ((members, np.full(60, np.nan), plain), "errors of the plain model above 0"),
        ((plain + 3 + 0.01 * (members - plain), target, plain), "drifts faster"),
    ):
        with pytest.raises(ValueError, match=message):
            inflation.fit_factor(Statistics.of(*case, block, 10))


def test_one_factor_for_each_case_is_that_factor_in_that_case():
    members, _, plain, _ = small_ensemble()
    factor = np.linspace(1, 3, 60)
    slow = np.array([[f + c * (x - f) for x, f, c in zip(row, plain, factor, strict=True)] for row in members])
    assert np.allclose(inflation.inflated(members, plain, factor), slow)
    grids = np.random.default_rng(0).normal(size=(3, 60, 2, 2))
    assert np.allclose(inflation.inflated(grids, grids[0], factor)[1, 5], grids[0, 5] + factor[5] * (grids[1, 5] - grids[0, 5]))


def test_an_inflated_setting_moves_members_from_the_plain_answer(model, diabetes):
    narrow, wide = (evaluate(model, diabetes, Setting(64, 9, correction=correction)).ensemble for correction in ("", "inflation 2.5"))
    assert np.allclose(wide.members - wide.plain, 2.5 * (narrow.members - narrow.plain), atol=1e-3)
    assert np.array_equal(evaluate(model, diabetes, Setting(math.inf, 3, correction="inflation 2.5")).ensemble.members[0], narrow.plain)


# ---- fractional concentrations


@pytest.mark.parametrize("value", (1.01, 1.5, 2.0, 3.7, 11.25))
def test_the_mixture_has_the_variance_of_the_fraction(value):
    low, chance = math.floor(value), Fractional(value).probability
    assert 0 <= chance < 1
    assert (1 - chance) / low + chance / (low + 1) == pytest.approx(1 / value, rel=1e-12)
    upper = takes_larger(0, 40_000, chance)
    assert abs(upper.mean() - chance) < 4.5 * math.sqrt(chance * (1 - chance) / 40_000) + 1e-12


def test_the_variance_of_a_row_is_that_of_the_fraction():
    value, n, p = 2.5, 30_000, torch.tensor([0.5, 0.3, 0.2])
    upper = torch.tensor(takes_larger(3, n, Fractional(value).probability))
    rows = [sampled_rows(p.log().expand(n, 1, 3), Draw(nu, range(n), seed=3))[:, 0].double() for nu in (2, 3)]
    weights = torch.where(upper[:, None], rows[1], rows[0])
    exact = (torch.diag(p) - torch.outer(p, p)).double() / value
    assert torch.allclose(weights.mean(0), p.double(), atol=5 * math.sqrt(0.25 / value / n))
    assert torch.allclose(torch.cov(weights.T), exact, atol=0.03 * float(exact.max()))


def test_a_fractional_member_is_a_member_of_one_of_its_neighbours_and_of_any_larger_ensemble(model, diabetes):
    few, many, mixed, more = (
        evaluate(model, diabetes, Setting(nu, m, correction=correction)).ensemble.members
        for nu, m, correction in ((2, 20, ""), (3, 20, ""), (2, 20, "fractional 2.5"), (2, 30, "fractional 2.5"))
    )
    upper = takes_larger(0, 20, Fractional(2.5).probability)
    assert 3 < upper.sum() < 18
    assert np.array_equal(mixed[upper], many[upper]) and np.array_equal(mixed[~upper], few[~upper])
    assert np.allclose(more[:20], mixed, rtol=1e-4)
    whole = evaluate(model, diabetes, Setting(2, 20, correction="fractional 2")).ensemble.members
    assert np.array_equal(whole, few)


# ---- the command line and files


def test_a_correction_on_the_command_line_is_that_of_python_and_goes_into_the_file(model, diabetes, capsys, tmp_path):
    case = ["--model", "ft_transformer", "--dataset", "diabetes", "--members", "9", "--correction", "inflation 2.50"]
    assert command_line.main(["evaluate", *case, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    evaluation = evaluate(model, diabetes, Setting(64, 9, correction="inflation 2.5"))
    assert printed["correction"] == "inflation 2.5" and printed["crps_fair"] == evaluation.scores["crps_fair"]
    assert command_line.main(["sample", *case, "--out", str(tmp_path / "e.nc")]) == 0
    with xr.open_dataset(tmp_path / "e.nc", engine="h5netcdf") as data:
        assert data.attrs["correction"] == "inflation 2.5"
        assert np.array_equal(data.forecast, evaluation.ensemble.members)
    capsys.readouterr()
    assert command_line.main(["evaluate", *case[:-1], "magic"]) == 2
    assert "correction must be one of 'inflation 3.2'" in capsys.readouterr().err
