"""Spherical harmonics: from coefficients to fields on latitude circles and back, by two matrix products each way.

A real field is f(longitude, latitude) = sum over |m| <= N, n from |m| to N of f(m, n) P(m, n; sin latitude) exp(i m longitude), with
P normalised so that the mean of |P exp(i m longitude)|^2 over the sphere is 1: f(0, 0) is the mean of f. Coefficients are stored as reals,
(order m, part, degree n, column) with part 0 the real and part 1 the imaginary half and m >= 0 only; columns are levels, members
or times. Fields are (longitude, latitude, column). At T42 the matrix products are faster than a fast Fourier transform with its copies.
"""

from __future__ import annotations

import math

import numpy as np
import torch


class SphericalTransform:
    """Triangular truncation N on the given latitudes and evenly spaced longitudes that start at 0.

    sine: (latitude,) sine of each latitude.   weight: (latitude,) quadrature weights with sum 2; without them there is
    no analysis. At least (3 N + 1) / 2 Gauss latitudes and 3 N + 1 longitudes represent products of two fields without aliasing.
    """

    def __init__(
        self, truncation: int, sine: np.ndarray, n_longitude: int, weight: np.ndarray | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        if n_longitude < 2 * truncation + 1:
            raise ValueError(f"expected at least {2 * truncation + 1} longitudes for truncation {truncation}, got {n_longitude}; take more")
        self.truncation, self.n_longitude, self.dtype = truncation, n_longitude, dtype
        self.sine = np.asarray(sine, dtype=np.float64)
        values, slope = legendre(truncation, self.sine)  # (m, n, latitude)
        order = np.arange(truncation + 1)
        angle = 2 * np.pi * np.outer(np.arange(n_longitude), order) / n_longitude
        twice = np.where(order == 0, 1.0, 2.0)  # m and -m together
        wave = np.stack([twice * np.cos(angle), -twice * np.sin(angle)], axis=-1)  # (longitude, m, part)
        turned = order[None, :, None] * np.stack([-twice * np.sin(angle), -twice * np.cos(angle)], axis=-1)  # d/d longitude
        self._wave, self._turned = (self._tensor(x.reshape(n_longitude, -1)) for x in (wave, turned))
        self._up, self._up_slope = (self._tensor(np.repeat(x.transpose(0, 2, 1), 2, axis=0)) for x in (values, slope))  # (m part, lat, n)
        if weight is not None:
            back = np.stack([np.cos(angle), -np.sin(angle)], axis=-1).reshape(n_longitude, -1).T / n_longitude
            # d/d longitude before the analysis is i m after it: (real, imaginary) -> m (-imaginary, real).
            back_turned = (np.stack([np.sin(angle), np.cos(angle)], axis=-1) * order[None, :, None]).reshape(
                n_longitude, -1
            ).T / n_longitude
            self._back, self._back_turned = self._tensor(back), self._tensor(back_turned)
            cosine2 = 1 - self.sine**2
            self._down = self._tensor(np.repeat(values * weight / 2, 2, axis=0))  # (m part, n, latitude)
            self._down_inside = self._tensor(np.repeat(values * (weight / cosine2 / 2), 2, axis=0))
            self._down_slope = self._tensor(np.repeat(slope * (weight / cosine2 / 2), 2, axis=0))
        self.weight = weight

    @classmethod
    def gaussian(cls, truncation: int, dtype: torch.dtype = torch.float32) -> SphericalTransform:
        """Return the transform on the smallest Gauss grid without aliasing of quadratic products, latitudes from south to north."""
        n_latitude = 2 * math.ceil((3 * truncation + 1) / 4)
        sine, weight = np.polynomial.legendre.leggauss(n_latitude)
        return cls(truncation, sine, 2 * n_latitude, weight, dtype)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.ascontiguousarray(values), dtype=self.dtype)

    def synthesis(self, coefficient: torch.Tensor) -> torch.Tensor:
        """Return the field (longitude, latitude, column) of coefficients (m, part, n, column)."""
        return self._circles(self._wave, self._up, coefficient)

    def zonal_derivative(self, coefficient: torch.Tensor) -> torch.Tensor:
        """Return d f / d longitude on the grid."""
        return self._circles(self._turned, self._up, coefficient)

    def meridional_derivative(self, coefficient: torch.Tensor) -> torch.Tensor:
        """Return cos(latitude) d f / d latitude on the grid."""
        return self._circles(self._wave, self._up_slope, coefficient)

    def analysis(self, field: torch.Tensor) -> torch.Tensor:
        """Return the coefficients (m, part, n, column) of a field (longitude, latitude, column), exact within the truncation."""
        return self._coefficients(self._back, self._down, field)

    def divergence(self, east: torch.Tensor, north: torch.Tensor) -> torch.Tensor:
        """Return the coefficients of the divergence, on a unit sphere, of a vector with these components TIMES cos(latitude).

        (1 - s^2)^-1 d east / d longitude + d north / d s with s = sin(latitude); the second is integrated by parts.
        """
        return self._coefficients(self._back_turned, self._down_inside, east) - self._coefficients(self._back, self._down_slope, north)

    def _circles(self, wave: torch.Tensor, up: torch.Tensor, coefficient: torch.Tensor) -> torch.Tensor:
        m, part, n, column = coefficient.shape
        waves = torch.bmm(up, coefficient.reshape(m * part, n, column))  # (m part, latitude, column)
        return (wave @ waves.reshape(m * part, -1)).reshape(self.n_longitude, len(self.sine), column)

    def _coefficients(self, back: torch.Tensor, down: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
        n_order, column = self.truncation + 1, field.shape[-1]
        waves = (back @ field.reshape(self.n_longitude, -1)).reshape(2 * n_order, len(self.sine), column)
        return torch.bmm(down, waves).reshape(n_order, 2, n_order, column)


def legendre(truncation: int, sine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return P(m, n) and (1 - s^2) dP/ds at s = sine, each (m, n, latitude) float64, 0 where n < m; half the integral of P^2 is 1.

    P(n) = (s P(n-1) - e(n-1) P(n-2)) / e(n) and (1 - s^2) dP(n)/ds = (n+1) e(n) P(n-1) - n e(n+1) P(n+1) with
    e(n)^2 = (n^2 - m^2) / (4 n^2 - 1).
    """
    size = truncation + 2  # one degree more for the slope
    values = np.zeros((truncation + 1, size, len(sine)))
    slope = np.zeros_like(values)
    diagonal = np.ones_like(sine)
    for m in range(truncation + 1):
        if m:
            diagonal = diagonal * np.sqrt((2 * m + 1) / (2 * m) * (1 - sine**2))
        degree = np.arange(size + 1)
        e = np.sqrt(np.maximum(degree**2 - m**2, 0) / (4.0 * degree**2 - 1))
        values[m, m] = diagonal
        for n in range(m + 1, size):
            values[m, n] = (sine * values[m, n - 1] - (e[n - 1] * values[m, n - 2] if n > m + 1 else 0)) / e[n]
        for n in range(m, truncation + 1):
            slope[m, n] = (n + 1) * e[n] * (values[m, n - 1] if n > m else 0) - n * e[n + 1] * values[m, n + 1]
    return values[:, :-1], slope[:, :-1]
