"""Sums over the values of each slice, case by case, from which every score of a slice is computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.spread_skill import variance_factor
from stochattn_core.slices.slices import (
    FIFTHS,
    NOWHERE,
    TENTHS,
    Partition,
    Slice,
    fixed_partitions,
    forecast_partition,
    spread_partition,
)

N_BIN = 10  # of the PIT
LEVEL = 0.9  # of the central interval of the PIT
FIELDS = ("n", "error", "error_sq", "variance", "covered", "crps", "plain_error_sq", *(f"pit_{k}" for k in range(N_BIN)))
N, ERROR, ERROR_SQ, VARIANCE, COVERED, CRPS, PLAIN_ERROR_SQ, PIT = range(8)  # columns of the sums; the PIT is in PIT and those after it
CHUNK = 2**22  # members in memory at the same time
LEAST_MEMBERS = 4  # for two halves with a variance each
N_SPLIT = 8  # ways to split the members; neighbouring cases are split differently
MOST_SORTED = 2**20  # values from which the edges of forecast and spread are taken


@dataclass(frozen=True, eq=False)
class Atoms:
    """Sums over the values of one case that lie in the same slice of every partition.

    case: (atom,).   labels: (atom,) by kind of partition.   sums: (atom, field), see FIELDS; values are weighted by area on a grid.
    variance: times (m + 1) / m with m the members that were scored, so that it equals error_sq on average when calibrated.
    covered: the share of the randomised PIT inside the central 90%, which is 90% for a perfect ensemble of any size.
    """

    n_case: int
    case: np.ndarray
    labels: dict[str, np.ndarray]
    sums: np.ndarray

    def holds(self, slice_: Slice) -> np.ndarray:
        """Return whether each atom lies in the slice: (atom,)."""
        inside = np.ones(len(self.case), dtype=bool)
        for kind, label in zip(slice_.kinds, slice_.labels, strict=True):
            inside &= self.labels[kind] == label
        return inside

    def by_case(self, inside: np.ndarray | None = None) -> np.ndarray:
        """Return the sums of all atoms, or of those inside, by case: (case, field)."""
        case, sums = (self.case, self.sums) if inside is None else (self.case[inside], self.sums[inside])
        return np.stack([np.bincount(case, column, self.n_case) for column in sums.T], axis=1)

    def of_labels(self, label: np.ndarray, n_label: int, n_field: int = len(FIELDS)) -> np.ndarray:
        """Return the sums by label and case, (label, case, field). label: (atom,), NOWHERE for none.   n_field: only the first so many."""
        inside = label != NOWHERE
        place = label[inside] * self.n_case + self.case[inside]
        columns = [np.bincount(place, column, n_label * self.n_case) for column in self.sums[inside, :n_field].T]
        return np.stack(columns, axis=1).reshape(n_label, self.n_case, n_field)


@dataclass(frozen=True, eq=False)
class SlicedEnsemble:
    """The sums of an ensemble by all partitions.

    partitions: those with a slice or more, spread in tenths.   fifths: of the spread, for slices of two kinds; None without.
    whole: all members are scored; it knows the partitions that do not depend on members.   halves: one half of the members is scored, and
    the other half gives the labels of forecast and spread; None with fewer than 4 members.
    """

    partitions: tuple[Partition, ...]
    fifths: Partition | None
    whole: Atoms
    halves: Atoms | None

    def atoms(self, *slices: Slice) -> Atoms:
        """Return the atoms that know every kind of these slices."""
        is_whole = all(slice_.is_whole for slice_ in slices)
        return self.whole if is_whole or self.halves is None else self.halves


def sliced(ensemble: Ensemble) -> SlicedEnsemble:
    """Return the sums of the ensemble by slice and case. It reads chunks of cases; members may be larger than memory.

    The case axis of the sums runs over the blocks of the ensemble, in the order of time: cases of one block count as one.

    ValueError for an ensemble of one member.
    """
    if ensemble.n_member < 2:
        raise ValueError("expected an ensemble of at least 2 members, got 1; a single forecast has no spread to search")
    fixed = fixed_partitions(ensemble)
    from_members = _partitions_by_members(ensemble) if ensemble.n_member >= LEAST_MEMBERS else {}
    weights = _weights(ensemble)
    block = np.unique(ensemble.block, return_inverse=True)[1]
    whole, halves = [], []
    for chunk in _chunks(ensemble):
        labels = {each.kind: _chunk_labels(each, chunk) for each in fixed}
        whole.append(_gather(chunk, labels, _scored(chunk.members, chunk, weights)))
        if from_members:
            halves += [_half(chunk, labels, from_members, weights, side) for side in (0, 1)]
    partitions = [*fixed, *(each for kind, each in from_members.items() if kind != "spread in fifths")]
    kinds = [each.kind for each in fixed]
    return SlicedEnsemble(
        tuple(partitions),
        from_members.get("spread in fifths"),
        _joined(whole, kinds, block),
        _joined(halves, [*kinds, *from_members], block) if halves else None,
    )


def partition_sums(ensemble: Ensemble) -> list[tuple[Partition, np.ndarray]]:
    """Return every single partition with its sums, (slice, case, field), see FIELDS. The case axis is that of `sliced`.

    Partitions: lead time, region, season, hour, forecast (thirds) and spread (tenths), where the ensemble has two such slices or more.
    A ratio is sqrt(variance / error_sq) of sums over cases. A case without a value in the slice has the sums 0.
    """
    return partition_sums_of(sliced(ensemble))


def partition_sums_of(sums: SlicedEnsemble) -> list[tuple[Partition, np.ndarray]]:
    """Return what `partition_sums` returns, from sums that are already known."""
    pairs = []
    for each in sums.partitions:
        atoms = sums.atoms(*each.slices)
        pairs.append((each, atoms.of_labels(atoms.labels[each.kind], len(each.slices))))
    return pairs


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Some cases, with the event in one row. members: (member, case, element).   target, plain: (case, element).   first: number of its first case."""

    first: int
    members: np.ndarray
    target: np.ndarray
    plain: np.ndarray


def _chunks(ensemble: Ensemble, every: int = 1) -> Iterator[_Chunk]:
    """Yield the cases in chunks; of them every so many-th."""
    n_case, n_member = len(ensemble.index), ensemble.n_member
    n_element = max(ensemble.target[0].size, 1)
    size = max(1, CHUNK // (n_member * n_element)) * every
    for first in range(0, n_case, size):
        at = slice(first, min(first + size, n_case), every)
        members = np.asarray(ensemble.members[:, at], dtype=np.float64).reshape(n_member, -1, n_element)
        target, plain = (np.asarray(values[at], dtype=np.float64).reshape(-1, n_element) for values in (ensemble.target, ensemble.plain))
        yield _Chunk(first, members, target, plain)


def _weights(ensemble: Ensemble) -> np.ndarray:
    """Return the weight of each element of an event, (element,), mean 1."""
    if ensemble.weights is None:
        return np.ones(max(ensemble.target[0].size, 1))
    return np.broadcast_to(ensemble.weights.numpy(), ensemble.target.shape[1:]).reshape(-1)


def _permutations(n_member: int) -> np.ndarray:
    """Return N_SPLIT orders of the members, (split, member); the halves are the first and the last of them.

    Drawn, and not every other member, because the members of some corrections come in ascending order.
    """
    generator = np.random.default_rng(0)
    return np.stack([generator.permutation(n_member) for _ in range(N_SPLIT)])


def _halves(chunk: _Chunk) -> tuple[np.ndarray, np.ndarray]:
    """Return the two halves of the members of each case: (member, case, element) each."""
    n_member, n_case = chunk.members.shape[:2]
    order = _permutations(n_member)[(chunk.first + np.arange(n_case)) % N_SPLIT].T  # (member, case)
    split = chunk.members[order, np.arange(n_case)]
    return split[: n_member // 2], split[n_member // 2 :]


def _partitions_by_members(ensemble: Ensemble) -> dict[str, Partition]:
    """Return the partitions by forecast, spread and fifths of the spread, with edges from the halves of evenly spaced cases."""
    every = max(1, ensemble.target.size // MOST_SORTED)
    halves = [half for chunk in _chunks(ensemble, every) for half in _halves(chunk)]
    means = np.concatenate([half.mean(0) for half in halves])
    variances = np.concatenate([half.var(0, ddof=1).ravel() for half in halves])
    found = (
        forecast_partition(means, ensemble.units, by_element=bool(ensemble.longitude)),
        spread_partition(variances, ensemble.units, TENTHS),
        spread_partition(variances, ensemble.units, FIFTHS),
    )
    return {each.kind: each for each in found if each is not None}


def _chunk_labels(each: Partition, chunk: _Chunk) -> np.ndarray:
    assert each.labels is not None  # as the partition is a fixed one
    rows = each.labels
    inside = rows[chunk.first : chunk.first + len(chunk.target)] if len(rows) > 1 else rows
    return np.broadcast_to(inside, chunk.target.shape)


def _half(chunk: _Chunk, labels: dict[str, np.ndarray], by_members: dict[str, Partition], weights: np.ndarray, side: int) -> Atoms:
    """Return the sums of one half of the members, by the labels that the other half gives. Each value counts half."""
    halves = _halves(chunk)
    giving, scored = halves[side], halves[1 - side]
    mean, variance = giving.mean(0), giving.var(0, ddof=1)
    more = {kind: each.labels_of(mean if kind == "forecast" else variance) for kind, each in by_members.items()}
    return _gather(chunk, labels | more, 0.5 * _scored(scored, chunk, weights))


def _scored(members: np.ndarray, chunk: _Chunk, weights: np.ndarray) -> np.ndarray:
    """Return the fields of every value, (field, case, element), 0 where the target is missing. members: (member, case, element), at least 2."""
    m, target = len(members), chunk.target
    seen = np.isfinite(target)
    target = np.where(seen, target, 0.0)
    ordered = np.sort(members, axis=0)
    # The mean of equal members differs from them by rounding, which is no spread, and no error where they are exact.
    mean = np.where(ordered[0] == ordered[-1], ordered[0], ordered.mean(0))
    variance = np.square(ordered - mean).sum(0) / (m - 1)
    # The fair CRPS from order statistics: sum_ij |x_i - x_j| = 2 sum_i (2 i - m - 1) x_i.
    half_distance = np.tensordot(2 * np.arange(1, m + 1) - m - 1, ordered, axes=1) / (m * (m - 1))
    crps = np.abs(ordered - target).mean(0) - half_distance
    below, ties = (ordered < target).sum(0), (ordered == target).sum(0)

    def cumulative(level: float) -> np.ndarray:
        """Return the share of the randomised PIT below the level; it is uniform between below and below + ties + 1, over m + 1."""
        return np.clip((level * (m + 1) - below) / (ties + 1), 0.0, 1.0)

    edges = [cumulative(k / N_BIN) for k in range(N_BIN + 1)]
    covered = cumulative((1 + LEVEL) / 2) - cumulative((1 - LEVEL) / 2)
    error = mean - target
    fields = np.stack(
        [
            np.ones_like(target),
            error,
            error**2,
            variance * variance_factor(m),
            covered,
            crps,
            (chunk.plain - target) ** 2,
            *(high - low for low, high in itertools.pairwise(edges)),
        ]
    )
    return fields * np.where(seen, weights, 0.0)


def _gather(chunk: _Chunk, labels: dict[str, np.ndarray], fields: np.ndarray) -> Atoms:
    """Return the sums over values of one case with the same labels. Values without weight are left out."""
    n_case = len(chunk.target)
    code = np.broadcast_to(np.arange(n_case)[:, None], chunk.target.shape)
    sizes = {kind: int(label.max()) + 2 for kind, label in labels.items()}  # NOWHERE is 0 in the code
    for kind, label in labels.items():
        code = code * sizes[kind] + (label + 1)
    used = fields[N].ravel() > 0
    codes, place = np.unique(code.ravel()[used], return_inverse=True)
    sums = np.stack([np.bincount(place, field.ravel()[used], len(codes)) for field in fields], axis=1)
    by_kind = {}
    for kind in reversed(labels):
        codes, rest = np.divmod(codes, sizes[kind])
        by_kind[kind] = rest - 1
    return Atoms(n_case, chunk.first + codes, by_kind, sums)


def _joined(parts: list[Atoms], kinds: list[str], block: np.ndarray) -> Atoms:
    """Return the atoms of all parts, each at the block of its case. block: (case,), numbered without a gap."""
    labels = {kind: np.concatenate([part.labels[kind] for part in parts]) for kind in kinds}
    place = block[np.concatenate([part.case for part in parts])]
    return Atoms(int(block.max()) + 1, place, labels, np.concatenate([part.sums for part in parts]))
