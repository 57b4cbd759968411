"""The minimum of a curve over the concentration, between the points of a grid."""

from __future__ import annotations

import numpy as np

from stochattn_core.draw import LARGEST


def minimum(concentration: np.ndarray, cost: np.ndarray, *, is_bounded: bool = True) -> np.ndarray:
    """The concentration at the vertex of the parabola through the lowest point and its neighbours.

    In x = nu ** -0.5, in which a spread is a straight line, the squared difference of spread and error is a parabola: the minimum of that
    objective is exact, and that of another smooth objective is accurate to third order in the spacing.

    concentration: (point,) ascending, at least 3.   cost: (..., point); inf is out of bounds.
    Returns (...) within the range of the points. The minimum of a curve that falls up to the last point is that point; the minimum of a curve
    that does not bend upwards at its lowest point is that point. NaN where no cost is a number.
    is_bounded: if False, the vertex may lie beyond the points, up to LARGEST: where the optimum would be if the range went on.

    >>> nu = np.array([1.0, 4.0, 16.0, 64.0])
    >>> minimum(nu, (nu**-0.5 - 0.3) ** 2)  # 0.3 ** -2
    array(11.11111111)
    """
    nu = np.asarray(concentration, dtype=np.float64)
    x = nu**-0.5
    cost = np.where(np.isnan(cost), np.inf, np.asarray(cost, dtype=np.float64))
    lowest = cost.argmin(-1)
    middle = np.clip(lowest, 1, len(x) - 2)
    left, centre, right = (np.take_along_axis(cost, (middle + k)[..., None], -1)[..., 0] for k in (-1, 0, 1))
    a, b, c = x[middle - 1], x[middle], x[middle + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope_left, slope_right = (centre - left) / (b - a), (right - centre) / (c - b)
        curvature = (slope_right - slope_left) / (c - a)
        vertex = (a + b) / 2 - slope_left / (2 * curvature)
        if not is_bounded:
            beyond = np.maximum(vertex, LARGEST**-0.5) ** -2.0
            return np.where(np.isfinite(cost).any(-1), np.where(np.isfinite(vertex) & (curvature > 0), beyond, nu[lowest]), np.nan)
        # Beyond an end the result is that end to the bit, not a number that rounds to it.
        within = np.where(vertex <= x[-1], nu[-1], np.where(vertex >= x[0], nu[0], vertex**-2.0))
    lowest_point = np.where(np.isfinite(vertex) & (curvature > 0), within, nu[lowest])
    return np.where(np.isfinite(cost).any(-1), lowest_point, np.nan)
