"""The three-level quasi-geostrophic model on the sphere of Marshall and Molteni (1993), J. Atmos. Sci. 50, 1792.

Levels 1, 2, 3 are 200, 500, 800 hPa. The flow of each level advects its potential vorticity,

    dq_i/dt = -J(psi_i, q_i) - D_i,      q_1 = lap psi_1 - (psi_1 - psi_2) / R_1^2 + f
                                         q_2 = lap psi_2 + (psi_1 - psi_2) / R_1^2 - (psi_2 - psi_3) / R_2^2 + f
                                         q_3 = lap psi_3 + (psi_2 - psi_3) / R_2^2 + f (1 + h / H_0)

where D stands for the relaxation of the thicknesses psi_1 - psi_2 and psi_2 - psi_3 towards a climate, for friction div(k grad psi_3) at
the lowest level, stronger over land and hills, and for a del^8 diffusion of the flowing part of q, which is q without f and hills. This
flowing part is the state of the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from stochattn_core.datasets.quasi_geostrophic.spectral import SphericalTransform

RADIUS = 6.371e6  # m
ROTATION = 7.292e-5  # s-1
DAY = 86400.0
LEVELS = (200, 500, 800)  # hPa
SCALE_HEIGHT = 9000.0  # m, H_0


@dataclass(frozen=True)
class Physics:
    """Rossby radii in m (200-500 and 500-800 hPa); time scales in days; dt in s. An infinite time scale switches its term off."""

    rossby_radius: tuple[float, float] = (7.0e5, 4.5e5)
    relaxation: float = 20.0
    friction: float = 3.0
    diffusion: float = 0.1  # time scale of the shortest wave
    dt: float = 1200.0


class QuasiGeostrophicModel:
    """The equations above for any number of members at once, which costs little more than a single member.

    height: (longitude, latitude) on the Gauss grid, in m.   friction_factor: likewise, 1 over smooth sea.   thickness: the
    climate of psi_1 - psi_2 and psi_2 - psi_3 in m2 s-1, (m, part, n, 2). None stands for flat ground, smooth ground and a climate at rest.
    A state, and a streamfunction, is (m, part, n, level * member) with the level before the member.
    """

    def __init__(
        self,
        transform: SphericalTransform,
        physics: Physics | None = None,
        *,
        height: torch.Tensor | None = None,
        friction_factor: torch.Tensor | None = None,
        thickness: torch.Tensor | None = None,
    ) -> None:
        self.transform, self.physics = transform, physics or Physics()
        dtype, size = transform.dtype, transform.truncation + 1
        shape = (transform.n_longitude, len(transform.sine))
        degree = torch.arange(size, dtype=torch.float64)
        laplacian = -degree * (degree + 1) / RADIUS**2
        first, second = (1 / radius**2 for radius in self.physics.rossby_radius)
        stretching = torch.tensor([[-first, first, 0], [first, -first - second, second], [0, second, -second]], dtype=torch.float64)
        to_vorticity = laplacian[:, None, None] * torch.eye(3, dtype=torch.float64) + stretching
        to_streamfunction = torch.linalg.inv(to_vorticity + (degree == 0)[:, None, None] * torch.eye(3, dtype=torch.float64))
        to_streamfunction[0] = 0  # the mean of a streamfunction has no meaning
        self._to_vorticity, self._to_streamfunction = to_vorticity.to(dtype), to_streamfunction.to(dtype)

        # The linear terms of dq/dt are (relaxation + diffusion) psi; relaxation pulls psi towards the climate.
        relax = -stretching / (self.physics.relaxation * DAY)
        shortest = (degree * (degree + 1) / (size * (size - 1.0))) ** 4 / (self.physics.diffusion * DAY)
        self._linear = (relax - shortest[:, None, None] * to_vorticity).to(dtype)
        self._forcing: torch.Tensor | float = 0.0
        if thickness is not None:
            # relax @ psi needs only differences, so the climate of psi_3 may be 0.
            climate = torch.stack([thickness[..., 0] + thickness[..., 1], thickness[..., 1], torch.zeros_like(thickness[..., 0])], dim=-1)
            self._forcing = -torch.einsum("ij,mpnj->mpni", relax, climate.double()).to(dtype)[..., None]

        coriolis = torch.as_tensor(2 * ROTATION * transform.sine, dtype=dtype).expand(shape)
        hills = torch.zeros(shape, dtype=dtype) if height is None else height.to(dtype) / SCALE_HEIGHT
        self._planetary = torch.stack([coriolis, coriolis, coriolis * (1 + hills)], dim=-1)[..., None]  # (lon, lat, level, 1)
        factor = torch.ones(shape, dtype=dtype) if friction_factor is None else friction_factor.to(dtype)
        self._friction = factor[..., None] / (self.physics.friction * DAY)
        self.past: list[torch.Tensor] = []

    def vorticity(self, streamfunction: torch.Tensor) -> torch.Tensor:
        """Return the flowing part of q (s-1) from psi (m2 s-1)."""
        return _per_degree(self._to_vorticity, streamfunction)

    def streamfunction(self, vorticity: torch.Tensor) -> torch.Tensor:
        """Return psi (m2 s-1) from the flowing part of q (s-1)."""
        return _per_degree(self._to_streamfunction, vorticity)

    def tendency(self, vorticity: torch.Tensor) -> torch.Tensor:
        """Return dq/dt in s-2."""
        transform, column = self.transform, vorticity.shape[-1]
        psi = self.streamfunction(vorticity)
        east = transform.meridional_derivative(psi) * (-1 / RADIUS)  # u cos(latitude), m s-1
        north = transform.zonal_derivative(psi) * (1 / RADIUS)  # v cos(latitude)
        total = transform.synthesis(vorticity)
        levels = total.view(*total.shape[:2], 3, -1)
        levels += self._planetary
        flux_east, flux_north = east * total, north * total
        # Friction is a flux too: k grad psi = k (v, -u), down the gradient of psi.
        lowest = slice(2 * column // 3, column)
        flux_east[..., lowest] += self._friction * north[..., lowest]
        flux_north[..., lowest] -= self._friction * east[..., lowest]
        change = transform.divergence(flux_east, flux_north) * (-1 / RADIUS)
        change += _per_degree(self._linear, psi)
        change = change.view(*change.shape[:3], 3, -1) + self._forcing
        change[:, :, 0] = 0
        return change.reshape(vorticity.shape)

    def step(self, vorticity: torch.Tensor) -> torch.Tensor:
        """Return the vorticity one third-order Adams-Bashforth step later; the first two steps after `forget` have order 1 and 2."""
        self.past = [self.tendency(vorticity), *self.past[:2]]
        weights = {1: (1.0,), 2: (1.5, -0.5), 3: (23 / 12, -16 / 12, 5 / 12)}[len(self.past)]
        return vorticity + self.physics.dt * sum(weight * past for weight, past in zip(weights, self.past, strict=True))

    def forget(self) -> None:
        """Start a new trajectory: the next step uses no earlier tendency."""
        self.past = []

    def energy(self, vorticity: torch.Tensor) -> torch.Tensor:
        """Return the mean kinetic plus available potential energy of the three levels, -sum psi q / 2 in m2 s-2: (member,)."""
        return -_mean_product(self.streamfunction(vorticity), vorticity) / 2

    def enstrophy(self, vorticity: torch.Tensor) -> torch.Tensor:
        """Return the mean potential enstrophy of the flowing part, sum q^2 / 2 in s-2: (member,)."""
        return _mean_product(vorticity, vorticity) / 2


def _per_degree(matrix: torch.Tensor, coefficient: torch.Tensor) -> torch.Tensor:
    """Apply the matrix (n, level, level) to the coefficient (m, part, n, level * member), degree by degree."""
    m, part, n, column = coefficient.shape
    return torch.matmul(matrix, coefficient.view(m, part, n, 3, column // 3)).view(m, part, n, column)


def _mean_product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the mean over the sphere of the product of two fields, summed over levels. Orders above 0 count twice, for m and -m."""
    product = (first.double() * second.double()).view(*first.shape[:3], 3, -1).sum(dim=(1, 2, 3))
    return product[0] + 2 * product[1:].sum(dim=0)


def gauss_latitude(transform: SphericalTransform) -> np.ndarray:
    """Return the latitudes of the transform in degrees."""
    return np.rad2deg(np.arcsin(transform.sine))
