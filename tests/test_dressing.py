"""Dressing with calibration errors, against closed forms and slow definitions."""

import math

import pytest
import torch
from scipy.stats import norm

from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.metrics import crps, spread_skill_ratio


def case(n=4000, event=(), scale=1.0, seed=0):
    """Plain forecasts with independent normal errors."""
    plain, error = torch.randn(2, n, *event, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return plain, plain + scale * error


def test_gaussian_dressing_has_the_crps_of_the_normal_law():
    plain, target = case(400)
    members = GaussianDressing(torch.tensor(0.7)).members(plain, 4000)
    z = ((target - plain) / 0.7).numpy()
    exact = 0.7 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert torch.allclose(crps(members, target), torch.tensor(exact), atol=0.05)
    assert float(crps(members, target).mean()) == pytest.approx(exact.mean(), rel=3e-3)


def test_gaussian_dressing_of_normal_errors_is_calibrated_with_the_crps_of_its_law():
    fitted = GaussianDressing.fit(*case(scale=2.0))
    assert float(fitted.sigma) == pytest.approx(2.0, rel=0.04)
    plain, target = case(scale=2.0, seed=1)
    members = fitted.members(plain, 49)
    assert float(crps(members, target).mean()) == pytest.approx(2.0 / math.sqrt(math.pi), rel=0.04)
    assert float(spread_skill_ratio(members, target)) == pytest.approx(1, abs=0.04)


def test_gaussian_dressing_has_the_spread_of_each_element_without_their_joint_structure():
    plain, target = case(3000, (2,))
    target[:, 1] = plain[:, 1] + 3 * (target[:, 0] - plain[:, 0])
    target[::7, 1] = torch.nan
    fitted = GaussianDressing.fit(plain, target)
    slow = [
        math.sqrt(sum((a - b) ** 2 for a, b in zip(plain[:, k].tolist(), target[:, k].tolist(), strict=True) if not math.isnan(b)) / n)
        for k, n in ((0, 3000), (1, 3000 - len(range(0, 3000, 7))))
    ]
    assert fitted.sigma.tolist() == pytest.approx(slow)
    noise = (fitted.members(plain, 20) - plain).flatten(0, 1)
    assert abs(float(torch.corrcoef(noise.T)[0, 1])) < 4.5 / math.sqrt(len(noise))


def test_residual_dressing_draws_whole_events_of_calibration_cases_at_random():
    plain, target = case(30, (4,))
    target = target.round(decimals=3)
    target[5, 2] = torch.nan
    fitted = ResidualDressing.fit(plain, target)
    assert len(fitted.residual) == 29
    plain_zero = torch.zeros(200, 4, dtype=torch.float64)
    members = fitted.members(plain_zero, 50)
    known = {tuple(row) for row in (target - plain)[[i for i in range(30) if i != 5]].tolist()}
    drawn = [tuple(row) for row in members.flatten(0, 1).tolist()]
    assert set(drawn) == known
    assert max(drawn.count(row) for row in known) < 10_000 / 29 + 5 * math.sqrt(10_000 / 29)


def test_residual_dressing_has_the_crps_of_all_its_residuals():
    plain, target = case(25)
    new, truth = case(300, seed=1)
    exact = crps(new + (target - plain)[:, None], truth, fair=False)
    score = crps(ResidualDressing.fit(plain, target).members(new, 3000), truth)
    assert torch.allclose(score, exact, atol=0.05) and float(score.mean()) == pytest.approx(float(exact.mean()), rel=5e-3)


@pytest.mark.parametrize("kind", (GaussianDressing, ResidualDressing))
def test_dressing_is_seeded_and_members_of_a_map_are_finite_where_a_cell_has_no_target(kind):
    plain, target = case(12, (3, 4))
    target[:, 0, 0] = torch.nan
    fitted = kind.fit(plain, target)
    members = fitted.members(plain, 5, seed=3)
    assert members.shape == (5, 12, 3, 4) and members.isfinite().all() and torch.equal(members[:, :, 0, 0], plain[:, 0, 0].expand(5, -1))
    assert torch.equal(members, fitted.members(plain, 5, seed=3)) and not torch.equal(members, fitted.members(plain, 5, seed=4))


def test_calibration_data_without_a_usable_error_are_refused():
    plain, target = case(4, (2,))
    for kind in (GaussianDressing, ResidualDressing):
        with pytest.raises(ValueError, match="found none that is a number"):
            kind.fit(plain, torch.full_like(target, torch.nan))
        with pytest.raises(ValueError, match="the same shape"):
            kind.fit(plain[0], target)
    target[[0, 2], [0, 0]] = target[[1, 3], [1, 1]] = torch.nan
    with pytest.raises(ValueError, match="its whole event, found none"):
        ResidualDressing.fit(plain, target)
