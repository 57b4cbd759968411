"""Inflation and noise: its text, its two numbers where they are known, and its place in a comparison."""

import math

import numpy as np
import pytest

from benchmarks.simulated import OneAttention, dataset, part, uneven
from stochattn_core import Setting, evaluate
from stochattn_core.compare.comparison import compare
from stochattn_core.corrections import Noise, noise, parse


def test_a_text_is_two_numbers_and_has_one_form():
    assert parse(" noise 2.10  0.30") == Noise(2.1, 0.3) and Noise(2.1, 0.3).text == "noise 2.1 0.3"
    assert Setting(correction="noise 2 0").correction == "noise 2 0"
    for text in ("noise", "noise 2", "noise 2 x", "noise 0 0", "noise 2 -1", "noise 2 inf", "noise 1 2 3"):
        with pytest.raises(ValueError, match=r"^expected .*(got|try)") as error:
            Setting(correction=text)
        assert "\n" not in str(error.value)


def known(n=2000, m=20, factor=3.0, size=0.4, seed=0):
    """Errors with a part that follows the spread of the members, factor times as large, and a part that is the same everywhere."""
    rng = np.random.default_rng(seed)
    width = np.exp(rng.standard_normal(n) - 1)
    plain = rng.standard_normal(n)
    members = plain + width / factor * rng.standard_normal((m, n))
    return members, plain + width * rng.standard_normal(n) + size * rng.standard_normal(n), plain


def test_the_two_numbers_that_made_the_errors_are_found():
    fitted = noise.fit_noise(*known())
    assert fitted.factor == pytest.approx(3.0, rel=0.12) and fitted.size == pytest.approx(0.4, rel=0.12)


def test_a_spread_that_says_nothing_of_the_error_is_left_out():
    members, _, plain = known()
    target = plain + np.random.default_rng(5).standard_normal(2000)
    fitted = noise.fit_noise(members, target, plain)
    assert fitted.factor < 0.3 and fitted.size == pytest.approx(1.0, rel=0.05)
    assert Noise(0.0, 1.0).text == "noise 0 1" and parse("noise 0 1").members(members, plain, 0).std(0) == pytest.approx(1.0, abs=0.7)


def test_missing_targets_change_nothing_and_units_are_those_of_the_target():
    members, target, plain = known()
    holes = np.where(np.arange(len(target)) % 7 == 0, np.nan, target)
    some, metres = noise.fit_noise(members, holes, plain), noise.fit_noise(1000 * members, 1000 * target, 1000 * plain)
    assert some.factor == pytest.approx(3.0, rel=0.15) and some.size == pytest.approx(0.4, rel=0.15)
    whole = noise.fit_noise(members, target, plain)
    assert metres.factor == pytest.approx(whole.factor, rel=0.01) and metres.size == pytest.approx(1000 * whole.size, rel=0.01)


def test_nothing_to_fit_is_said_in_one_sentence():
    members, target, plain = known(n=30)
    for case in ((members, plain, plain), (np.stack([plain] * 5), target, plain), (members, np.full(30, np.nan), plain)):
        with pytest.raises(ValueError, match="expected errors of the plain model and members that differ"):
            noise.fit_noise(*case)


def test_a_noisy_member_does_not_hang_on_how_many_there_are_and_has_its_own_noise():
    members, _, plain = known(n=400)
    few, many = (Noise(1.0, 0.5).members(members[:k], plain, 0) for k in (5, 20))
    assert np.allclose(few, many[:5])
    draws = (many - members) / 0.5
    assert abs(draws.mean()) < 4 / math.sqrt(8000) and draws.std() == pytest.approx(1, abs=0.03)
    assert abs(np.corrcoef(draws)[0, 1:]).max() < 4.5 / math.sqrt(400)
    assert not np.allclose(Noise(1.0, 0.5).members(members, plain, 1), many)


def test_it_is_recommended_where_the_target_has_a_noise_of_its_own():
    def error(rng, x1, block):
        return 0.3 * rng.standard_normal(len(x1)) + 0.2 * x1 * rng.standard_normal(len(x1))

    rng = np.random.default_rng(0)
    data, network = dataset(part(rng, 400, uneven(0.8), error), part(rng, 400, uneven(0.8), error)), OneAttention().eval()
    comparison = compare(network, data, Setting(n_member=19), corrections=("inflation", "noise"))
    rows = {row.name: row for row in comparison.rows}
    assert comparison.recommended is rows["noise"] and rows["noise"].gain.low > 0 and rows["noise"].setting.correction.startswith("noise ")
    assert rows["noise"].scores["crps_fair"] < rows["inflation"].scores["crps_fair"]
    again = evaluate(network, data, rows["noise"].setting).scores
    assert (
        again["crps_fair"] == pytest.approx(rows["noise"].scores["crps_fair"]) and abs(again["coverage_90"] - 0.9) < 0.06
    )  # 400 cases: 4 standard errors
