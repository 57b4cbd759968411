"""Baselines: temperature scaling and split conformal against closed forms, MAPIE, and their guarantees."""

import math

import numpy as np
import pytest
import torch
from mapie.regression import SplitConformalRegressor
from scipy.optimize import minimize_scalar

from stochattn_core.baselines import BASELINES
from stochattn_core.baselines.conformal import fit_split_conformal, guaranteed_coverage
from stochattn_core.baselines.temperature import Temperature, fit_temperature
from stochattn_core.metrics import crps, spread_skill_ratio


def ensemble(m: int, n: int, width: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(n, generator=generator, dtype=torch.float64)
    values = torch.randn(m + 1, n, generator=generator, dtype=torch.float64)
    return centre + width * values[1:], centre + values[0]


def test_every_baseline_has_a_title_a_description_of_one_line_and_a_kind():
    for baseline in BASELINES.values():
        assert baseline.title
        assert "\n" not in baseline.description
        assert baseline.gives in ("members", "intervals")


def test_temperature_by_ratio_makes_the_ratio_one_and_keeps_mean_and_order():
    members, target = ensemble(20, 300, 0.4)
    target[5] = torch.nan
    fitted = fit_temperature(members, target)
    stretched = fitted.apply(members)
    assert float(spread_skill_ratio(stretched, target)) == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(stretched.mean(0), members.mean(0))
    assert torch.equal(stretched.argsort(0), members.argsort(0))
    assert torch.equal(Temperature(1.0).apply(members[:1]), members[:1])


@pytest.mark.parametrize("width", [0.05, 0.4, 3.0])
def test_temperature_by_crps_is_the_minimum_that_scipy_finds(width):
    members, target = ensemble(20, 200, width)
    target[5] = torch.nan
    value = fit_temperature(members, target, by="crps").value

    def mean_crps(t: float) -> float:
        return float(crps(Temperature(t).apply(members), target).nanmean())

    best = minimize_scalar(mean_crps, bounds=(0, 10 / width), method="bounded", options={"xatol": 1e-7})
    assert value == pytest.approx(best.x, rel=1e-3)
    assert mean_crps(value) <= best.fun + 1e-9


def test_temperature_recovers_the_factor_by_which_an_ensemble_is_too_narrow():
    members, target = ensemble(49, 20_000, 0.4)
    # RMSE^2 = 1 + 0.16/49 and (50/49) spread^2 = 0.16 * 50/49
    exact = math.sqrt((1 + 0.16 / 49) / (0.16 * 50 / 49))
    assert fit_temperature(members, target).value == pytest.approx(exact, rel=0.02)
    # Fair CRPS of m + T (x - m), Gaussian: T^2 = (1 + 0.16/M) / (0.16 (1 - 1/M) (1 - 2/M)), larger by 2/M
    exact = math.sqrt((1 + 0.16 / 49) / (0.16 * (1 - 1 / 49) * (1 - 2 / 49)))
    assert fit_temperature(members, target, by="crps").value == pytest.approx(exact, rel=0.02)


def test_temperature_refuses_an_ensemble_that_it_cannot_widen():
    for members in (torch.zeros(1, 4), torch.zeros(5, 4)):
        with pytest.raises(ValueError, match="at least 2 members that differ"):
            fit_temperature(members, torch.ones(4))
    with pytest.raises(ValueError, match="by='ratio' or by='crps', got 'w1'"):
        fit_temperature(*ensemble(3, 4, 1.0), by="w1")


class Identity:
    """The plain model for MAPIE: its one feature is the forecast."""

    n_features_in_ = 1

    def fit(self, x, y):
        return self

    def predict(self, x):
        return x[:, 0]

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.parametrize("n", [25, 100, 333])
def test_conformal_half_widths_are_those_of_mapie(n):
    members, target = ensemble(2, n, 1.0)
    plain, levels = members[0], [0.5, 0.8, 0.9, 0.95]
    mapie = SplitConformalRegressor(Identity(), confidence_level=levels, prefit=True).conformalize(plain.numpy()[:, None], target.numpy())
    _, intervals = mapie.predict_interval(np.zeros((1, 1)))
    np.testing.assert_allclose(fit_split_conformal(plain, target, levels).half_width, intervals[0, 1], atol=1e-12)


def test_conformal_takes_the_order_statistic_for_each_lead_time_without_the_missing():
    generator = torch.Generator().manual_seed(0)
    plain, target = torch.randn(2, 40, 3, generator=generator)
    target[::5, 1] = torch.nan
    fitted = fit_split_conformal(plain, target, [0.55, 0.9, 0.975, 0.99])
    for lead in range(3):
        errors = sorted(abs(a - b) for a, b in zip(target[:, lead].tolist(), plain[:, lead].tolist(), strict=True) if not math.isnan(a))
        for place, thousandths in enumerate((550, 900, 975, 990)):
            rank = -((len(errors) + 1) * thousandths // -1000)  # the ceiling, in whole numbers
            expected = errors[rank - 1] if rank <= len(errors) else math.inf
            assert float(fitted.half_width[place, lead]) == pytest.approx(expected, abs=1e-6)
    assert fitted.n.tolist() == [40, 32, 40]
    assert fit_split_conformal(torch.zeros(99), torch.arange(1.0, 100.0), [0.55]).half_width == 55  # 100 * 0.55 is 55.00000000000001
    without_cases = fit_split_conformal(torch.zeros(0, 3), torch.zeros(0, 3), [0.5])
    assert torch.isinf(without_cases.half_width).all()


@pytest.mark.parametrize("n", [9, 30])
def test_conformal_covers_new_cases_as_guaranteed_whatever_the_law(n):
    generator = torch.Generator().manual_seed(0)
    residual = torch.randn(n + 1, 20_000, generator=generator) ** 3  # 20,000 calibration sets side by side, one new case each
    for level in (0.5, 0.8, 0.9):
        fitted = fit_split_conformal(torch.zeros(n, 20_000), residual[:-1], [level])
        assert fitted.scores(torch.zeros(1, 20_000), residual[-1:])[f"coverage_{100 * level:g}"] == pytest.approx(
            guaranteed_coverage(n, level), abs=0.01
        )


def test_conformal_intervals_and_their_refusals():
    plain, target = torch.zeros(9, 2), torch.arange(18.0).view(9, 2)
    fitted = fit_split_conformal(plain, target, [0.5, 0.95])
    lower, upper = fitted.intervals(plain)
    assert lower.shape == upper.shape == (2, 9, 2)
    assert torch.equal(upper - lower, 2 * fitted.half_width[:, None].expand(-1, 9, -1))
    assert fitted.scores(plain, target)["width_95"] == math.inf
    with pytest.raises(ValueError, match=r"write 90% as 0\.9"):
        fit_split_conformal(plain, target, [90])
    with pytest.raises(ValueError, match="the same shape"):
        fit_split_conformal(plain[:, 0], target)
    with pytest.raises(ValueError, match="plain must hold a number"):
        fit_split_conformal(torch.full_like(plain, torch.nan), target)
