"""From three streamfunctions to the variables of a weather file, on the 32 x 64 grid of WeatherBench (5.625 degrees).

u = -(1/a) d psi / d latitude and v = 1 / (a cos latitude) d psi / d longitude at 200, 500 and 800 hPa. Geopotential satisfies the
linear balance equation lap Phi = div(f grad psi): it is about f psi where f varies slowly, and nearly flat at the equator. Its mean is
that of the standard atmosphere. Temperature is the mean of a layer, computed from its thickness,
T = (Phi_upper - Phi_lower) / (R_d ln(p_lower / p_upper)), and named by the pressure in the middle of the layer: 350 hPa for the layer
from 200 to 500 hPa, 650 hPa for the layer from 500 to 800 hPa.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.datasets.quasi_geostrophic.archive import TRUNCATION, from_rows
from stochattn_core.datasets.quasi_geostrophic.model import LEVELS, RADIUS, ROTATION
from stochattn_core.datasets.quasi_geostrophic.spectral import SphericalTransform

LATITUDE = np.arange(32) * 5.625 - 87.1875  # degrees, south to north
LONGITUDE = np.arange(64) * 5.625
GAS_CONSTANT = 287.05  # J kg-1 K-1, dry air
MEAN_GEOPOTENTIAL = tuple(STANDARD_GRAVITY * height for height in (11784.0, 5574.0, 1949.0))  # US standard atmosphere (1976)
LAYERS = {350: (0, 1), 650: (1, 2)}  # hPa in the middle: upper and lower level
VARIABLES = (
    *(f"geopotential_{level}" for level in LEVELS),
    *(f"u_component_of_wind_{level}" for level in LEVELS),
    *(f"v_component_of_wind_{level}" for level in LEVELS),
    *(f"temperature_{pressure}" for pressure in LAYERS),
)
UNITS = {name: {"g": "m2 s-2", "u": "m s-1", "v": "m s-1", "t": "K"}[name[0]] for name in VARIABLES}


@cache
def _grid() -> SphericalTransform:
    return SphericalTransform(TRUNCATION, np.sin(np.deg2rad(LATITUDE)), len(LONGITUDE))


def decode(streamfunction: np.ndarray | torch.Tensor, variables: tuple[str, ...] = VARIABLES, *, at_once: int = 128) -> torch.Tensor:
    """Compute variables from streamfunctions (time, level, coefficient) in m2 s-1.

    Returns (time, variable, latitude, longitude) float32 in the units of UNITS. at_once: times that are computed together.
    """
    unknown = set(variables) - set(VARIABLES)
    if unknown:
        raise ValueError(f"expected variables among {', '.join(VARIABLES)}, got {', '.join(sorted(unknown))}; leave these out")
    psi = torch.as_tensor(streamfunction, dtype=torch.float32)
    out = torch.empty(len(psi), len(variables), len(LATITUDE), len(LONGITUDE))
    for start in range(0, len(psi), at_once):
        batch = psi[start : start + at_once]
        fields = _fields(from_rows(batch.reshape(-1, batch.shape[-1])), {name[0] for name in variables})
        for i, name in enumerate(variables):
            out[start : start + at_once, i] = _of_variable(name, fields).permute(2, 1, 0)
    return out


def balanced_geopotential(streamfunction: torch.Tensor) -> torch.Tensor:
    """Return Phi without its mean, m2 s-2, from psi, both (m, part, n, column); degree 32 of the product is left out.

    Phi(n) = 2 Omega ((n - 1) / n e(n) psi(n - 1) + (n + 2) / (n + 1) e(n + 1) psi(n + 1)), e(n)^2 = (n^2 - m^2) / (4 n^2 - 1).
    """
    size = streamfunction.shape[0]
    m, n = np.arange(size)[:, None], np.arange(size + 1)[None]
    e = np.sqrt(np.maximum(n**2 - m**2, 0) / (4.0 * n**2 - 1))
    below, above = np.zeros((2, size, size))
    degree = n[:, 1:-1]
    below[:, 1:] = 2 * ROTATION * (degree - 1) / degree * e[:, 1:-1]
    above[:, :-1] = 2 * ROTATION * (n[:, : size - 1] + 2) / (n[:, : size - 1] + 1) * e[:, 1:size]
    above[:, 0] = 0
    from_below, from_above = (torch.tensor(factor, dtype=streamfunction.dtype)[:, None, :, None] for factor in (below, above))
    phi = torch.zeros_like(streamfunction)
    phi[:, :, 1:] = from_below[:, :, 1:] * streamfunction[:, :, :-1]
    phi[:, :, :-1] += from_above[:, :, :-1] * streamfunction[:, :, 1:]
    return phi


def _fields(coefficient: torch.Tensor, kinds: set[str]) -> dict[str, torch.Tensor]:
    """Return geopotential ("g"), u and v, those that the kinds need: (longitude, latitude, time, level)."""
    grid, shape = _grid(), (len(LONGITUDE), len(LATITUDE), -1, len(LEVELS))
    cosine = torch.tensor(np.cos(np.deg2rad(LATITUDE)), dtype=torch.float32)[None, :, None]
    fields = {}
    if kinds & {"g", "t"}:
        mean = torch.tensor(MEAN_GEOPOTENTIAL, dtype=torch.float32)
        fields["g"] = grid.synthesis(balanced_geopotential(coefficient)).view(shape) + mean
    if "u" in kinds:
        fields["u"] = (grid.meridional_derivative(coefficient) / (-RADIUS * cosine)).view(shape)
    if "v" in kinds:
        fields["v"] = (grid.zonal_derivative(coefficient) / (RADIUS * cosine)).view(shape)
    return fields


def _of_variable(name: str, fields: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return one variable: (longitude, latitude, time)."""
    number = int(name.rsplit("_", 1)[1])
    if name[0] == "t":
        upper, lower = LAYERS[number]
        return (fields["g"][..., upper] - fields["g"][..., lower]) / (GAS_CONSTANT * np.log(LEVELS[lower] / LEVELS[upper]))
    return fields[name[0]][..., LEVELS.index(number)]
