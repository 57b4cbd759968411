"""The search for slices in which an ensemble is not calibrated, with the false discovery rate controlled.

A slice is listed when it departs from calibration by more than the rules of SCORES allow, beyond chance, and departs in the same direction
from the rest of the values: it is worse here than elsewhere. Every slice of one kind, of two kinds, and of three where there are enough
cases, is tested for its ratio, bias and coverage. The procedure of Benjamini and Hochberg (1995, JRSS B 57, 289) selects among all these
tests. Slices overlap: the strongest is listed, its values are taken away, and what remains of the others is tested again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.slices.departures import LEAST_CASES, N_FIELD, TESTS, Departures, departures, of_whole
from stochattn_core.slices.slices import NOWHERE, Partition, Slice
from stochattn_core.slices.sums import ERROR_SQ, LEVEL, VARIANCE, Atoms, SlicedEnsemble, sliced

RATE = 0.05  # false discoveries, among the tests that are selected
LEAST_RATIO = 1e-6  # of spread to error; less spread is rounding
MOST = 10  # slices that are listed
LEAST_FOR_THREE = 100  # cases in a slice of three kinds, on average
WITHIN_CASES = ("lead time", "region")  # kinds of which every case has all slices


class Estimate(NamedTuple):
    """A ratio, a bias in units of the RMSE, or a coverage: in the slice, with its interval, and in the rest of the values."""

    here: float
    low: float
    high: float
    elsewhere: float


@dataclass(frozen=True, eq=False)
class Failure:
    """A slice in which the ensemble is not calibrated.

    tests: those that are selected, the strongest first.   estimates: by test, with 90% intervals.   z: evidence of the strongest as a normal
    deviate.   n_case: cases with values in the slice, less for those with few values.   n_effective: the independent ones among them.
    share: of all values.   sums: (field,), over cases, see FIELDS.   rmse: of the ensemble mean, in the units of the target.
    """

    slice: Slice
    tests: tuple[str, ...]
    estimates: dict[str, Estimate]
    z: float
    n_case: float
    n_effective: float
    share: float
    sums: np.ndarray

    @property
    def size(self) -> float:
        """The departure of the strongest test: of the logarithm of the ratio, of the bias in RMSE, or of the coverage."""
        here = self.estimates[self.tests[0]].here
        return abs({"ratio": np.log(max(here, 1e-300)), "bias": here, "coverage": here - LEVEL}[self.tests[0]])

    @property
    def rmse(self) -> float:
        return float(np.sqrt(self.sums[2] / self.sums[0]))


@dataclass(frozen=True, eq=False)
class Search:
    """What was searched and what was found. failures: by evidence times size.   n_slice: slices with enough cases.   n_too_few: the others.

    whole: the estimates of all values together, by test; there is nothing elsewhere.   problem: why nothing could be searched, "" otherwise.
    """

    failures: tuple[Failure, ...]
    n_slice: int
    n_too_few: int
    whole: dict[str, Estimate]
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Family:
    """All slices of the same kinds."""

    partitions: tuple[Partition, ...]
    slices: tuple[Slice, ...]

    def departures(self, sums: SlicedEnsemble, without: Sequence[Slice] = ()) -> Departures:
        """Return the departures of the slices, after the values of others are taken away."""
        atoms = sums.atoms(*self.slices[:1], *without)
        away = np.zeros(len(atoms.case), dtype=bool)
        for slice_ in without:
            away |= atoms.holds(slice_)
        label = np.where(away, NOWHERE, _label(atoms, self.partitions))
        return departures(atoms.of_labels(label, len(self.slices), N_FIELD), atoms.by_case(~away))


def search_slices(ensemble: Ensemble) -> Search:
    """Return the slices in which the ensemble is not calibrated."""
    if ensemble.n_member < 2:
        return Search((), 0, 0, {}, "One member has no spread, so no slice can be searched.")
    return search_sums(sliced(ensemble))


def search_sums(sums: SlicedEnsemble, *, rate: float = RATE) -> Search:
    """Return the slices that fail. rate: expected share of false discoveries among the tests that are selected."""
    by_case = sums.whole.by_case()
    total = by_case.sum(0)
    if not total[VARIANCE] > LEAST_RATIO**2 * total[ERROR_SQ]:
        return Search((), 0, 0, {}, "The ensemble has no spread, so no slice can be searched.")
    whole = _estimates(of_whole(by_case), 0)
    families = list(_families(sums))
    tested = [family.departures(sums) for family in families]
    enough = [each.n_case >= LEAST_CASES for each in tested]
    n_slice, n_all = sum(int(each.sum()) for each in enough), sum(len(each) for each in enough)
    if not n_slice:
        return Search((), 0, n_all, whole, f"There are too few cases to search: no slice has as many as {LEAST_CASES}.")
    p = np.concatenate([each.p[:, known].ravel() for each, known in zip(tested, enough, strict=True)])
    limit = selected_up_to(p, rate)
    failures = _listed(sums, families, tested, limit) if limit > 0 else []
    failures.sort(key=lambda failure: -abs(failure.z) * failure.size)
    return Search(tuple(failures), n_slice, n_all - n_slice, whole)


def selected_up_to(p: np.ndarray, rate: float) -> float:
    """Return the largest p-value that Benjamini and Hochberg select, 0 where they select none.

    >>> selected_up_to(np.array([0.001, 0.02, 0.5]), 0.05)
    0.02
    """
    ordered = np.sort(p)
    below = ordered <= rate * np.arange(1, len(p) + 1) / len(p)
    return float(ordered[below][-1]) if below.any() else 0.0


def _families(sums: SlicedEnsemble) -> Iterator[Family]:
    for partition in sums.partitions:
        yield _family((partition,))
    coarse = [sums.fifths if each.kind == "spread" and sums.fifths is not None else each for each in sums.partitions]
    for pair in combinations(coarse, 2):
        yield _family(pair)
    for three in combinations(coarse, 3):
        if sums.whole.n_case >= LEAST_FOR_THREE * prod(len(each.slices) for each in three if each.kind not in WITHIN_CASES):
            yield _family(three)


def _family(partitions: tuple[Partition, ...]) -> Family:
    slices = partitions[0].slices
    for partition in partitions[1:]:
        slices = tuple(one & other for one in slices for other in partition.slices)
    return Family(partitions, slices)


def _label(atoms: Atoms, partitions: Sequence[Partition]) -> np.ndarray:
    """Return the number of the slice that holds each atom, (atom,), NOWHERE for none."""
    label = np.zeros(len(atoms.case), dtype=np.int64)
    missing = np.zeros(len(atoms.case), dtype=bool)
    for partition in partitions:
        each = atoms.labels[partition.kind]
        label, missing = label * len(partition.slices) + each, missing | (each == NOWHERE)
    return np.where(missing, NOWHERE, label)


class _Candidate(NamedTuple):
    """A slice that was selected, by its family and its number there; test and z of the strongest test on what remains of it."""

    family: Family
    number: int
    test: int = 0
    z: float = 0.0

    @property
    def slice(self) -> Slice:
        return self.family.slices[self.number]

    def is_like(self, other: _Candidate) -> bool:
        """Whether both depart in the same direction; a small ratio and a small coverage both say that the ensemble is too narrow."""
        is_bias = {TESTS[each.test] == "bias" for each in (self, other)}
        return len(is_bias) == 1 and self.z * other.z > 0


def _listed(sums: SlicedEnsemble, families: list[Family], tested: list[Departures], limit: float) -> list[Failure]:
    candidates = [
        _Candidate(family, int(number))
        for family, departure in zip(families, tested, strict=True)
        for number in np.flatnonzero(((departure.p <= limit) & (departure.n_case >= LEAST_CASES)).any(0))
    ]
    chosen: list[_Candidate] = []
    while candidates and len(chosen) < MOST:
        candidates = _remaining(sums, candidates, [each.slice for each in chosen], limit)
        if not candidates:
            break
        strongest = max(candidates, key=lambda each: abs(each.z))
        simplest = _simplest(sums, strongest, candidates, [each.slice for each in chosen], limit)
        chosen = [each for each in chosen if not (simplest.slice.contains(each.slice) and simplest.is_like(each))]
        chosen.append(simplest)
        candidates = [each for each in candidates if each.slice != simplest.slice]
    return [_failure(sums, each, limit) for each in chosen]


def _remaining(sums: SlicedEnsemble, candidates: Sequence[_Candidate], without: Sequence[Slice], limit: float) -> list[_Candidate]:
    """Return the candidates that still depart after the values of other slices are taken away."""
    remaining = []
    for family in dict.fromkeys(each.family for each in candidates):
        departure = family.departures(sums, without)
        strongest = np.argmin(departure.p, axis=0)
        for number in (each.number for each in candidates if each.family is family):
            test = int(strongest[number])
            if departure.p[test, number] <= limit and departure.n_case[number] >= LEAST_CASES:
                remaining.append(_Candidate(family, number, test, float(departure.z[test, number])))
    return remaining


def _simplest(
    sums: SlicedEnsemble, strongest: _Candidate, candidates: Sequence[_Candidate], without: Sequence[Slice], limit: float
) -> _Candidate:
    """Return the slice of fewest kinds that contains the strongest one and departs in the same direction without it too."""
    larger = [each for each in candidates if each.slice != strongest.slice and each.slice.contains(strongest.slice)]
    larger = _remaining(sums, larger, [*without, strongest.slice], limit)
    same = [each for each in larger if each.is_like(strongest)]
    return min(same, key=lambda each: (len(each.slice.kinds), -abs(each.z)), default=strongest)


def _failure(sums: SlicedEnsemble, candidate: _Candidate, limit: float) -> Failure:
    """Return the numbers of a slice that is listed, from all of its values."""
    departure, at = candidate.family.departures(sums), candidate.number
    atoms = sums.atoms(candidate.slice)
    total = atoms.by_case(atoms.holds(candidate.slice)).sum(0)
    order = np.argsort(departure.p[:, at], kind="stable")
    selected = tuple(TESTS[test] for test in order if departure.p[test, at] <= limit)
    strongest = int(order[0])
    return Failure(
        candidate.slice,
        selected,
        _estimates(departure, at),
        float(departure.z[strongest, at]),
        float(departure.n_case[at]),
        float(departure.n_effective[strongest, at]),
        float(total[0] / atoms.sums[:, 0].sum()),
        total,
    )


def _estimates(departure: Departures, at: int) -> dict[str, Estimate]:
    """Return the estimates of one slice as they are read, by test."""
    low, high = departure.interval()
    ends = (departure.here, low, high, departure.rest)
    return {test: Estimate(*(_as_shown(test, float(each[place, at])) for each in ends)) for place, test in enumerate(TESTS)}


def _as_shown(test: str, value: float) -> float:
    """Return an estimate as it is read: the ratio and not its logarithm, the coverage and not its excess."""
    return float(np.exp(value)) if test == "ratio" else value + LEVEL if test == "coverage" else value
