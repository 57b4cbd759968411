"""What a dataset is: three parts that never overlap, each a set of cases with inputs and targets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import torch

Task = Literal["table", "series", "grid"]
Progress = Callable[[int, int, str], None]  # (done, total, what); may raise to stop the work
PARTS = ("train", "calibration", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset.

    inputs: (case, *input) float32, in the data's own units; what the model is given. A grid's is (case, variable, latitude, longitude).
    target: (case, *event) float32, in the units of the target; () for a table, (lead_time,) for a series, (latitude, longitude)
    for a grid. NaN is missing.
    index: (case,) row number of a table, init_time of a series or a grid (the time of the last value the model sees).
    block: (case,) int, 0-based and dense; cases of one block depend on one another and are resampled together.
    """

    inputs: torch.Tensor
    target: torch.Tensor
    index: pd.Index
    block: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(self.inputs), len(self.target), len(self.index), len(self.block)}
        if len(lengths) != 1:
            raise ValueError(f"inputs, target, index and block must have the same number of cases, got {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def n_block(self) -> int:
        return int(self.block.max()) + 1 if len(self.block) else 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Named data with its three parts, ready for a model of the same task.

    units is "" when the target has none. lead_time (series and grids) is in steps of lead_unit ("month", "h", ...).
    period is the length of the season in steps, 1 when there is none. references are forecasts nobody needs a network
    for, by name: each takes a Split and returns (case, *event). true_spread is known for synthetic sets only. notes are
    sentences about what was done to the data on the way in (rows dropped, values taken as missing), for the user to read.
    A grid has one target variable at one lead time; latitude (south to north) and longitude (0 to 360, eastward) are in degrees,
    constants are fields that never change, (latitude, longitude) float32 by name: land_sea_mask (0 to 1), orography (m).
    """

    name: str
    task: Task
    title: str
    target_name: str
    units: str
    source: str
    licence: str
    train: Split
    calibration: Split
    test: Split
    feature_names: tuple[str, ...] = ()
    lead_time: tuple[int, ...] = ()
    lead_unit: str = ""
    period: int = 1
    references: Mapping[str, Callable[[Split], torch.Tensor]] = field(default_factory=dict)
    true_spread: float | None = None
    notes: tuple[str, ...] = ()
    latitude: tuple[float, ...] = ()
    longitude: tuple[float, ...] = ()
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)

    def part(self, name: str) -> Split:
        if name not in PARTS:
            raise ValueError(f"expected one of {', '.join(PARTS)}, got {name!r}")
        return getattr(self, name)

    def filled(self, name: str) -> Split:
        """The part, which holds cases; ValueError where it holds none."""
        split = self.part(name)
        if not len(split):
            raise ValueError(f"expected cases in the {name} part of {self.name!r}, found none; give more data")
        return split

    @cached_property
    def sha256(self) -> str:
        """Digest of every number in every part: two datasets with the same digest give the same scores."""
        digest = hashlib.sha256(self.task.encode())
        for part in PARTS:
            split = self.part(part)
            for values in (split.inputs, split.target):
                digest.update(str(tuple(values.shape)).encode())
                digest.update(values.contiguous().numpy().tobytes())
        return digest.hexdigest()


def blocks_in_time(n_case: int, case_per_block: int) -> np.ndarray:
    """Contiguous blocks of at least case_per_block cases; a short rest joins the last block."""
    block = np.arange(n_case) // max(case_per_block, 1)
    last = n_case // max(case_per_block, 1) - 1
    return np.minimum(block, max(last, 0))


def blocks_at_random(n_case: int, n_block: int = 64) -> np.ndarray:
    """Exchangeable cases dealt into at most n_block blocks of nearly equal size."""
    return np.arange(n_case) % min(n_block, max(n_case, 1))


def thinned(dataset: Dataset, n_case: int) -> Dataset:
    """The same dataset with n_case cases, evenly spaced, in each of calibration and test; the one given where neither has more.

    For a look that must be quick: every score then has fewer cases behind it, as its range says. The training part stays whole.

    >>> split = Split(torch.arange(9.0), torch.arange(9.0), pd.RangeIndex(9), np.arange(9) // 3)
    >>> few = thinned(Dataset("d", "table", "D", "y", "", "", "", train=split, calibration=split, test=split), 3)
    >>> few.test.target.tolist(), few.test.block.tolist(), len(few.train)
    ([0.0, 4.0, 8.0], [0, 1, 2], 9)
    """
    if isinstance(n_case, bool) or not isinstance(n_case, int) or n_case < 1:
        raise ValueError(f"expected how many cases to keep, a positive whole number, got {n_case!r}; try 20")
    parts = {part: _evenly(dataset.part(part), n_case) for part in ("calibration", "test")}
    if all(parts[part] is dataset.part(part) for part in parts):
        return dataset
    kept = f"a part of the cases: {len(parts['test'])} of {len(dataset.test)} of the test part, evenly spaced, and as many to calibrate"
    return replace(dataset, **parts, notes=(*dataset.notes, kept))


def _evenly(split: Split, n_case: int) -> Split:
    if n_case >= len(split):
        return split
    place = np.linspace(0, len(split) - 1, n_case).round().astype(int)
    block = np.unique(split.block[place], return_inverse=True)[1]
    return Split(inputs=split.inputs[place], target=split.target[place], index=split.index[place], block=block)
