"""Simulated cases for which the right answer is known: a network of one attention layer, with targets that fit it or do not.

Rows attend evenly to fixed values of mean 0 and variance 1, so the output of one row at concentration nu has mean 0 and variance 1 / nu
exactly. Let a be the output of the first row, and q the mean square of the outputs of all rows. Then

    f_nu = x0 + x1 (a + bend q),  f = x0

and a member differs from f by x1 a, of variance x1^2 / nu, and by x1 bend q, whose mean is x1 bend / nu.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from stochattn_core.datasets.base import Dataset, Split, blocks_at_random

N_ROW = 4  # rows of a network with bend; without, it has one
VALUES = 8
Draw = Callable[[np.random.Generator, int], np.ndarray]


class OneAttention(nn.Module):
    """The network f_nu above: inputs (case, 2) to forecasts (case,)."""

    def __init__(self, bend: float = 0.0) -> None:
        super().__init__()
        values = torch.linspace(-1, 1, VALUES)
        self.register_buffer("values", values / values.square().mean().sqrt())
        self.register_buffer("bend", torch.tensor(bend))
        self.n_row = N_ROW if bend else 1

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        n = len(inputs)
        rows = functional.scaled_dot_product_attention(
            torch.zeros(n, 1, self.n_row, 1), torch.zeros(n, 1, VALUES, 1), self.values.view(1, 1, VALUES, 1).expand(n, -1, -1, -1)
        )[:, 0, :, 0]
        return inputs[:, 0] + inputs[:, 1] * (rows[:, 0] + self.bend * rows.square().mean(1))


def even(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return x1 for the same spread in every case."""
    return np.ones(n)


def uneven(width: float) -> Draw:
    """Return a function that draws x1 for spreads that are log-normal over the cases, of mean square 1."""
    return lambda rng, n: np.exp(width * rng.standard_normal(n) - width**2)


def part(rng: np.random.Generator, n: int, spread: Draw, noise: Callable, block: np.ndarray | None = None) -> Split:
    """Return n cases. spread: draws x1.   noise(rng, x1, block): target minus plain forecast.   block: at random when not given."""
    block = blocks_at_random(n) if block is None else block
    x0, x1 = rng.standard_normal(n), spread(rng, n)
    target = x0 + noise(rng, x1, block)
    inputs = torch.tensor(np.stack([x0, x1], 1), dtype=torch.float32)
    return Split(inputs, torch.tensor(target, dtype=torch.float32), pd.RangeIndex(n), block)


def dataset(calibration: Split, test: Split, name: str = "simulated") -> Dataset:
    return Dataset(name, "table", "Simulated", "y", "", "made here", "none", calibration, calibration, test)


def repeated(repetition: Callable[[str, int], dict], kinds: Sequence[str], n: int, n_worker: int = 2) -> dict[str, list[dict]]:
    """Return, for each kind, repetition(kind, seed) for seeds 0 to n - 1 in this order, whichever process computed it.

    Results are stored in a folder of their own. It serves all repetitions: each draws its data anew, so that none finds what another stored.
    """
    results = {kind: [] for kind in kinds}
    jobs = [(kind, seed) for kind in kinds for seed in range(n)]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(n_worker, initializer=_store_in, initargs=(folder,)) as pool:
        for (kind, seed), result in zip(jobs, pool.map(repetition, *zip(*jobs, strict=True), chunksize=4), strict=True):
            print(f"{kind}: {seed + 1} of {n}   ", end="\r", file=sys.stderr)
            results[kind].append(result)
    return results


def _store_in(folder: str) -> None:
    os.environ["STOCHATTN_CACHE"] = folder
    torch.set_num_threads(1)
