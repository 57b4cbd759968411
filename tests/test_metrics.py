"""CRPS, its parts, vector scores and cell areas, compared with slow definitions, two other libraries, and closed forms."""

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest
import scores.probability
import scoringrules
import torch
import xarray as xr

import stochattn_core.baselines
import stochattn_core.metrics
from stochattn_core.metrics import (
    cell_area_weights,
    coverage,
    crps,
    decompose_crps,
    energy_score,
    pit,
    rank_weights,
    variogram_score,
    w1,
)

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (stochattn_core.metrics, stochattn_core.baselines)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def ensemble(m: int, *event: int, seed: int = 0, ties: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(m + 1, *event, generator=generator, dtype=torch.float64)
    values = values.mul(2).round() if ties else values
    return values[1:], values[0]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("m", [2, 7, 50])
def test_crps_is_its_definition_over_pairs_and_agrees_with_two_libraries(m, ties):
    members, target = ensemble(m, 40, ties=ties)
    distance = (members[:, None] - members[None]).abs().sum((0, 1))
    to_target = (members - target).abs().mean(0)
    for fair, pairs, estimators, method in ((True, m * (m - 1), ("fair", "pwm"), "fair"), (False, m * m, ("nrg", "qd"), "ecdf")):
        ours = crps(members, target, fair=fair)
        torch.testing.assert_close(ours, to_target - distance / (2 * pairs), atol=1e-12, rtol=0)
        for estimator in estimators:
            theirs = scoringrules.crps_ensemble(target.numpy(), members.T.numpy(), estimator=estimator)
            np.testing.assert_allclose(ours, theirs, atol=1e-9)
        fcst, obs = xr.DataArray(members.numpy(), dims=("member", "case")), xr.DataArray(target.numpy(), dims="case")
        theirs = scores.probability.crps_for_ensemble(fcst, obs, "member", method=method, preserve_dims="all")
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_fair_crps_does_not_depend_on_the_number_of_members_and_plain_does():
    members, target = ensemble(50, 40_000)
    expected = 1 / math.sqrt(math.pi)  # E|X - y| - E|X - X'| / 2 with all three from one Gaussian
    for m in (2, 10, 50):
        assert float(crps(members[:m], target).mean()) == pytest.approx(expected, abs=0.01)
        assert float(crps(members[:m], target, fair=False).mean()) == pytest.approx(expected * (1 + 1 / m), abs=0.01)


def test_one_member_has_a_plain_crps_and_no_fair_one():
    assert float(crps(torch.tensor([3.0]), torch.tensor(1.0), fair=False)) == 2
    with pytest.raises(ValueError, match="at least 2 members, got 1; pass fair=False"):
        crps(torch.tensor([3.0]), torch.tensor(1.0))


def test_nan_in_gives_nan_out_there_and_nowhere_else():
    members, target = ensemble(5, 4)
    members[2, 0], target[1] = torch.nan, torch.nan
    wanted = torch.tensor([True, True, False, False])
    values = [crps(members, target), pit(members, target), coverage(members, target, [0.5])[0], w1(rank_weights(members, target))]
    values += [energy_score(members.unsqueeze(2), target.unsqueeze(1)), variogram_score(members.unsqueeze(2), target.unsqueeze(1))]
    assert all(torch.equal(torch.isnan(value), wanted) for value in values)


def slow_hersbach(members, target):
    """Hersbach (2000), equations 26 to 31, case by case and bin by bin."""
    m, n = members.shape
    alpha, beta, below, above = np.zeros(m + 1), np.zeros(m + 1), 0, 0
    for case in range(n):
        x, y = np.sort(members[:, case]), target[case]
        for i in range(1, m):
            if y > x[i]:
                alpha[i] += x[i] - x[i - 1]
            elif y < x[i - 1]:
                beta[i] += x[i] - x[i - 1]
            else:
                alpha[i] += y - x[i - 1]
                beta[i] += x[i] - y
        if y < x[0]:
            beta[0] += x[0] - y
            below += 1
        if y > x[-1]:
            alpha[m] += y - x[-1]
            above += 1
    alpha, beta = alpha / n, beta / n
    reliability = potential = 0.0
    for i in range(m + 1):
        if i == 0:
            o = below / n
            g = beta[0] / o if o else 0
        elif i == m:
            o = 1 - above / n
            g = alpha[m] / (1 - o) if o < 1 else 0
        else:
            g = alpha[i] + beta[i]
            o = beta[i] / g if g else 0
        reliability += g * (o - i / m) ** 2
        potential += g * o * (1 - o)
    return reliability, potential


@pytest.mark.parametrize("m", [1, 2, 9])
def test_hersbach_decomposition_is_its_definition_and_adds_up(m):
    members, target = ensemble(m, 300)
    members = 0.6 * members + 0.7 * target + 0.2
    parts = decompose_crps(members, target)
    reliability, potential = slow_hersbach(members.numpy(), target.numpy())
    assert float(parts.reliability) == pytest.approx(reliability, abs=1e-12)
    assert float(parts.potential) == pytest.approx(potential, abs=1e-12)
    assert float(parts.reliability + parts.potential) == pytest.approx(float(crps(members, target, fair=False).mean()), abs=1e-12)
    assert float(parts.uncertainty) == pytest.approx(float((target[:, None] - target).abs().mean() / 2), abs=1e-12)
    assert float(parts.reliability - parts.resolution + parts.uncertainty) == pytest.approx(float(parts.crps), abs=1e-12)


def test_a_climatological_ensemble_has_no_resolution_and_ties_still_add_up():
    members, target = ensemble(20, 500, ties=True)
    parts = decompose_crps(members, target)
    assert float(parts.crps) == pytest.approx(float(crps(members, target, fair=False).mean()), abs=1e-12)
    sample = target.sort().values[:, None].expand(-1, 500)
    perfect = decompose_crps(sample, target)
    assert float(perfect.resolution) == pytest.approx(0, abs=0.01)
    assert float(perfect.crps) == pytest.approx(float(perfect.uncertainty), abs=1e-12)


def test_energy_and_variogram_scores_agree_with_scoringrules():
    members, target = ensemble(11, 30, 4)
    obs, fct = target.numpy(), members.movedim(0, 1).numpy()
    np.testing.assert_allclose(energy_score(members, target), scoringrules.es_ensemble(obs, fct, estimator="fair"), atol=1e-9)
    np.testing.assert_allclose(energy_score(members, target, fair=False), scoringrules.es_ensemble(obs, fct), atol=1e-9)
    np.testing.assert_allclose(variogram_score(members, target), scoringrules.vs_ensemble(obs, fct, p=0.5), atol=1e-9)
    torch.testing.assert_close(energy_score(members[..., 0], target[..., 0]), crps(members[..., 0], target[..., 0]))
    target[:, 2] = torch.nan  # a missing element is as if it were not there
    torch.testing.assert_close(energy_score(members, target), energy_score(members[..., [0, 1, 3]], target[..., [0, 1, 3]]))
    with pytest.raises(ValueError, match="at least 2 members, got 1"):
        energy_score(members[:1], target)


def test_cell_areas_are_exact_on_a_conservative_grid_and_capped_at_the_poles():
    latitude = -90 + 5.625 / 2 + 5.625 * torch.arange(32, dtype=torch.float64)
    cosine = torch.deg2rad(latitude).cos()
    torch.testing.assert_close(cell_area_weights(latitude), cosine / cosine.mean())  # sin b - sin a = 2 cos(mid) sin(half)
    assert torch.equal(cell_area_weights(latitude), cell_area_weights(latitude.flip(0)).flip(0))
    polar = cell_area_weights(torch.linspace(90, -90, 181))
    assert float(polar[0] / polar[90]) == pytest.approx((1 - math.cos(math.radians(0.5))) / (2 * math.sin(math.radians(0.5))))
    for wrong in ([0.0], [0.0, 2.0, 1.0], [0.0, 120.0]):
        with pytest.raises(ValueError, match="latitudes"):
            cell_area_weights(wrong)
