"""Linear and ridge regression on the inputs of a case, in closed form: several outputs at once, missing targets left out."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from stochattn_core.datasets.base import Dataset, Split, Task
from stochattn_core.references.base import LARGEST, Forecast, Reference, features, fitted_rows

PENALTIES = 10.0 ** np.arange(-8, 2.1, 0.25)  # as a share of the number of rows: of columns scaled to a standard deviation of 1
N_FOLD = 5  # of cross-validation
SINGULAR = 1e-12  # share of the largest eigenvalue below which a direction has no slope
LARGEST_PRODUCT, LEAST_ROWS = 1_000_000_000, 500  # rows x features^2 of a fit that takes seconds, and the rows that are used at least


class LinearMap(NamedTuple):
    """y = level + (x - centre) / scale @ slope.   centre, scale: (feature,).   level: (output,).   slope: (feature, output)."""

    centre: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    slope: np.ndarray
    penalty: np.ndarray  # (output,), as a share of the number of rows

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.level + (x - self.centre) / self.scale @ self.slope


def fit_linear(x: np.ndarray, y: np.ndarray, block: np.ndarray, penalties: np.ndarray = PENALTIES) -> LinearMap:
    """Return the linear map with the smallest squared error of y, plus the penalty times the squared slopes of standardised columns.

    x: (case, feature).   y: (case, output), NaN where missing.   block: (case,), cases of one block depend on one another.
    penalties: shares of the number of cases; 0 alone is least squares. The penalty is the one with the smallest squared error in
    cross-validation, the same for all outputs that are known in the same cases. An output that is known in no case is NaN.

    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> float(fit_linear(x, y, np.arange(3), np.zeros(1))(np.array([[10.0]]))[0, 0].round(6))
    21.0
    """
    known = np.isfinite(y)
    centre, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 1e-12 * np.abs(x).max(0, initial=0.0), scale, 1.0)
    standardised = (x - centre) / scale
    level, penalty = np.full(y.shape[1], np.nan), np.full(y.shape[1], np.nan)
    slope = np.full((x.shape[1], y.shape[1]), np.nan)
    patterns, pattern_of = np.unique(known.T, axis=0, return_inverse=True)
    for place, rows in enumerate(patterns):
        if rows.any():
            outputs = np.flatnonzero(pattern_of.ravel() == place)
            complete = standardised[rows], y[np.ix_(rows, outputs)]
            best = _best_penalty(*complete, block[rows], penalties)
            (slopes, levels), penalty[outputs] = _solve(*complete, np.array([best])), best
            level[outputs], slope[:, outputs] = levels[0], slopes[0]
    return LinearMap(centre, scale, level, slope, penalty)


def _solve(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes (penalty, feature, output) and levels (penalty, output) of complete outputs.

    With x'x = V s V' of centred x, the slope is V / (s + n penalty) V' x'y. With more features than cases the same slope is
    x' U / (s + n penalty) U' y, from xx' = U s U'.
    """
    n, centre, mean = len(x), x.mean(0), y.mean(0)
    centred, residual = x - centre, y - mean
    is_wide = x.shape[1] > n
    size, vectors = np.linalg.eigh(centred @ centred.T if is_wide else centred.T @ centred)
    large = size > SINGULAR * size.max(initial=0.0)
    size, vectors = size[large], vectors[:, large]
    along = vectors.T @ (residual if is_wide else centred.T @ residual)
    outer = centred.T @ vectors if is_wide else vectors
    slopes = np.stack([outer @ (along / (size + n * penalty)[:, None]) for penalty in penalties])
    return slopes, mean - centre @ slopes


def _best_penalty(x: np.ndarray, y: np.ndarray, block: np.ndarray, penalties: np.ndarray) -> float:
    """Return the penalty with the smallest squared error of cases that are left out.

    A fold is a stretch of whole blocks. As many blocks next to it as there are lead times are left out of its fit as well: leaving out single
    cases of a series would test each on its neighbours, whose targets overlap, and choose too small a penalty.
    """
    block = np.unique(block, return_inverse=True)[1]
    n_block, gap = int(block.max()) + 1, y.shape[1]
    errors = np.zeros(len(penalties))
    for first, last in pairwise(np.linspace(0, n_block, min(N_FOLD, n_block) + 1).round().astype(int)):
        left_out, fitted = (first <= block) & (block < last), (block < first - gap) | (block >= last + gap)
        if len(penalties) > 1 and fitted.any():
            slopes, levels = _solve(x[fitted], y[fitted], penalties)
            errors += np.square(x[left_out] @ slopes + levels[:, None] - y[left_out]).sum((1, 2))
    # Where nothing could be left out all errors are 0, and the largest penalty is the one that promises least.
    return float(penalties[int(np.argmin(errors)) if errors.any() else -1])


def _numbers(split: Split, task: Task) -> tuple[np.ndarray, np.ndarray | float] | None:
    """Return the numbers to regress on, and what is subtracted from the target before: the last value of a series, 0 in a table.

    In a series the other past values are taken relative to the last. The same forecasts can be reached, but a penalty pulls them towards
    persistence and not to the training mean, from which a series with a trend moves away.
    Source: Zeng, Chen, Zhang and Xu (2023), AAAI, arXiv 2205.13504, whose NLinear subtracts the last value too.
    """
    x = features(split, task)
    if x is None or not x.shape[1]:
        return None
    if task != "series":
        return x, 0.0
    last = x[:, -1:]
    return np.concatenate([x[:, :-1] - last, last], 1), last


def _on_inputs(dataset: Dataset, penalties: np.ndarray) -> Forecast | None:
    train, task = dataset.train, dataset.task  # the forecast holds no more of the dataset, so that a cached one does not keep it in memory
    numbers = _numbers(train, task)
    if numbers is None:
        return None
    x, start = numbers
    rows = fitted_rows(len(x), min(LARGEST, max(LARGEST_PRODUCT // x.shape[1] ** 2, LEAST_ROWS)))
    y = train.target.reshape(len(train), -1).double().numpy() - start
    fitted = fit_linear(x[rows], y[rows], train.block[rows], penalties)

    def forecast(split: Split) -> torch.Tensor:
        numbers = _numbers(split, task)
        assert numbers is not None  # every part has inputs of the same kind
        x, start = numbers
        return torch.from_numpy((start + fitted(x)).astype(np.float32)).reshape(split.target.shape)

    return forecast


LINEAR = Reference(
    "linear regression",
    "Least squares on the inputs of a row.",
    ("table",),
    partial(_on_inputs, penalties=np.zeros(1)),
)
RIDGE = Reference(
    "ridge regression",
    "Penalised least squares on the inputs of a case, all lead times together; the penalty is chosen by cross-validation over blocks of the training part.",
    ("table", "series"),
    partial(_on_inputs, penalties=PENALTIES),
)
