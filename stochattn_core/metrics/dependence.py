"""How much do neighbouring cases repeat one another? The long-run variance of a mean over dependent cases, and their effective number.

For a stationary sequence with autocovariances R(k), the variance of its mean is about V / n with V = sum over all lags of R(k); n independent
cases have R(0) / n. The effective number of cases is n R(0) / V.
# DIFFERS: V is the larger of two estimates, because each is too small by itself where dependence is strong and cases are few:
an autoregression, whose order AIC selects and whose coefficients are corrected for their bias, and sums over blocks of the automatic length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CHUNK = 2**22  # numbers that one Fourier transform holds
LEAST_SHARE = 0.5  # of R(0): errors that alternate may have a smaller V, but an estimate below this is chance more often than not


class Dependence(NamedTuple):
    """Of each column of a sequence.

    variance: V, n times the variance of the mean, (column,).   n_effective: n R(0) / V, at most n, (column,).   block_length: (column,), the
    automatic choice, in cases.
    """

    variance: np.ndarray
    n_effective: np.ndarray
    block_length: np.ndarray


def dependence(values: np.ndarray) -> Dependence:
    """Return the long-run variance of each column of values (case, column), in the order of time, without NaN.

    A column that does not vary has variance 0 and all its cases are effective. With fewer than 2 cases everything is NaN.
    Sources: Politis and White (2004), Econometric Reviews 23, 53, corrected by Patton, Politis and White (2009), ibid. 28, 372, for the
    block length; Vats and Flegal (2022), Biometrika 109, 735, for the correction of block sums; Kendall (1954), Biometrika 41, 403, and
    Marriott and Pope (1954), ibid. 390, for the bias of the autoregression.

    >>> x = np.random.default_rng(0).standard_normal((1000, 1))
    >>> bool(800 < dependence(x).n_effective[0] <= 1000)
    True
    """
    n, k = values.shape
    if n < 2:
        nothing = np.full(k, np.nan)
        return Dependence(nothing, nothing, nothing)
    parts = [_dependence(values[:, at : at + max(1, CHUNK // (2 * n))]) for at in range(0, k, max(1, CHUNK // (2 * n)))]
    return Dependence(*(np.concatenate(part) for part in zip(*parts, strict=True))) if parts else Dependence(*[np.zeros(0)] * 3)


def _dependence(values: np.ndarray) -> Dependence:
    n = len(values)
    centred = np.asarray(values, dtype=np.float64) - values.mean(0)
    size = np.abs(centred).max(0)
    # A column whose values differ by rounding alone does not vary; scaled, tiny and huge units have the same autocovariances.
    varies = size > 1e-12 * np.abs(values).max(0)
    scaled = np.where(varies, centred, 0.0) / np.where(varies, size, 1.0)
    autocovariance = _autocovariance(scaled)
    unbiased = autocovariance[0] * n / (n - 1)
    length = _block_length(autocovariance, n)
    known = np.where(varies, autocovariance, np.where(np.arange(len(autocovariance))[:, None] == 0, 1.0, 0.0))
    by_blocks, by_autoregression = _by_blocks(scaled, length), _by_autoregression(known, n)
    variance = np.maximum.reduce([by_blocks, np.where(varies, by_autoregression, 0.0), LEAST_SHARE * unbiased])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(varies, np.minimum(unbiased / variance, 1.0), 1.0)
    return Dependence(np.where(varies, variance, 0.0) * np.where(varies, size, 1.0) ** 2, n * share, length)


def _autocovariance(centred: np.ndarray) -> np.ndarray:
    """Return R(0), R(1), ... of each column, (lag, column), with the divisor n at every lag."""
    n = len(centred)
    transform = np.fft.rfft(centred, 2 * n, axis=0)
    return np.fft.irfft(transform.real**2 + transform.imag**2, 2 * n, axis=0)[:n] / n


def _block_length(autocovariance: np.ndarray, n: int) -> np.ndarray:
    """Return the automatic length of blocks for each column, between 1 and n / 4.

    The bandwidth is twice the smallest lag after which max(5, sqrt(log10 n)) correlations in a row are within 2 sqrt(log10(n) / n).
    """
    n_column = autocovariance.shape[1]
    if n < 8:
        return np.ones(n_column)
    in_a_row = max(5, int(np.sqrt(np.log10(n))))
    last = min(int(np.ceil(np.sqrt(n))) + in_a_row, n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        small = np.abs(autocovariance[: 2 * last] / autocovariance[0]) < 2 * np.sqrt(np.log10(n) / n)
    small |= ~np.isfinite(autocovariance[: 2 * last])
    runs = np.stack([small[lag : lag + in_a_row].all(0) for lag in range(1, min(last, len(small) - in_a_row) + 1)])
    first = np.where(runs.any(0), runs.argmax(0), last)  # the lag before the run; runs start at lag 1
    length = np.ones(n_column)
    for lag in np.unique(first):
        columns = first == lag
        bandwidth = min(2 * max(int(lag), 1), n - 1)
        at = np.arange(bandwidth + 1)
        window = np.clip(2 * (1 - at / bandwidth), 0, 1)[:, None] * autocovariance[: bandwidth + 1, columns]
        slope = 2 * (at[:, None] * window).sum(0)
        spectrum = window[0] + 2 * window[1:].sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            chosen = (1.5 * (slope / spectrum) ** 2) ** (1 / 3) * n ** (1 / 3)
        length[columns] = np.where(np.isfinite(chosen), chosen, 1.0)
    return np.clip(np.round(length), 1, max(min(np.ceil(3 * np.sqrt(n)), n // 4), 1))


def _by_blocks(centred: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return V of each column from sums over blocks; blocks of length L miss what reaches beyond them, as blocks of L / 3 miss more."""
    variance = np.empty(centred.shape[1])
    for size in np.unique(length):
        columns = length == size
        whole = _of_block_sums(centred[:, columns], int(size))
        third = _of_block_sums(centred[:, columns], int(max(size // 3, 1)))
        variance[columns] = np.maximum(whole, 1.5 * whole - 0.5 * third) if size >= 3 else whole
    return variance


def _of_block_sums(centred: np.ndarray, length: int) -> np.ndarray:
    sums = block_sums(centred, length)
    return np.square(sums).sum(0) / (len(sums) - 1) / length


def block_sums(values: np.ndarray, length: int) -> np.ndarray:
    """Return the sums over consecutive blocks of so many cases, (block, column); a rest that is shorter is left out.

    values: (case, column).
    """
    n_block = len(values) // length
    return values[: n_block * length].reshape(n_block, length, -1).sum(1)


def _by_autoregression(autocovariance: np.ndarray, n: int) -> np.ndarray:
    """Return V of each column from the autoregression of the order that AIC selects, by the recursion of Levinson and Durbin."""
    highest = min(int(10 * np.log10(n)) if n > 20 else 3, n - 2, len(autocovariance) - 1)
    coefficients = np.zeros((0, autocovariance.shape[1]))
    error = autocovariance[0].copy()
    least, order = n * np.log(np.maximum(error, 1e-300)), np.zeros(len(error))
    best_error, total = error.copy(), np.zeros(len(error))
    for p in range(1, highest + 1):
        reflection = (autocovariance[p] - (coefficients * autocovariance[1:p][::-1]).sum(0)) / np.maximum(error, 1e-300)
        coefficients = np.concatenate([coefficients - reflection * coefficients[::-1], reflection[None]])
        error = error * np.maximum(1 - reflection**2, 1e-12)
        criterion = n * np.log(np.maximum(error, 1e-300)) + 2 * p
        better = criterion < least
        least, order = np.where(better, criterion, least), np.where(better, p, order)
        best_error, total = np.where(better, error, best_error), np.where(better, coefficients.sum(0), total)
    # Least squares of an AR(1) gives rho - (1 + 3 rho) / n on average; the sum of several coefficients is taken to be as biased.
    total = np.where(total > 0, np.minimum(total + (1 + 3 * total) / n, 1 - 1 / n), total)
    return best_error * n / np.maximum(n - order - 1, 1) / (1 - total) ** 2
