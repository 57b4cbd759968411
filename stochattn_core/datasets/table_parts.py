"""From rows to a table Dataset: three parts, at random from a seed or one after another in time."""

from __future__ import annotations

from itertools import pairwise
from typing import Unpack

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.base import Dataset, Description, Split, blocks_at_random

FRACTIONS = (0.6, 0.2, 0.2)  # train, calibration, test


def table_dataset(
    features: np.ndarray,
    target: np.ndarray,
    *,
    sizes: tuple[int, int, int] | None = None,
    seed: int = 0,
    row: pd.Index | None = None,
    time: pd.DatetimeIndex | None = None,
    **description: Unpack[Description],
) -> Dataset:
    """Return a Dataset whose parts are drawn from the rows at random, or follow one another in time.

    features: (row, feature), target: (row,), both in their own units.   sizes: rows of train, calibration and test, together at most
    all; 60, 20 and 20 percent without it.   row: the name of each row (its number in the file where some rows were left out);
    0, 1, ... without it.   time: of each row, in order; then training ends where calibration begins, rows of one time stay in one part, and
    every time is a block.
    """
    n_row = len(features)
    if sizes is None:
        n_train, n_calibration = int(FRACTIONS[0] * n_row), int(FRACTIONS[1] * n_row)
        sizes = (n_train, n_calibration, n_row - n_train - n_calibration)
    if sum(sizes) > n_row:
        raise ValueError(f"expected sizes of at most {n_row} rows together, got {sum(sizes)}; make the parts smaller")
    row = pd.RangeIndex(n_row) if row is None else row
    order = np.random.default_rng(seed).permutation(n_row) if time is None else np.arange(n_row)
    starts = np.cumsum((0, *sizes))
    if time is not None:
        starts = np.array([0, *np.searchsorted(time, time[starts[1:-1]]), n_row])
    parts = []
    for start, end in pairwise(starts):
        chosen = np.sort(order[start:end])
        parts.append(
            Split(
                inputs=torch.from_numpy(np.ascontiguousarray(features[chosen], dtype=np.float32)),
                target=torch.from_numpy(np.ascontiguousarray(target[chosen], dtype=np.float32)),
                index=pd.Index(row[chosen], name="row"),
                block=blocks_at_random(len(chosen)) if time is None else _blocks_of_times(time[chosen]),
                valid_time=None if time is None else time[chosen].to_numpy(),
            )
        )
    train, calibration, test = parts
    return Dataset(
        task="table",
        train=train,
        calibration=calibration,
        test=test,
        **description,
    )


def _blocks_of_times(time: pd.DatetimeIndex) -> np.ndarray:
    """Return one block for each time, in order, (row,) int."""
    return np.unique(time, return_inverse=True)[1]
