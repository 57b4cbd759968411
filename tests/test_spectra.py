"""Spectra: power where the wave is, all of the variance and no more; and the spread/error correlation three ways."""

import numpy as np
import pytest
import torch

from stochattn_core.figures.map_association import map_association as association_figure
from stochattn_core.figures.spectrum import spectrum
from stochattn_core.metrics.cell_area import cell_area_weights
from stochattn_core.metrics.map_association import map_association
from stochattn_core.metrics.regions import latitude_weights
from stochattn_core.metrics.spectra import spectra, without_zonal_mean, zonal_power
from stochattn_core.panels.map_association import read_map_association
from stochattn_core.panels.spectra import read_spectrum

LATITUDE = np.linspace(-87.1875, 87.1875, 32)
LONGITUDE = torch.arange(64) * 5.625
TURN = torch.deg2rad(LONGITUDE.double())


@pytest.mark.parametrize("k", [1, 5, 31])
def test_a_pure_wave_has_all_its_power_at_its_wavenumber(k):
    power = zonal_power((3 * torch.cos(k * TURN + 0.7)).expand(32, 64), LATITUDE)
    assert float(power[k]) == pytest.approx(4.5)  # half the squared amplitude
    assert float(power.sum()) == pytest.approx(4.5)


def test_the_ends_of_the_spectrum_are_counted_once():
    assert float(zonal_power(torch.full((32, 64), 7.0), LATITUDE)[0]) == pytest.approx(49)
    assert float(zonal_power(torch.cos(32 * TURN).expand(32, 64), LATITUDE)[32]) == pytest.approx(1)
    odd = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert zonal_power(odd, [-60, -20, 20, 60]).shape == (4,)


@pytest.mark.parametrize("n", [64, 63])
@pytest.mark.parametrize("band", [(-90, 90), (30, 60), (-20, 20)])
def test_parseval_the_sum_over_wavenumbers_is_the_mean_square(n, band):
    field = torch.randn(3, 32, n, generator=torch.Generator().manual_seed(1)).double() + 5
    area = latitude_weights(LATITUDE, *band)
    power = zonal_power(field, LATITUDE, band)
    square = ((field**2).mean(-1) * area).sum(-1) / area.sum()
    torch.testing.assert_close(power.sum(-1), square)
    variance = ((without_zonal_mean(field) ** 2).mean(-1) * area).sum(-1) / area.sum()
    torch.testing.assert_close(power[:, 1:].sum(-1), variance)


def test_the_definition_written_slowly():
    field = np.random.default_rng(0).normal(size=(4, 8))
    latitude, area = [-60.0, -20.0, 20.0, 60.0], cell_area_weights([-60.0, -20.0, 20.0, 60.0]).numpy()
    slow = np.zeros(5)
    for row in range(4):
        for k in range(5):
            wave = sum(field[row, j] * np.exp(-2j * np.pi * k * j / 8) for j in range(8)) / 8
            slow[k] += (1 if k in (0, 4) else 2) * abs(wave) ** 2 * area[row] / area.sum()
    np.testing.assert_allclose(zonal_power(torch.tensor(field), latitude).numpy(), slow)


def ensemble(roughness=1.0, n_member=12, n_case=30, n_wave=20, seed=0):
    """Members and truth around a common signal; noise of the members at large wavenumbers is scaled by roughness."""
    rng = np.random.default_rng(seed)
    k = np.arange(1, n_wave + 1)

    def waves(shape, scale):
        amplitude, phase = rng.normal(size=(*shape, n_wave)) * scale, rng.uniform(0, 2 * np.pi, (*shape, n_wave))
        return (amplitude[..., None] * np.cos(k[:, None] * TURN.numpy() + phase[..., None])).sum(-2)

    small = np.where(k > 6, roughness, 1.0)
    common = waves((n_case, 32), k**-1.5)
    members = common + waves((n_member, n_case, 32), small * 2 * k**-1.5)
    return torch.tensor(members), torch.tensor(common + waves((n_case, 32), 2 * k**-1.5))


def test_a_member_of_the_same_law_is_as_rough_as_the_truth_and_the_mean_is_smoother():
    members, target = ensemble()
    power = spectra(members, target, LATITUDE)
    waves = slice(0, 20)
    assert ((power.member_low[waves] <= 1) & (power.member_high[waves] >= 1)).double().mean() >= 0.75
    assert float(power.mean_ratio[waves].mean()) == pytest.approx((1 + 4 / 12) / 5, abs=0.03)
    assert power.member_ratio[25:].isnan().all(), "no power, no ratio"
    assert (power.n_member, power.n_case, len(power.wavenumber)) == (12, 30, 32)
    assert "no evidence that a member is rougher or smoother" in sentence(power)
    assert "less than half the power of the truth from wavenumber 1 on" in sentence(power)
    assert "smoother" in sentence(spectra(*ensemble(0.3), LATITUDE))
    assert "rougher" in sentence(spectra(*ensemble(3.0), LATITUDE))


def sentence(power):
    return read_spectrum(
        *(values.numpy() for values in (power.wavenumber, power.member_ratio, power.member_low, power.member_high, power.mean_ratio))
    )


def test_the_spectrum_of_members_is_not_that_of_their_mean_and_missing_cases_are_left_out():
    members, target = ensemble(n_case=4)
    power = spectra(members, target, LATITUDE, band=(-90, 90))
    slow = torch.stack([zonal_power(member, LATITUDE).mean(0) for member in members]).mean(0)[1:]
    torch.testing.assert_close(power.member, slow)
    gap = target.clone()
    gap[1, 23, 3] = torch.nan
    fewer, keep = spectra(members, gap, LATITUDE, plain=target), [0, 2, 3]
    torch.testing.assert_close(fewer.truth, spectra(members[:, keep], target[keep], LATITUDE).truth)
    assert fewer.n_case == 3
    torch.testing.assert_close(fewer.plain, fewer.truth)
    blocks = spectra(members, target, LATITUDE, block=torch.tensor([0, 0, 1, 1]))
    assert (blocks.member_low[:20] <= blocks.member_ratio[:20] + 1e-12).all()
    with pytest.raises(ValueError, match="missing values in every case"):
        spectra(members, target * torch.nan, LATITUDE)
    with pytest.raises(ValueError, match="with 32 latitudes, got"):
        zonal_power(torch.zeros(64, 31), LATITUDE)
    with pytest.raises(ValueError, match="choose another band"):
        zonal_power(torch.zeros(2, 8), [40.0, 45.0], (0, 20))


def test_the_figure_shows_truth_member_and_mean_and_no_ratio_to_nothing():
    power = spectra(*ensemble(), LATITUDE)
    arrays = [values.numpy() for values in (power.wavenumber, power.truth, power.member, power.mean)]
    figure = spectrum(*arrays, low=power.member_low.numpy(), high=power.member_high.numpy(), subtitle="M = 12", units="m")
    assert {trace.name for trace in figure.data} == {"truth", "one member", "ensemble mean", "90% range of a member"}
    ratio = next(trace for trace in figure.data if trace.name == "one member" and trace.yaxis == "y2")
    np.testing.assert_allclose(ratio.y, power.member_ratio.numpy())


def test_a_spread_that_knows_only_the_latitude_correlates_and_is_found_out():
    rng = np.random.default_rng(0)
    track = np.exp(-(((np.abs(LATITUDE) - 45) / 15) ** 2))[:, None]
    rmse, spread = 10 + 50 * track + rng.normal(size=(2, 32, 64))
    climatology = 20 + 70 * track + rng.normal(size=(32, 64))
    association = map_association(torch.tensor(rmse), torch.tensor(spread), torch.tensor(climatology), LATITUDE)
    assert association.spread > 0.99
    assert association.climatology > 0.99
    assert abs(association.zonal_removed) < 0.1
    assert association.n == 2048
    area = np.repeat(np.sqrt(cell_area_weights(LATITUDE).numpy())[:, None], 64, axis=1).ravel()
    left, right = (area * (field - np.average(field, weights=area.reshape(32, 64) ** 2)).ravel() for field in (rmse, spread))
    assert association.spread == pytest.approx(left @ right / np.sqrt(left @ left * (right @ right)))
    assert "little more" in read_map_association(*association[:4])
    weather = 30 * rng.normal(size=(32, 64))
    follows = map_association(torch.tensor(rmse + weather), torch.tensor(spread + weather), torch.tensor(climatology), LATITUDE)
    assert follows.zonal_removed > 0.95
    assert "adds to the climate" in read_map_association(*follows[:4])
    assert "no spread" in read_map_association(float("nan"), 0, 0)
    assert len(association_figure(follows[:2], follows[2:4], subtitle="s").data) == 2


def test_cells_that_are_missing_are_left_out_of_the_correlation():
    rng = np.random.default_rng(0)
    rmse, spread = torch.tensor(rng.random((2, 32, 64)))
    rmse[3, 5:20] = torch.nan
    association = map_association(rmse, spread, None, LATITUDE)
    assert association.n == 2048 - 15
    assert np.isfinite(association.zonal_removed)
    assert np.isnan(association.climatology)
    with pytest.raises(ValueError, match="on one grid"):
        map_association(rmse, spread[:, :5], None, LATITUDE)
