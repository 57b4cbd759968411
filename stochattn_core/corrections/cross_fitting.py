"""Cross-fitting: what is fitted on one half of the calibration cases is applied to the other half, so that no case is scored by its own fit.

Where cases have times, the halves are contiguous, earlier and later, and cases near the boundary between them are fitted on by neither side.
Cases of neighbouring times depend on one another: halves that alternate would fit on the neighbours of every case that they score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.dependence import dependence

# (fitted, scored), masks of cases (case,) -> members (member, scored case, *event), from what was fitted on the first
MembersOf = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Fold(NamedTuple):
    """One of two ways to fit on a half and to score on the other. fitted, scored: masks (case,), disjoint."""

    fitted: np.ndarray
    scored: np.ndarray


class Times(NamedTuple):
    """When each case was started, and the first and last time of its targets; (case,), all of one kind of number or date."""

    init: np.ndarray
    first: np.ndarray
    last: np.ndarray


def folds(calibration: Ensemble) -> tuple[Fold, Fold]:
    """Return the two folds. Together they score every case once, so that every method is compared on the same cases.

    With times, the first half is all cases before a boundary. Fitted on are those of its cases whose targets end before the first target
    of the second half, and that start before the boundary by at least the length over which errors depend on one another, or a block of
    cases; in the second half likewise. At most half of the times of a half are left out: a part so short has too few independent cases for a
    recommendation anyway.
    Without times, every other block of cases is a half.
    ValueError where fewer than 2 blocks of cases have a target.
    """
    seen = np.isfinite(calibration.target).reshape(len(calibration.target), -1).any(1)
    used = np.unique(calibration.block[seen])
    if len(used) < 2:
        raise ValueError(
            f"expected at least 2 blocks of calibration cases to fit on one half and score on the other, got {len(used)}; give more data"
        )
    times = times_of(calibration)
    starts = np.unique(times.init[seen]) if times else np.array([])
    if times is None or len(starts) < 2:
        first = np.isin(calibration.block, used[::2])
        return Fold(first & seen, ~first), Fold(~first & seen, first)
    half = boundary(times.init[seen], starts)
    early = times.init < starts[half]
    length = max(times_of_a_block(times.init[seen], calibration.block[seen]), dependence_length(calibration, times.init))
    return (
        Fold(_fitted(early & seen, times, starts[:half][::-1], length, times.last < times.first[~early & seen].min()), ~early),
        Fold(_fitted(~early & seen, times, starts[half:], length, times.first > times.last[early & seen].max()), early),
    )


def times_of(calibration: Ensemble) -> Times | None:
    """Return the times of the cases; None for exchangeable cases, such as those of a table that is split at random."""
    valid = calibration.valid_times
    if valid is None and not calibration.lead_time:
        return None
    if valid is None:  # the unit of the steps is not known: cases are taken to follow one another step by step
        place = np.unique(calibration.index.to_numpy(), return_inverse=True)[1]
        return Times(place, place + calibration.lead_time[0], place + calibration.lead_time[-1])
    if valid.ndim == 1:
        return Times(valid, valid, valid)
    return Times(calibration.index.to_numpy(), valid.min(1), valid.max(1))


def boundary(init: np.ndarray, starts: np.ndarray) -> int:
    """Return the place in `starts` at which the second half begins, so that both halves have about as many cases.

    init: (case,).   starts: the times in init, ascending, at least 2. Cases with the same time stay together.

    >>> boundary(np.array([1, 1, 1, 2, 3]), np.array([1, 2, 3]))
    1
    """
    before = np.searchsorted(np.sort(init), starts)  # cases before each time
    return int(np.abs(before[1:] - len(init) / 2).argmin()) + 1


def times_of_a_block(init: np.ndarray, block: np.ndarray) -> int:
    """Return how many different times the longest block holds.   init, block: (case,).

    >>> times_of_a_block(np.array([1, 1, 2, 3]), np.array([0, 0, 0, 1]))
    2
    """
    pairs = np.unique(np.stack([block, np.unique(init, return_inverse=True)[1]], 1), axis=0)
    return int(np.bincount(pairs[:, 0]).max())


def dependence_length(calibration: Ensemble, init: np.ndarray) -> int:
    """Return over how many times the errors of the plain model, and their squares, depend on one another: the automatic block length.

    init: (case,). Errors of one time are averaged.
    """
    error = (calibration.target - calibration.plain).reshape(len(init), -1).astype(np.float64)
    seen, place = np.isfinite(error), np.unique(init, return_inverse=True)[1]
    count = np.bincount(place, seen.sum(1))
    means = [np.bincount(place, np.where(seen, power, 0.0).sum(1))[count > 0] / count[count > 0] for power in (error, error**2)]
    return math.ceil(dependence(np.stack(means, 1)).block_length.max()) if len(means[0]) > 1 else 1


def _fitted(half: np.ndarray, times: Times, starts: np.ndarray, length: int, is_apart: np.ndarray) -> np.ndarray:
    """Return the cases of a half that are fitted on. starts: its times, that nearest the boundary first.   is_apart: no target overlaps."""
    near = min(length, len(starts) // 2)
    overlapping = starts[: len(starts) // 2]
    left_out = np.isin(times.init, starts[:near]) | (np.isin(times.init, overlapping) & ~is_apart)
    return half & ~left_out


def cross_fitted(calibration: Ensemble, members_of: MembersOf) -> Ensemble:
    """Return the calibration ensemble with the members that members_of gives for each half of the cases, fitted on the other half."""
    parts = [(fold.scored, members_of(*fold)) for fold in folds(calibration)]
    first = parts[0][1]
    members = np.empty((len(first), *calibration.target.shape), dtype=first.dtype)
    for scored, of_half in parts:
        members[:, scored] = of_half
    return replace(calibration, members=members)


def of_cases(ensemble: Ensemble, cases: np.ndarray) -> Ensemble:
    """Return these cases of an ensemble.   cases: mask (case,)."""
    return replace(
        ensemble,
        members=ensemble.members[:, cases],
        target=ensemble.target[cases],
        plain=ensemble.plain[cases],
        index=ensemble.index[cases],
        block=ensemble.block[cases],
        valid_time=None if ensemble.valid_time is None else ensemble.valid_time[cases],
    )
