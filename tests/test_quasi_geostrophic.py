"""The quasi-geostrophic model: its transform and its dynamics against exact answers, and the fields computed from it."""

import numpy as np
import pytest
import torch
from tqdm import tqdm

from stochattn_core.datasets.quasi_geostrophic import simulate
from stochattn_core.datasets.quasi_geostrophic.archive import to_rows
from stochattn_core.datasets.quasi_geostrophic.climate import build
from stochattn_core.datasets.quasi_geostrophic.fields import LATITUDE, LONGITUDE, VARIABLES, balanced_geopotential, decode
from stochattn_core.datasets.quasi_geostrophic.model import RADIUS, ROTATION, Physics, QuasiGeostrophicModel
from stochattn_core.datasets.quasi_geostrophic.spectral import SphericalTransform, legendre

FREE = Physics(relaxation=float("inf"), friction=float("inf"), diffusion=float("inf"))


def random_coefficients(truncation: int, column: int, dtype=torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    size = truncation + 1
    coefficient = torch.randn(size, 2, size, column, generator=generator, dtype=dtype)
    order, degree = torch.arange(size)[:, None], torch.arange(size)
    coefficient *= (degree >= order)[:, None, :, None]
    coefficient[0, 1] = 0
    return coefficient


def wave(truncation: int, order: int, degree: int, amplitude: float, column: int = 3) -> torch.Tensor:
    coefficient = torch.zeros(truncation + 1, 2, truncation + 1, column, dtype=torch.float64)
    coefficient[order, 0, degree] = amplitude
    return coefficient


def test_the_transform_there_and_back_is_exact():
    transform = SphericalTransform.gaussian(42, torch.float64)
    coefficient = random_coefficients(42, 3)
    assert torch.allclose(transform.analysis(transform.synthesis(coefficient)), coefficient, rtol=0, atol=1e-10)


def test_the_spherical_harmonics_of_degree_2_are_those_of_handbooks():
    """The spherical harmonics of degree 2, s = sin(latitude), scaled to a mean square of 1."""
    s = np.linspace(-0.9, 0.9, 7)
    values, slope = legendre(3, s)
    assert np.allclose(values[0, 2], np.sqrt(5) * (3 * s**2 - 1) / 2)
    assert np.allclose(values[1, 2], np.sqrt(15 / 2) * s * np.sqrt(1 - s**2))
    assert np.allclose(values[2, 2], np.sqrt(15 / 8) * (1 - s**2))
    assert np.allclose(slope[0, 2], (1 - s**2) * np.sqrt(5) * 3 * s)


def test_divergence_of_a_gradient_is_the_laplacian():
    transform = SphericalTransform.gaussian(21, torch.float64)
    coefficient = random_coefficients(21, 2)
    laplacian = transform.divergence(transform.zonal_derivative(coefficient), transform.meridional_derivative(coefficient))
    degree = torch.arange(22, dtype=torch.float64)
    assert torch.allclose(laplacian, -(degree * (degree + 1))[:, None] * coefficient, rtol=0, atol=1e-9)


def test_too_few_longitudes_are_refused():
    with pytest.raises(ValueError, match="expected at least 43 longitudes for truncation 21, got 40"):
        SphericalTransform(21, np.zeros(3), 40)


@pytest.mark.parametrize(("order", "degree"), [(4, 5), (1, 3)])
def test_a_rossby_haurwitz_wave_moves_at_its_analytic_speed(order, degree):
    """psi = -a^2 w sin(latitude) + wave(m, n), alike at all levels, turns at w - 2 (w + Omega) / (n (n + 1)) and keeps its shape.

    Haurwitz (1940), J. Mar. Res. 3, 254. Ten days at T21.
    """
    model = QuasiGeostrophicModel(SphericalTransform.gaussian(21, torch.float64), FREE)
    turning = 7.848e-6 / 2  # s-1: 25 m/s at the equator
    psi = wave(21, order, degree, 5e7) + wave(21, 0, 1, -(RADIUS**2) * turning / np.sqrt(3))  # P(1, 0) = sqrt(3) s
    state = model.vorticity(psi)
    for _ in range(720):
        state = model.step(state)
    after = model.streamfunction(state)[order, :, degree, 0]
    eigen = degree * (degree + 1)
    speed = turning - 2 * (turning + ROTATION) / eigen  # radians of longitude a second
    expected = 5e7 * np.exp(-1j * order * speed * 720 * model.physics.dt)
    got = complex(after[0], after[1])
    assert abs(got - expected) < 0.002 * 5e7
    others = model.streamfunction(state).clone()
    others[order, :, degree] = 0
    others[0, :, 1] = 0
    assert others.abs().max() < 1e-6 * 5e7


def test_without_forcing_and_friction_energy_and_enstrophy_are_conserved():
    model = QuasiGeostrophicModel(SphericalTransform.gaussian(21, torch.float64), FREE)
    psi = random_coefficients(21, 6) * 1e6
    psi[:, :, 9:] = 0
    state = model.vorticity(psi)
    planetary = wave(21, 0, 1, 2 * ROTATION / np.sqrt(3), column=6)  # f; conserved is the enstrophy of q with f
    energy, enstrophy = model.energy(state), model.enstrophy(state + planetary)
    for _ in range(5 * 72):
        state = model.step(state)
    assert torch.allclose(model.energy(state), energy, rtol=1e-3)
    assert torch.allclose(model.enstrophy(state + planetary), enstrophy, rtol=1e-3)


def test_energy_and_enstrophy_are_bounded_over_100_days():
    """T21 with all forcing from weak noise: after the spin-up neither leaves a band of its own mean."""
    model = build(21, Physics(diffusion=2.0, dt=2400.0))
    state = simulate.beginning(model, seed=3, n_member=2)
    energy, enstrophy = [], []
    for day in range(140):
        for _ in range(36):
            state = model.step(state)
        if day >= 40:
            energy.append(model.energy(state))
            enstrophy.append(model.enstrophy(state))
    for series in (torch.stack(energy), torch.stack(enstrophy)):
        assert series.isfinite().all() and series.max() < 2 * series.mean() and series.min() > 0.4 * series.mean()
        late, early = series[50:].mean(dim=0), series[:50].mean(dim=0)
        assert ((late / early - 1).abs() < 0.4).all()


def test_members_are_independent():
    model = build(21, Physics(diffusion=2.0))
    both = simulate.beginning(model, seed=0, n_member=2)
    alone = both.view(*both.shape[:3], 3, 2)[..., 1].contiguous()
    for _ in range(5):
        both = model.step(both)
    model.forget()
    for _ in range(5):
        alone = model.step(alone)
    assert torch.allclose(both.view(*both.shape[:3], 3, 2)[..., 1], alone, rtol=1e-4, atol=1e-10)


def test_relaxation_pulls_a_planet_at_rest_towards_its_climate():
    """At rest, dq_1/dt = -climate_12 / (R_1^2 tau), and likewise at the levels below."""
    transform = SphericalTransform.gaussian(10, torch.float64)
    climate = torch.zeros(11, 2, 11, 2, dtype=torch.float64)
    climate[0, 0, 3] = torch.tensor([3e7, 2e7])  # zonal, so that there is no advection
    physics = Physics(friction=float("inf"), diffusion=float("inf"))
    model = QuasiGeostrophicModel(transform, physics, thickness=climate)
    state = torch.zeros(11, 2, 11, 3, dtype=torch.float64)
    change = model.tendency(state)[0, 0, 3]
    first, second = 1 / 7.0e5**2, 1 / 4.5e5**2
    rate = 1 / (20 * 86400)
    expected = torch.tensor([-first * 3e7, first * 3e7 - second * 2e7, second * 2e7], dtype=torch.float64) * rate
    assert torch.allclose(change, expected, rtol=1e-12)


def test_a_run_that_blows_up_is_refused():
    model = build(31, Physics(dt=86400.0 / 4))
    with pytest.raises(ValueError, match="expected finite vorticity, got NaN within 40 days; take a shorter time step"):
        simulate._run(model, 50 * simulate.beginning(model, 0, 1), 40, tqdm(disable=True))


def test_geopotential_balances_the_wind():
    """lap Phi = div(f grad psi), computed on the grid with the derivatives of the transform."""
    transform = SphericalTransform.gaussian(31, torch.float64)
    psi = random_coefficients(31, 1) * 1e6
    psi[:, :, 16:] = 0
    f = torch.tensor(2 * ROTATION * transform.sine)[:, None]
    right = transform.divergence(f * transform.zonal_derivative(psi), f * transform.meridional_derivative(psi))
    degree = torch.arange(32, dtype=torch.float64)
    left = -(degree * (degree + 1))[:, None] * balanced_geopotential(psi)
    assert torch.allclose(left, right, rtol=0, atol=1e-9 * float(right.abs().max()))


def test_wind_and_geopotential_of_a_known_flow():
    """Solid rotation: psi = -a^2 w s has u = a w cos(latitude), v = 0, Phi = a^2 w Omega cos(latitude)^2 + constant."""
    turning = 5e-6
    rows = to_rows(wave(31, 0, 1, -(RADIUS**2) * turning / np.sqrt(3))).reshape(1, 3, -1)
    fields = dict(zip(VARIABLES, decode(rows.float())[0].double(), strict=True))
    cosine = torch.tensor(np.cos(np.deg2rad(LATITUDE)))[:, None]
    assert torch.allclose(fields["u_component_of_wind_500"], (RADIUS * turning * cosine).expand(32, 64), atol=1e-3)
    assert fields["v_component_of_wind_500"].abs().max() < 1e-3
    phi = fields["geopotential_500"] - fields["geopotential_500"][0, 0]
    expected = RADIUS**2 * turning * ROTATION * (cosine**2 - cosine[0] ** 2)
    assert torch.allclose(phi, expected.expand(32, 64), atol=0.5)


def test_east_is_east_and_north_is_north():
    """A wave cos(2 longitude) of psi has v = d psi / d longitude / (a cos) > 0 where psi rises eastward."""
    rows = to_rows(wave(31, 2, 2, 1e7)).reshape(1, 3, -1)
    fields = dict(zip(VARIABLES, decode(rows.float())[0], strict=True))
    row = int(np.abs(LATITUDE - 47.8).argmin())
    assert LONGITUDE[fields["geopotential_500"][row].argmax()] in (0.0, 180.0)
    assert LONGITUDE[fields["v_component_of_wind_500"][row].argmax()] in (135.0, 315.0)
    assert fields["geopotential_500"][row, 0] > fields["geopotential_500"][31 - row, 0]  # f changes sign
