"""How far slices depart from calibration, and from the rest of the values, with p-values that count dependence.

Three tests: the logarithm of the spread-skill ratio (0 when calibrated), the bias in units of the RMSE (0) and the coverage of the central
90% of the PIT minus 90% (0). Each is a smooth function of sums over cases. Its influence values, (case,), add up to 0, and their sum varies
as the estimate does. Values of one case stay together, so that dependence between them counts by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from stochattn_core.metrics.dependence import dependence
from stochattn_core.slices.sums import COVERED, ERROR, ERROR_SQ, LEVEL, VARIANCE, N

TESTS = ("ratio", "bias", "coverage")
N_FIELD = 5  # of FIELDS: those that the tests need
LEAST_CASES = 30  # of a slice that is searched
LEAST_INDEPENDENT = 20  # of a slice that may be reported
ALWAYS = 0.05  # a slice with a larger p-value under independence is not reported, whatever the dependence


class Departures(NamedTuple):
    """Of each slice, all (test, slice): here is the estimate of the slice, rest that of all other values.

    error: standard error of here.   p: that the slice departs from calibration and, in the same direction, from the rest; the larger of
    two p-values. 1 where too few cases are independent.   n_effective: the independent cases.   n_case: (slice,), the cases, with less
    weight for those with few values.
    """

    here: np.ndarray
    rest: np.ndarray
    error: np.ndarray
    p: np.ndarray
    n_effective: np.ndarray
    n_case: np.ndarray

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the t interval of `here`, (test, slice) each."""
        reach = stats.t.ppf((1 + level) / 2, np.maximum(self.n_effective - 1, 1)) * self.error
        return self.here - reach, self.here + reach

    @property
    def z(self) -> np.ndarray:
        """The evidence as a standard normal deviate with the sign of the departure, (test, slice)."""
        return np.sign(self.here) * stats.norm.isf(np.maximum(self.p, 1e-300) / 2)


def estimates(total: np.ndarray) -> np.ndarray:
    """Return the three estimates from sums over cases: (..., field) to (test, ...); NaN without values, without spread or without error."""
    n, error, error_sq, variance, covered = (total[..., field] for field in (N, ERROR, ERROR_SQ, VARIANCE, COVERED))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 0.5 * (np.log(variance) - np.log(error_sq))
        ratio = np.where(np.isfinite(ratio), ratio, np.nan)
        return np.stack([ratio, error / np.sqrt(n * error_sq), covered / n - LEVEL])


def influence(sums: np.ndarray) -> np.ndarray:
    """Return the influence of each case on each estimate: (slice, case, field) to (test, slice, case). Each row adds up to 0."""
    total = sums.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(sums / total)  # of n, error (not used), error_sq, variance, covered
        here = estimates(total)
        ratio = 0.5 * (share[..., VARIANCE] - share[..., ERROR_SQ])
        scale = np.sqrt(total[..., N] * total[..., ERROR_SQ])
        bias = np.nan_to_num(sums[..., ERROR] / scale) - 0.5 * here[1] * (share[..., N] + share[..., ERROR_SQ])
        coverage = (sums[..., COVERED] - total[..., COVERED] / total[..., N] * sums[..., N]) / total[..., N]
    return np.nan_to_num(np.stack([ratio, bias, coverage]))


def departures(sums: np.ndarray, whole: np.ndarray) -> Departures:
    """Return the departures of slices. sums: (slice, case, field).   whole: (case, field), of all values, those of the slices included.

    The variance of an estimate is that of its influence values, but not less than that of a perfect ensemble of Gaussian errors: a sample
    without a large error has a small RMSE and hides its own variance. Within-case dependence of the whole widens this bound.
    """
    sums, whole = sums[..., :N_FIELD], whole[..., :N_FIELD]
    remainder = whole - sums
    here, rest = estimates(sums.sum(1)), estimates(remainder.sum(1))
    own, other = influence(sums), influence(remainder)
    n = sums[..., N]
    with np.errstate(divide="ignore", invalid="ignore"):
        n_case = np.nan_to_num(n.sum(1) ** 2 / np.square(n).sum(1))
        widening = _within_case(whole)
        bounds = [_gaussian_bound(each[..., N], widening) for each in (sums, remainder)]
        independent = [np.square(values).sum(2) for values in (own, own - other)]
        variances = [np.maximum(independent[0], bounds[0]), np.maximum(independent[1], bounds[0] + bounds[1])]
        t = [here / np.sqrt(variances[0]), (here - rest) / np.sqrt(variances[1])]
    p = np.maximum(*(_p_value(each, np.broadcast_to(n_case, each.shape)) for each in t))
    p = np.where((np.sign(t[0]) == np.sign(t[1])) & (n_case >= LEAST_CASES), p, 1.0)
    possible = p <= ALWAYS
    n_effective = np.broadcast_to(n_case, here.shape).copy()
    error = np.sqrt(variances[0])
    if possible.any():
        factors = [_dependence_factor(values[possible]) for values in (own, own - other)]
        n_effective[possible] = np.broadcast_to(n_case, here.shape)[possible] / np.maximum(*factors)
        error[possible] *= np.sqrt(factors[0])
        again = [
            _p_value(each[possible] / np.sqrt(factor), np.broadcast_to(n_case, each.shape)[possible] / factor)
            for each, factor in zip(t, factors, strict=True)
        ]
        p[possible] = np.where(n_effective[possible] >= LEAST_INDEPENDENT, np.maximum(*again), 1.0)
    return Departures(here, rest, error, p, n_effective, n_case)


def _p_value(t: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the two-sided p-value of t with n - 1 degrees of freedom; 1 where t is not known."""
    return np.where(np.isfinite(t), 2 * stats.t.sf(np.abs(np.nan_to_num(t)), np.maximum(n - 1, 1)), 1.0)


def _within_case(whole: np.ndarray) -> np.ndarray:
    """Return by how much dependence within the cases widens the variance of each estimate of the whole, (test,), at least 1."""
    independent = _gaussian_variance(whole[:, N].sum())
    return np.maximum(np.square(influence(whole[None])[:, 0]).sum(1) / independent, 1.0)


def _gaussian_variance(n: np.ndarray) -> np.ndarray:
    """Return the variances of the estimates from n independent values of a perfect ensemble with Gaussian errors and many members: (test, ...).

    Var log(sum e^2) is 2 / n, and the logarithm of the ratio is half of it. A bias has 1 / n, a coverage p (1 - p) / n.
    """
    with np.errstate(divide="ignore"):
        return np.stack([0.5 / n, 1.0 / n, LEVEL * (1 - LEVEL) / n])


def _gaussian_bound(n: np.ndarray, widening: np.ndarray) -> np.ndarray:
    """Return the least variance of the estimates, (test, slice). n: (slice, case), numbers of values.

    The values of a case widen it at most as much as if all of them were the same.
    """
    total = n.sum(1)
    most = np.maximum(np.square(n).sum(1) / total, 1.0)
    return _gaussian_variance(total) * np.minimum(widening[:, None], most)


def _dependence_factor(values: np.ndarray) -> np.ndarray:
    """Return by how much dependence in time widens the variance of a sum, at least 1. values: (estimate, case), influence values."""
    return np.maximum(len(values[0]) / dependence(values.T).n_effective, 1.0)
