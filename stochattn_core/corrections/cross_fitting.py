"""Cross-fitting: what is fitted on one half of the calibration blocks is applied to the other half, so that no case is scored by its own fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import Statistics

# (fitted, scored), masks of cases (case,) -> members (member, scored case, *event), from what was fitted on the first
MembersOf = Callable[[np.ndarray, np.ndarray], np.ndarray]


def halves(statistics: Statistics) -> Tensor:
    """Two halves of the blocks that hold cases, every other block: (2, block) bool."""
    used = (statistics.n_case > 0).nonzero().flatten()
    if len(used) < 2:
        raise ValueError(
            f"expected at least 2 blocks of calibration cases to fit on one half and score on the other, got {len(used)}; give more data"
        )
    half = torch.zeros(2, statistics.n_block, dtype=torch.bool)
    half[0, used[::2]] = half[1, used[1::2]] = True
    return half


def cross_fitted(calibration: Ensemble, members_of: MembersOf) -> Ensemble:
    """The calibration ensemble with the members that members_of gives for each half of the cases, fitted on the other half."""
    cases = [half.numpy()[calibration.block] for half in halves(calibration.pooled)]
    cases[1] |= ~cases[0]  # cases of blocks without a target enter no score, but they have a place in the array
    parts = [(scored, members_of(fitted, scored)) for fitted, scored in (cases, cases[::-1])]
    first = parts[0][1]
    members = np.empty((len(first), *calibration.target.shape), dtype=first.dtype)
    for scored, of_half in parts:
        members[:, scored] = of_half
    return replace(calibration, members=members)


def block_counts_of(ensemble: Ensemble, cases: np.ndarray) -> Tensor:
    """(1, block): 1 for the blocks that hold these cases, else 0; for Statistics.resampled."""
    counts = torch.zeros(1, ensemble.pooled.n_block, dtype=torch.float64)
    counts[0, torch.tensor(np.unique(ensemble.block[cases]))] = 1
    return counts
