"""Threshold-weighted CRPS: against scoringrules, against the integral that defines it, and as a part of the CRPS."""

import numpy as np
import pytest
import scoringrules
import torch

from stochattn_core.metrics import Statistics, compiled_sums, crps, scores
from stochattn_core.metrics.tails import tail_crps, tail_crps_of_climatology


@pytest.fixture(scope="module")
def forecast():
    generator = torch.Generator().manual_seed(0)
    members = torch.randn(19, 200, 2, generator=generator, dtype=torch.float64)
    return members, torch.randn(200, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("is_upper", [True, False])
@pytest.mark.parametrize("fair", [True, False])
def test_the_score_is_that_of_scoringrules(forecast, is_upper, fair):
    members, target = forecast
    limits = (0.7, np.inf) if is_upper else (-np.inf, 0.7)
    theirs = scoringrules.twcrps_ensemble(target.numpy(), np.moveaxis(members.numpy(), 0, -1), *limits, estimator="fair" if fair else "nrg")
    np.testing.assert_allclose(tail_crps(members, target, 0.7, is_upper=is_upper, fair=fair), theirs, atol=1e-12)


def test_the_plain_score_is_the_integral_above_the_threshold(forecast):
    members, target = forecast[0][:, 0, 0], forecast[1][0, 0]
    z = torch.linspace(0.2, 8, 200_001, dtype=torch.float64)
    cdf = (members[:, None] <= z).double().mean(0)
    integral = torch.trapezoid((cdf - (target <= z).double()) ** 2, z)
    assert float(tail_crps(members, target, 0.2, fair=False)) == pytest.approx(float(integral), abs=1e-3)


def test_both_tails_at_one_threshold_add_up_to_the_crps(forecast):
    upper, lower = (tail_crps(*forecast, 0.3, is_upper=is_upper) for is_upper in (True, False))
    torch.testing.assert_close(upper + lower, crps(*forecast))


@pytest.mark.parametrize("is_upper", [True, False])
def test_the_climatology_is_scored_as_an_ensemble_that_is_the_same_in_every_case(forecast, is_upper):
    reference, target = forecast[0][:, 0], forecast[1]
    threshold = torch.tensor([0.5, -0.5], dtype=torch.float64)
    slow = tail_crps(reference[:, None].expand(-1, 200, -1), target, threshold, is_upper=is_upper, fair=False)
    torch.testing.assert_close(tail_crps_of_climatology(reference, target, threshold, is_upper=is_upper), slow)


def test_a_missing_target_has_no_score(forecast):
    target = forecast[1].clone()
    target[3, 1] = torch.nan
    for score in (tail_crps(forecast[0], target, 0.0), tail_crps_of_climatology(forecast[0][:, 0], target, 0.0)):
        assert score.isnan().nonzero().tolist() == [[3, 1]]


@pytest.fixture
def sums(forecast):
    members, target = forecast
    target = target.clone()
    target[5, 1] = torch.nan
    climatology = torch.randn(99, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return members, target, members.mean(0), torch.arange(200) // 20, 10, climatology


@pytest.mark.parametrize("n_member", [1, 2, 19])
def test_the_compiled_sums_are_those_of_the_definition(sums, n_member, monkeypatch):
    *arguments, climatology = sums
    arguments[0] = arguments[0][:n_member]
    assert compiled_sums.wait()
    ours = Statistics.of(*arguments, climatology=climatology)
    monkeypatch.setattr(compiled_sums, "takes", lambda members: False)
    slow = Statistics.of(*arguments, climatology=climatology)
    by_case = Statistics.of(*arguments, climatology=climatology[:, None].expand(-1, 200, -1))
    for name in ("tail_upper", "tail_upper_climatology", "tail_lower", "tail_lower_climatology"):
        torch.testing.assert_close(ours[name], slow[name], rtol=1e-12, atol=1e-12, equal_nan=True)
        torch.testing.assert_close(by_case[name], slow[name], rtol=1e-12, atol=1e-12, equal_nan=True)


def test_the_scores_of_the_tails_are_means_over_the_tails_of_the_climatology(sums):
    *arguments, climatology = sums
    members, target = arguments[:2]
    values = scores(Statistics.of(*arguments, climatology=climatology))
    for name, level, is_upper in (("upper", 0.9, True), ("lower", 0.1, False)):
        threshold = torch.from_numpy(np.quantile(climatology.numpy(), level, axis=0))
        own = tail_crps(members, target, threshold, is_upper=is_upper).nanmean()
        other = tail_crps_of_climatology(climatology, target, threshold, is_upper=is_upper).nanmean()
        assert values[f"tail_{name}"] == pytest.approx(float(own))
        assert values[f"tail_{name}_skill"] == pytest.approx(1 - float(own / other))


def test_without_a_climatology_there_is_no_tail(sums):
    assert compiled_sums.wait()
    values = scores(Statistics.of(*sums[:5]))
    assert np.isnan([values[f"tail_{name}"] for name in ("upper", "lower", "upper_skill", "lower_skill")]).all()
