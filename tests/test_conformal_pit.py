"""Conformal PIT: its parts against an independent implementation, its text, and the calibration of what it gives."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stochattn_core import Setting, evaluate
from stochattn_core.corrections import ConformalPit, in_words, parse
from stochattn_core.corrections.conformal_pit import N_LEVEL, STEPS, affine, fit_affine, fit_recipe, pit_distribution
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import Statistics, scores

cpit = pytest.importorskip("cpit")  # the implementation of the paper's authors

IDENTITY = parse(ConformalPit.example)


def skewed(n, m=49, seed=0, factor=0.4):
    """Members too narrow about the plain forecast, of a spread that differs from case to case, and errors with a skew and a bias."""
    rng = np.random.default_rng(seed)
    width, plain = np.exp(0.4 * rng.standard_normal(n)), rng.standard_normal(n)
    members = plain + factor * width * rng.standard_normal((m, n))
    return members, plain + 0.3 + width * (rng.exponential(size=n) - 1), plain


def scored(members, target, plain):
    return scores(Statistics.of(members, target, plain, np.arange(len(target)) % 50, 50))


def ensemble(members, target, plain, **grid):
    dims = ("case", "lead_time", "cell")[: target.ndim] if not grid else ("init_time", "latitude", "longitude")
    return Ensemble(members, target, plain, pd.RangeIndex(len(target)), np.arange(len(target)), dims, **grid)


def test_shift_and_factor_leave_no_bias_and_a_ratio_of_one():
    members, target, plain = skewed(400)
    shift, factor = fit_affine(ensemble(members, target, plain))
    after = scored(affine(members, plain, shift, factor), target, plain)
    assert after["bias"] == pytest.approx(0, abs=1e-6)
    # A bias that is removed is no longer an error, so that the ratio is then a little above 1.
    without_bias = scored(affine(members, plain, 0, factor), target, plain)
    assert without_bias["spread_skill_ratio"] == pytest.approx(1, abs=1e-5)


def test_the_distribution_of_the_pit_is_that_of_the_authors_on_average_over_its_random_part():
    members, target, _ = skewed(400)
    members[:5, ::3] = target[::3]  # ties
    share = pit_distribution(members, target)
    knots = np.arange(51) / 50
    theirs = np.mean([cpit.fit_conformal_calibrator(members.T, target, pit_seed=seed)[1](knots) for seed in range(200)], 0)
    assert np.abs(share - theirs).max() < 1.5 / 401  # they count the new case as below all others, we as anywhere


def test_the_members_lie_at_the_quantiles_of_the_weighted_order_statistics_of_the_authors():
    members, target, plain = skewed(400)
    recipe = fit_recipe(ensemble(members, target, plain))
    u = np.array([0, *recipe.pit, STEPS]) / STEPS
    corrected = recipe.members(members, plain)
    for case in (0, 7):
        share_below = lambda t: np.interp(t, u, np.linspace(0, 1, N_LEVEL + 2))  # noqa: E731
        params = cpit.bc.AffineParams(recipe.shift + (1 - recipe.factor) * plain[case], recipe.factor)
        points, weights = cpit.get_weighted_samples_at_x(members[:, case], params, share_below)
        for p, mine in zip(np.arange(1, 50) / 50, np.sort(corrected[:, case]), strict=True):
            place = np.searchsorted(points, cpit.quantile_from_weighted_samples(points, weights, p))
            assert points[max(place - 1, 0)] - 1e-9 <= mine <= points[min(place + 1, 48)] + 1e-9


def test_uniform_pits_leave_every_member_where_it_is():
    members, _, plain = skewed(30)
    for few in (members, members[:9]):
        assert np.allclose(IDENTITY.members(few, plain), few)


def test_new_cases_find_their_quantiles_calibrated_although_errors_are_skewed():
    recipe = fit_recipe(ensemble(*skewed(4000)))
    members, target, plain = skewed(4000, seed=1)
    before, after = scored(members, target, plain), scored(recipe.members(members, plain), target, plain)
    inflated = scored(plain + 2.5 * (members - plain), target, plain)
    assert before["w1"] > 0.08 and inflated["w1"] > 0.02
    assert after["w1"] < 3 * 0.313 / math.sqrt(4000)  # three times what chance alone gives
    assert after["coverage_90"] == pytest.approx(0.9, abs=0.02) and after["crps_fair"] < inflated["crps_fair"]


def test_a_perfect_ensemble_gains_nothing_that_is_not_there():
    """The fair CRPS of the corrected members is that of the perfect ones: no flattery by members that depend on one another."""
    rng = np.random.default_rng(0)
    members, target, plain = rng.standard_normal((19, 20_000)), rng.standard_normal(20_000), np.zeros(20_000)
    recipe = fit_recipe(ensemble(members[:, :10_000], target[:10_000], plain[:10_000]))
    after = scored(recipe.members(members[:, 10_000:], plain[10_000:]), target[10_000:], plain[10_000:])
    assert after["crps_fair"] == pytest.approx(scored(members[:, 10_000:], target[10_000:], plain[10_000:])["crps_fair"], rel=0.005)


def test_a_member_keeps_its_rank_at_every_lead_time_and_a_map_its_areas():
    rng = np.random.default_rng(0)
    members, target, plain = rng.standard_normal((9, 40, 3, 4)), 2 * rng.standard_normal((40, 3, 4)), np.zeros((40, 3, 4))
    areas = {"latitude": (-60.0, 0.0, 60.0), "longitude": (0.0, 90.0, 180.0, 270.0)}
    recipe = fit_recipe(ensemble(members, target, plain, **areas))
    assert np.array_equal(recipe.members(members, plain).argsort(0), members.argsort(0))
    alone = target.copy()
    alone[:, [0, 2]] = np.nan  # the cells of the equator alone
    assert fit_recipe(ensemble(members, alone, plain, **areas)) == fit_recipe(ensemble(members[:, :, 1], target[:, 1], plain[:, 1]))
    equator, pole = (fit_recipe(ensemble(members[:, :, rows], target[:, rows], plain[:, rows])).pit for rows in ([1], [0, 2]))
    both = np.array(fit_recipe(ensemble(members, target, plain, **areas)).pit)
    assert (both >= np.minimum(equator, pole) - 40).all() and (both <= np.maximum(equator, pole) + 40).all()


def test_chunks_of_cases_give_the_same_members(monkeypatch):
    members, target, plain = skewed(100)
    recipe = fit_recipe(ensemble(members, target, plain))
    whole = recipe.members(members, plain)
    monkeypatch.setattr("stochattn_core.corrections.conformal_pit.CHUNK", 49 * 7)
    assert np.array_equal(recipe.members(members, plain), whole)


def test_its_text_is_short_comes_back_and_says_in_words_what_it_does():
    recipe = fit_recipe(ensemble(*skewed(200)))
    assert parse(recipe.text) == recipe and len(recipe.text) < 400
    assert Setting(64, correction=recipe.text).correction == recipe.text
    assert in_words(recipe.text) == f"conformal PIT × {recipe.factor:g}, shift {recipe.shift:g}, 49 quantiles"


NUMBERS = ConformalPit.example.split()[3:]


@pytest.mark.parametrize(
    "words",
    (
        [],
        ["0", "1"],
        ["0", "1", *NUMBERS[:-1]],
        ["0", "-1", *NUMBERS],
        ["nan", "1", *NUMBERS],
        ["0", "1", *NUMBERS[::-1]],
        ["0", "1", *NUMBERS[:-1], "1001"],
        ["0", "1", *NUMBERS[:-1], "999.5"],
    ),
)
def test_a_text_that_is_not_whole_is_refused_in_one_short_sentence(words):
    with pytest.raises(ValueError, match=r"^expected .* got .*copy the whole correction$") as error:
        Setting(correction=" ".join(["cpit", *words]))
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_nothing_to_fit_is_said_in_one_sentence():
    members, target, plain = skewed(30)
    for case in ((members, plain, plain), (np.stack([plain] * 5), target, plain), (members, np.full(30, np.nan), plain)):
        with pytest.raises(ValueError, match=r"errors of the plain model above 0|members that differ"):
            fit_recipe(ensemble(*case))


def test_a_setting_with_it_makes_the_members_from_those_at_its_concentration(model, diabetes):
    recipe = replace(IDENTITY, shift=2.0, factor=3.0)
    uncorrected, corrected = (evaluate(model, diabetes, Setting(64, 9, correction=text)).ensemble for text in ("", recipe.text))
    wanted = uncorrected.plain + 2 + 3 * (uncorrected.members - uncorrected.plain)
    assert np.allclose(corrected.members, wanted, rtol=1e-5)
