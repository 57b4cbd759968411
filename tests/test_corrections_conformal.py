"""Conformal intervals on top of an ensemble: the promise kept on exchangeable cases, and the offset by a slow definition."""

import math

import pytest
import torch

from stochattn_core.baselines import conformal as split_conformal
from stochattn_core.baselines.conformal import guaranteed_coverage
from stochattn_core.corrections import conformal
from stochattn_core.metrics import cell_area_weights, central_intervals, crps


def narrow(n, event, m=19, seed=0, width=0.3):
    """Members far too narrow about a forecast, whose errors have heavy tails."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(n, *event, generator=generator) ** 3
    return width * torch.randn(m, n, *event, generator=generator), target


@pytest.mark.parametrize("n", (9, 30))
@pytest.mark.parametrize("width", (0.3, 5.0))
def test_new_cases_are_covered_as_promised_whatever_the_ensemble(n, width):
    members, target = narrow(n + 1, (20_000,), width=width)  # 20,000 calibration sets side by side, one new case each
    fitted = conformal.fit(members[:, :n], target[:n], [0.5, 0.8, 0.9])
    found = fitted.scores(members[:, n:], target[n:])
    for level in (0.5, 0.8, 0.9):
        assert found[f"coverage_{100 * level:g}"] == pytest.approx(guaranteed_coverage(n, level), abs=0.01)


def test_the_offset_of_each_lead_time_is_the_order_statistic():
    members, target = narrow(40, (3,))
    target[::5, 1] = torch.nan
    lower, upper = central_intervals(members, [0.55, 0.9, 0.99])
    found = conformal.fit(members, target, [0.55, 0.9, 0.99])
    for place, hundredths in enumerate((55, 90, 99)):
        for lead in range(3):
            score = sorted(
                max(float(lower[place, i, lead] - y), float(y - upper[place, i, lead]))
                for i, y in enumerate(target[:, lead].tolist())
                if not math.isnan(y)
            )
            rank = -((len(score) + 1) * hundredths // -100)
            wanted = score[rank - 1] if rank <= len(score) else math.inf
            assert float(found.offset[place, lead]) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("shared", (0.0, 0.9, 1.0))
def test_a_map_holds_its_share_of_area_on_average_however_its_cells_hang_together(shared):
    """1500 worlds of 9 calibration maps and a new one; shared: how much of the error is one number for the whole map."""
    weights = cell_area_weights([-60.0, 0.0, 60.0])[:, None]
    generator = torch.Generator().manual_seed(0)
    held = []
    for _ in range(1500):
        common, own = torch.randn(10, 1, 1, generator=generator), torch.randn(10, 3, 4, generator=generator)
        target = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
        members = 0.2 * torch.randn(9, 10, 3, 4, generator=generator)
        fitted = conformal.fit(members[:, :9], target[:9], [0.5, 0.8], weights)
        held.append(fitted.scores(members[:, 9:], target[9:], weights))
    for level in (50, 80):
        coverage = torch.tensor([one[f"coverage_{level}"] for one in held])
        error = float(coverage.std()) / math.sqrt(len(held))
        assert float(coverage.mean()) > level / 100 - 3 * error
        assert float(coverage.mean()) < (level / 100) + 0.1 + 3 * error  # at most one map in ten more


def test_a_map_with_missing_cells_counts_as_much_as_a_whole_one():
    """400 worlds of 10 maps and a new one; half of all maps have one cell alone, and errors five times as large."""
    generator = torch.Generator().manual_seed(0)
    held = []
    for _ in range(400):
        one_cell = torch.rand(11, generator=generator) < 0.5
        target = torch.randn(11, 1, 1, generator=generator) * torch.where(one_cell, 5.0, 1.0)[:, None, None] * torch.ones(11, 4, 5)
        target[one_cell] = torch.where(torch.arange(20).view(4, 5) == 7, target[one_cell], torch.nan)
        members = 0.1 * torch.randn(9, 11, 4, 5, generator=generator)
        held.append(conformal.fit(members[:, :10], target[:10], [0.8]).scores(members[:, 10:], target[10:])["coverage_80"])
    coverage = torch.tensor(held)
    assert float(coverage.mean()) > 0.8 - 3 * float(coverage.std()) / math.sqrt(len(held))


def test_a_map_of_equal_cells_is_one_number_a_case():
    members, target = narrow(30, ())
    one = conformal.fit(members, target, [0.5, 0.9])
    tiled = conformal.fit(
        members[..., None, None].expand(-1, -1, 3, 4), target[:, None, None].expand(-1, 3, 4), [0.5, 0.9], torch.rand(3, 4)
    )
    assert torch.equal(one.offset, tiled.offset)


def test_intervals_that_were_too_wide_shrink_and_never_cross():
    members, target = 3 + torch.randn(19, 200, generator=torch.Generator().manual_seed(0)), torch.full((200,), 3.0)
    fitted = conformal.fit(members, target, [0.5, 0.9])
    assert (fitted.offset < 0).all()
    lower, upper = fitted.intervals(members)
    assert (lower <= upper).all()
    assert fitted.scores(members, target)["width_90"] < float(
        (central_intervals(members, [0.9])[1] - central_intervals(members, [0.9])[0]).mean()
    )


def test_too_few_cases_promise_nothing_finite_and_none_is_refused():
    members, target = narrow(8, ())
    assert conformal.fit(members, target, [0.9]).offset.isinf().all()
    with pytest.raises(ValueError, match="found none"):
        conformal.fit(members, torch.full_like(target, torch.nan))


def test_the_steps_of_split_conformal_have_its_intervals_and_the_crps_of_their_law():
    members, target = narrow(50, (2,))
    plain = members[0]
    steps = split_conformal.steps(plain, target)
    slow = torch.stack([torch.tensor(sorted([s * abs(float(r)) for r in (target - plain)[:, k] for s in (-1, 1)])) for k in range(2)], 1)
    assert torch.allclose(steps, slow)  # 50 sizes of 50 errors: all of them
    new, truth = narrow(40, (2,), seed=1)
    grid = torch.linspace(-60, 60, 240_001, dtype=torch.float64)
    law = (steps[:, 0].double() + float(new[0, 3, 0]))[:, None]
    step = ((law <= grid).double().mean(0) - (grid >= float(truth[3, 0])).double()).square().sum() * (grid[1] - grid[0])
    assert float(crps(new[0] + steps[:, None], truth, fair=False)[3, 0]) == pytest.approx(float(step), rel=1e-3)
    with pytest.raises(ValueError, match="found none"):
        split_conformal.steps(plain, torch.full_like(target, torch.nan))


def test_interval_scores_count_cells_by_their_area():
    target = torch.tensor([[[0.0, 0.0], [5.0, torch.nan]]])
    lower, upper = torch.full((1, 1, 2, 2), -1.0), torch.full((1, 1, 2, 2), 1.0)
    upper[..., 1, :] = 2.0
    found = split_conformal.interval_scores(lower, upper, target, [0.9], torch.tensor([[1.5], [0.5]]))
    assert found == {"coverage_90": pytest.approx(3 / 3.5), "width_90": pytest.approx((3 * 2 + 0.5 * 3) / 3.5)}
