"""The forcing of the simulated atmosphere: jets, land that is colder or warmer than the sea, hills and rough ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from stochattn_core.datasets.geography import land_sea_mask, orography
from stochattn_core.datasets.quasi_geostrophic.model import RADIUS, Physics, QuasiGeostrophicModel, gauss_latitude
from stochattn_core.datasets.quasi_geostrophic.spectral import SphericalTransform


@dataclass(frozen=True)
class Jet:
    """A jet whose wind shear is Gaussian in latitude: latitude and width in degrees.

    speed: difference in wind (m s-1) between 200 and 500 hPa, and between 500 and 800 hPa.
    """

    latitude: float
    width: float
    speed: tuple[float, float]


@dataclass(frozen=True)
class Climate:
    """A perpetual northern winter: no season, no day.

    land_amplitude (m2 s-1) lowers the thickness over northern land and raises it over the sea, as in winter; half of it with the
    opposite sign acts in the southern hemisphere, as in summer.
    """

    jets: tuple[Jet, ...] = (Jet(32.0, 15.0, (34.0, 23.5)), Jet(-36.0, 15.0, (28.0, 19.0)))
    land_amplitude: float = 1.5e7
    rough_land: float = 0.5
    rough_hills: float = 0.5


def build(
    truncation: int = 42, physics: Physics | None = None, climate: Climate | None = None, dtype: torch.dtype = torch.float32
) -> QuasiGeostrophicModel:
    """Return the model over real coastlines and invented mountains."""
    climate = climate or Climate()
    transform = SphericalTransform.gaussian(truncation, dtype)
    latitude = gauss_latitude(transform)
    longitude = np.arange(transform.n_longitude) * 360 / transform.n_longitude
    land = _smooth(transform, land_sea_mask(latitude, longitude).T)
    height = _smooth(transform, orography(latitude, longitude).T)
    factor = 1 + climate.rough_land * land.clamp(0, 1) + climate.rough_hills * (1 - torch.exp(-height.clamp(min=0) / 1000))
    return QuasiGeostrophicModel(
        transform, physics, height=height, friction_factor=factor, thickness=thickness(transform, climate, land, latitude)
    )


def thickness(transform: SphericalTransform, climate: Climate, land: torch.Tensor, latitude: np.ndarray) -> torch.Tensor:
    """Return the climate of psi_1 - psi_2 and psi_2 - psi_3, in m2 s-1: (m, part, n, 2)."""
    phi = np.linspace(-90, 90, 3601)
    fields = []
    for layer in range(2):
        wind = sum(jet.speed[layer] * np.exp(-(((phi - jet.latitude) / jet.width) ** 2)) for jet in climate.jets)
        # u = -(1 / a) d psi / d latitude
        psi = -RADIUS * np.cumsum(wind) * np.deg2rad(phi[1] - phi[0])
        fields.append(np.interp(latitude, phi, psi))
    zonal = torch.tensor(np.stack(fields, axis=-1), dtype=transform.dtype).expand(transform.n_longitude, -1, 2)
    contrast = land - land.mean(dim=0, keepdim=True)
    # Winter in the north, summer in the south, strongest at 50 degrees; warm air is a high thickness, and psi has the sign of latitude.
    window = np.exp(-(((latitude - 50) / 20) ** 2)) + 0.5 * np.exp(-(((latitude + 45) / 20) ** 2))
    asymmetry = -climate.land_amplitude * contrast * torch.tensor(window, dtype=transform.dtype)
    coefficient = transform.analysis(zonal + asymmetry[..., None] * torch.tensor([1.0, 0.7], dtype=transform.dtype))
    coefficient[:, :, 0] = 0
    return coefficient


def _smooth(transform: SphericalTransform, field: np.ndarray) -> torch.Tensor:
    """Return the field (longitude, latitude) within the truncation; short waves are damped so that coasts and hills hardly ring."""
    degree = torch.arange(transform.truncation + 1, dtype=transform.dtype)
    damping = torch.exp(-2 * (degree / transform.truncation) ** 4)
    coefficient = transform.analysis(torch.tensor(field, dtype=transform.dtype)[..., None])
    return transform.synthesis(coefficient * damping[:, None])[..., 0]
