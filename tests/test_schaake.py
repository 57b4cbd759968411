"""Split conformal with the Schaake shuffle: conformal marginals, and the order of calibration trajectories."""

import pytest
import torch

from stochattn_core.baselines import ConformalSchaake
from stochattn_core.baselines.conformal import fit_split_conformal


def case(n=199, n_lead=4, rho=0.9, seed=0):
    """Forecasts, and targets whose errors are an AR(1) over lead times."""
    generator = torch.Generator().manual_seed(seed)
    plain, noise = torch.randn(2, n, n_lead, generator=generator, dtype=torch.float64)
    error = torch.empty_like(noise)
    error[:, 0] = noise[:, 0]
    for lead in range(1, n_lead):
        error[:, lead] = rho * error[:, lead - 1] + (1 - rho**2) ** 0.5 * noise[:, lead]
    return plain, plain + error


def test_the_members_of_a_case_are_the_ends_of_split_conformal_intervals():
    plain, target = case()
    members = ConformalSchaake.fit(plain, target).members(plain[:5], 9).sort(0).values
    lower, upper = fit_split_conformal(plain, target, [0.2, 0.4, 0.6, 0.8]).intervals(plain[:5])
    torch.testing.assert_close(members[5:], upper)
    torch.testing.assert_close(members[:4].flip(0), lower)
    torch.testing.assert_close(members[4], plain[:5])


def test_a_quantile_without_a_guarantee_is_the_largest_error():
    plain, target = torch.zeros(5, 2), torch.tensor([[1.0, 2.0], [3.0, 0.5], [0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    offset = ConformalSchaake.fit(plain, target).offsets(49)
    assert offset.isfinite().all() and offset[-1].tolist() == [3.0, 2.0]
    assert bool((offset.diff(dim=0) >= 0).all())


def test_members_are_ordered_as_the_trajectories_that_were_drawn():
    """With as many members as calibration cases, the ranks of members over elements are those of the trajectories, in some order."""
    plain, target = case(n=19)
    fitted = ConformalSchaake.fit(plain, target)
    members = fitted.members(torch.zeros(1, 4, dtype=torch.float64), 19)[:, 0]
    ranks, expected = (values.argsort(0).argsort(0).tolist() for values in (members, target))
    assert sorted(ranks) == sorted(expected)


@pytest.mark.parametrize("ranks_of", ["targets", "errors"])
def test_the_correlation_over_lead_times_is_that_of_the_ranks(ranks_of):
    plain, target = case(n=2000)
    members = ConformalSchaake.fit(plain, target, ranks_of=ranks_of).members(plain[:300], 49)
    offset = (members - plain[:300]).flatten(0, 1)
    found = float(torch.corrcoef(offset.T)[0, 1])
    source = target if ranks_of == "targets" else target - plain
    wanted = float(torch.corrcoef(source.argsort(0).argsort(0).double().T)[0, 1])
    assert found == pytest.approx(wanted, abs=0.06)


def test_ranks_of_errors_give_a_mean_over_lead_times_its_spread():
    plain, target = case(n=3000)
    test_plain, test_target = case(n=1000, seed=1)
    members = ConformalSchaake.fit(plain, target, ranks_of="errors").members(test_plain, 49).mean(2)
    ratio = (50 / 49 * members.var(0).mean() / ((members.mean(0) - test_target.mean(1)) ** 2).mean()).sqrt()
    assert float(ratio) == pytest.approx(1, abs=0.06)


def test_ties_are_ordered_at_random_and_missing_targets_are_left_out():
    plain = torch.zeros(40, 2, dtype=torch.float64)
    target = torch.ones(40, 2, dtype=torch.float64)
    target[3] = torch.nan
    fitted = ConformalSchaake.fit(plain, target)
    assert len(fitted.trajectory) == 39
    members = ConformalSchaake(torch.arange(40.0).view(-1, 1).expand(-1, 2).double(), fitted.trajectory).members(
        torch.zeros(400, 2).double(), 9
    )
    assert abs(float(torch.corrcoef(members.flatten(0, 1).T)[0, 1])) < 0.1


def test_a_table_has_one_element_and_a_seed_gives_the_same_members():
    plain, target = (values[:, 0] for values in case())
    fitted = ConformalSchaake.fit(plain, target)
    torch.testing.assert_close(fitted.members(plain, 9, seed=1), fitted.members(plain, 9, seed=1))
    assert not torch.equal(fitted.members(plain, 9, seed=1), fitted.members(plain, 9, seed=2))


def test_what_cannot_be_fitted_is_refused():
    plain, target = case(n=5)
    with pytest.raises(ValueError, match="same shape"):
        ConformalSchaake.fit(plain, target[:3])
    with pytest.raises(ValueError, match="found none"):
        ConformalSchaake.fit(plain, target * torch.nan)
    with pytest.raises(ValueError, match="ranks_of"):
        ConformalSchaake.fit(plain, target, ranks_of="members")
