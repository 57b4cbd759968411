"""How far slices depart from calibration, and from the rest of the values, with p-values that count dependence.

Three tests: the logarithm of the spread-skill ratio (0 when calibrated), the bias in units of the RMSE (0) and the coverage of the central
90% of the PIT minus 90% (0). Each is a smooth function of sums over cases. Its influence values, (case,), add up to 0, and their sum varies
as the estimate does. Values of one case stay together, so that dependence between them counts by itself.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from stochattn_core.metrics.dependence import dependence
from stochattn_core.metrics.scores import rules
from stochattn_core.slices.sums import COVERED, ERROR, ERROR_SQ, LEVEL, VARIANCE, N

TESTS = ("ratio", "bias", "coverage")
N_FIELD = 5  # of FIELDS: those that the tests need
_RULES = [rules(10**6)[key] for key in ("spread_skill_ratio", "bias", "coverage_90")]  # of many members
LIMITS = np.array([[log(_RULES[0].low), log(_RULES[0].high)], *([rule.low - rule.ideal, rule.high - rule.ideal] for rule in _RULES[1:])])
LEAST_CASES = 30  # of a slice that is searched
LEAST_INDEPENDENT = 30  # of a slice that may be reported
LEAST_FOR_RANGE = 8  # independent cases behind a range that is shown
ALWAYS = 0.05  # a slice with a larger p-value under independence is not reported, whatever the dependence


class Departures(NamedTuple):
    """Of each slice, all (test, slice): here is the estimate of the slice, rest that of all other values.

    error: standard error of here.   p: that the slice departs from calibration and, in the same direction, from the rest; the larger of
    two p-values. 1 inside the limits of the rules of SCORES, and where too few cases are independent.   n_effective: the independent cases.
    n_case: (slice,), the cases, with less weight for those with few values.
    """

    here: np.ndarray
    rest: np.ndarray
    error: np.ndarray
    p: np.ndarray
    n_effective: np.ndarray
    n_case: np.ndarray

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the t interval of `here`, (test, slice) each; NaN where fewer than LEAST_FOR_RANGE cases are independent."""
        known = self.n_effective >= LEAST_FOR_RANGE
        reach = np.where(known, stats.t.ppf((1 + level) / 2, np.maximum(self.n_effective - 1, 1)) * self.error, np.nan)
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
        alike = _correlation_within_cases(whole)
        bounds = [_gaussian_bound(each[..., N], alike) for each in (sums, remainder)]
        independent = [np.square(values).sum(2) for values in (own, own - other)]
        bounds = [
            np.maximum(bound, _shared(values, each[..., N].sum(1)))
            for bound, values, each in zip(bounds, (own, other), (sums, remainder), strict=True)
        ]
        variances = [np.maximum(independent[0], bounds[0]), np.maximum(independent[1], bounds[0] + bounds[1])]
        t = [here / np.sqrt(variances[0]), (here - rest) / np.sqrt(variances[1])]
    p = np.maximum(*(_p_value(each, np.broadcast_to(n_case, each.shape)) for each in t))
    is_large = (here < LIMITS[:, :1]) | (here > LIMITS[:, 1:])
    p = np.where(is_large & (np.sign(t[0]) == np.sign(t[1])) & (n_case >= LEAST_CASES), p, 1.0)
    n_effective = np.broadcast_to(n_case, here.shape).copy()
    error = np.sqrt(variances[0])
    possible = np.flatnonzero((p <= ALWAYS).any(0))  # the dependence of the others need not be known
    if len(possible):
        least = _widened_as_whole(n[possible], _widened(influence(whole[None])[:, 0]), alike)
        widening = [np.maximum(_widened(values[:, possible]), least) for values in (own, own - other)]
        n_effective[:, possible] = n_case[possible] / np.maximum(*widening)
        error[:, possible] *= np.sqrt(widening[0])
        again = [_p_value(each[:, possible] / np.sqrt(wide), n_case[possible] / wide) for each, wide in zip(t, widening, strict=True)]
        p[:, possible] = np.where((n_effective[:, possible] >= LEAST_INDEPENDENT) & (p[:, possible] <= ALWAYS), np.maximum(*again), 1.0)
    return Departures(here, rest, error, p, n_effective, n_case)


def of_whole(whole: np.ndarray) -> Departures:
    """Return the departures of all values together, as those of one slice; rest and p are not known. whole: (case, field)."""
    own = influence(whole[None, :, :N_FIELD])
    n = whole[None, :, N]
    widening = _widened(own)
    here = estimates(whole.sum(0)[None, :N_FIELD])
    variance = np.maximum(np.square(own).sum(2), _gaussian_bound(n, _correlation_within_cases(whole))) * widening
    n_case = n.sum(1) ** 2 / np.square(n).sum(1)
    unknown = np.full_like(here, np.nan)
    return Departures(here, unknown, np.sqrt(variance), unknown, n_case / widening, n_case)


def _p_value(t: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the two-sided p-value of t with n - 1 degrees of freedom; 1 where t is not known."""
    return np.where(np.isfinite(t), 2 * stats.t.sf(np.abs(np.nan_to_num(t)), np.maximum(n - 1, 1)), 1.0)


def _shared(values: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the mean variance of all slices, scaled to the number of values of each: (test, slice). values: (test, slice, case).   n: (slice,)."""
    known = n > 0
    of_one_value = (np.square(values).sum(2) * n**2)[:, known].sum(1, keepdims=True) / n.sum()
    return of_one_value / n


def _correlation_within_cases(whole: np.ndarray) -> np.ndarray:
    """Return the mean correlation between the values of a case, (test,), from 0 to 1: m of them widen the variance by 1 + (m - 1) times it."""
    n = whole[:, N]
    size = np.square(n).sum() / n.sum()
    widening = np.square(influence(whole[None])[:, 0]).sum(1) / _gaussian_variance(n.sum())
    return np.clip((widening - 1) / max(size - 1, 1.0), 0.0, 1.0)


def _gaussian_variance(n: np.ndarray) -> np.ndarray:
    """Return the variances of the estimates from n independent values of a perfect ensemble with Gaussian errors and many members: (test, ...).

    Var log(sum e^2) is 2 / n, and the logarithm of the ratio is half of it. A bias has 1 / n, a coverage p (1 - p) / n.
    """
    with np.errstate(divide="ignore"):
        return np.stack([0.5 / n, 1.0 / n, LEVEL * (1 - LEVEL) / n])


def _gaussian_bound(n: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Return the least variance of the estimates, (test, slice). n: (slice, case), numbers of values.   alike: (test,), correlation within cases."""
    total = n.sum(1)
    size = np.maximum(np.square(n).sum(1) / total, 1.0)
    return _gaussian_variance(total) * (1 + (size - 1) * alike[:, None])


def _widened(values: np.ndarray) -> np.ndarray:
    """Return by how much dependence in time widens the variance of each sum, at least 1. values: (..., case), influence values."""
    flat = values.reshape(-1, values.shape[-1])
    widening = np.maximum(flat.shape[1] / dependence(flat.T).n_effective, 1.0)
    return np.nan_to_num(widening, nan=1.0).reshape(values.shape[:-1])


def _widened_as_whole(n: np.ndarray, widening: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Return by how much the variance of a sum is widened when its values depend on one another as those of the whole: (test, slice).

    n: (slice, case), numbers of values.   widening: (test,), of the whole, F.   alike: (test,), correlation c within cases.
    Values k cases apart have the correlation phi^k at the same element, phi = (F - 1) / (F + 1), and c phi^k at two elements. Pairs k
    cases apart are sum_i n_i n_(i+k), of which 1 / m are at the same element if m elements belong to the slice. Hence a season, whose cases
    follow one another, is widened nearly as the whole, and scattered cases are widened less.
    """
    total, elements = n.sum(1), np.maximum(n.max(1), 1.0)
    widened = np.empty((len(widening), len(n)))
    for test, (phi, c) in enumerate(zip((widening - 1) / (widening + 1), alike, strict=True)):
        earlier = lfilter([0.0, phi], [1.0, -phi], n, axis=1)  # sum over k >= 1 of phi^k n_(i-k)
        pairs = 2 * (n * earlier).sum(1) * ((1 - c) / elements + c)
        widened[test] = 1 + pairs / ((1 - c) * total + c * np.square(n).sum(1))
    return widened
