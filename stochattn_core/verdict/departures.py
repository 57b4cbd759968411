"""How far an ensemble departs from a calibrated one, overall and in every slice, with one correction for all the tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.dependence import block_sums, dependence
from stochattn_core.metrics.scores.rule import LEAST_EFFECTIVE
from stochattn_core.metrics.significance import infer, student
from stochattn_core.metrics.spread_skill import variance_factor
from stochattn_core.metrics.statistics import Statistics
from stochattn_core.slices import Slice, sliced
from stochattn_core.slices.sums import FIELDS, N_BIN, N, partition_sums_of
from stochattn_core.slices.sums import LEVEL as COVERED_LEVEL
from stochattn_core.verdict.quantities import QUANTITIES, SHAPE, Quantity

LEVEL = 0.9  # of single intervals: a claim that the value lies inside its limits is wrong in 5 of 100 cases at most
JOINT = 0.98  # of all tests together: a departure
UPPER = 0.95  # of the upper limit of a bound
N_DRAW = 4000
LARGE = 1e3  # of a noncentral chi-square in units of its scale
OVERALL = ""  # the kind of the whole
Table = tuple[str, list["Slice | None"], np.ndarray, float]  # kind of the partition, slices, sums (slice, block, field), members scored


@dataclass(frozen=True, eq=False)
class Column:
    """One quantity of one slice.

    departure: 0 when calibrated.   low, high: its interval at LEVEL.   error: standard error.   n_effective: independent cases.
    p: of a departure as large by chance, jointly with all other columns.
    """

    quantity: Quantity
    slice_: Slice | None
    departure: float
    low: float
    high: float
    error: float
    n_effective: float
    p: float = math.nan

    @property
    def is_within(self) -> bool:
        """Whether the interval lies inside the limits: the claim that the quantity is right."""
        return self.quantity.low <= self.low and self.high <= self.quantity.high

    @property
    def is_near_enough(self) -> bool:
        """Whether the estimate itself lies inside the limits."""
        return self.quantity.low <= self.departure <= self.quantity.high

    @property
    def side(self) -> int:
        """-1 or 1 where the quantity departs: beyond its limits, and from 0 beyond chance, all tests counted; else 0."""
        beyond = -1 if self.departure < self.quantity.low else 1 if self.departure > self.quantity.high else 0
        return beyond if self.p < 1 - JOINT else 0

    @property
    def overshoot(self) -> float:
        """By how much the interval reaches beyond its limits."""
        return max(self.quantity.low - self.low, self.high - self.quantity.high, 0.0)


@dataclass(frozen=True)
class Bound:
    """The root-mean-square departure of several columns, without what chance adds, and its upper limit at 95%.

    name: "shape", or the kind of a partition and the key of a quantity.   limit: with a larger upper limit nothing is called calibrated.
    """

    kind: str
    quantity: str
    estimate: float
    upper: float
    limit: float

    @property
    def is_within(self) -> bool:
        return self.upper <= self.limit


@dataclass(frozen=True, eq=False)
class Departures:
    """overall: by key of QUANTITIES.   slices: columns of slices with enough cases.   shape: the distance of the PIT from uniform.
    bounds: one for each partition and each quantity that slices are asked for.   n_slice: slices that were tested.
    """

    overall: dict[str, Column]
    slices: tuple[Column, ...]
    shape: Bound
    bounds: tuple[Bound, ...]
    n_slice: int

    @property
    def n_effective(self) -> float:
        """The smallest number of independent cases behind the ratio, the bias and the coverage."""
        return min(self.overall[key].n_effective for key in ("ratio", "bias", "coverage_90"))


def departures_of(ensemble: Ensemble) -> Departures:
    """Return the departures of an ensemble of 2 members or more. Its blocks are in the order of time."""
    atoms = sliced(ensemble)
    tables: list[Table] = [(OVERALL, [None], atoms.whole.by_case()[None], ensemble.n_member)]
    for partition, sums in partition_sums_of(atoms):
        n_member = ensemble.n_member if all(each.is_whole for each in partition.slices) else ensemble.n_member / 2
        tables.append((partition.kind, list(partition.slices), sums, n_member))
    return _departures(tables)


def overall_departures(statistics: Statistics) -> Departures:
    """Return the departures without slices, from pooled sums whose blocks are in the order of time."""
    sums = statistics.pooled().used()
    rank = sums.rank.T
    m = statistics.n_member
    bins = _between(rank, np.linspace(0, 1, N_BIN + 1))
    covered = _between(rank, np.array([(1 - COVERED_LEVEL) / 2, (1 + COVERED_LEVEL) / 2]))
    columns = [sums.n, sums.error, sums.error_sq, variance_factor(m) * sums.variance, covered[0], sums.crps_fair, sums.plain_error_sq]
    fields = torch.stack([*columns, *bins], 1).numpy()
    return _departures([(OVERALL, [None], fields[None], m)])


def _between(rank: Tensor, edges: np.ndarray) -> Tensor:
    """Return the counts of the randomised PIT between each two edges: rank (rank, block) to (edge - 1, block). A rank fills its bin evenly."""
    below = np.clip(edges[:, None] * len(rank) - np.arange(len(rank)), 0, 1)
    return torch.from_numpy(np.diff(below, axis=0)) @ rank


def _departures(tables: Sequence[Table]) -> Departures:
    """Return the departures from sums (slice, block, field) of the whole and of each partition, the whole first."""
    columns: list[Column] = []
    influences: list[np.ndarray] = []
    whole_columns: dict[str, Column] = {}
    for kind, slices, sums, n_member in tables:
        for quantity in QUANTITIES.values():
            if kind != OVERALL and quantity.key in ("pit_place", "pit_width"):
                continue  # bias and ratio say the same of a slice
            found = _columns(quantity, slices, sums, n_member, whole_columns.get(quantity.key))
            if kind == OVERALL:
                whole_columns[quantity.key] = found[0][0]
            columns += [column for column, _ in found]
            influences += [influence for _, influence in found]
    is_known = [math.isfinite(column.error) and column.error > 0 and column.n_effective >= LEAST_EFFECTIVE for column in columns]
    tested = [column for column, known in zip(columns, is_known, strict=True) if known]
    if tested:
        influence = np.stack([each for each, known in zip(influences, is_known, strict=True) if known], 1)
        draws = _draws(influence)
        tested = [_with_p(column, draws) for column in tested]
    else:
        draws = np.zeros((N_DRAW, 0))
    correlation = draws.T @ draws / N_DRAW
    np.fill_diagonal(correlation, 1.0)  # also of a column that is the same in every block, whose draws are all 0
    overall = {column.quantity.key: column for column in (*columns, *tested) if column.slice_ is None}
    places = {id(column): place for place, column in enumerate(tested)}
    of_slices = [column for column in tested if column.slice_ is not None]
    shape = _bound(OVERALL, "shape", [overall[each.key] for each in SHAPE], correlation, places, limit=SHAPE[0].high, is_sum=True)
    bounds = [
        _bound(kind, quantity.key, chosen, correlation, places, limit=quantity.over_slices)
        for kind in dict.fromkeys(column.slice_.kinds[0] for column in of_slices if column.slice_)
        for quantity in QUANTITIES.values()
        if math.isfinite(quantity.over_slices)
        for chosen in [[column for column in of_slices if column.slice_ and column.slice_.kinds[0] == kind and column.quantity is quantity]]
        if chosen
    ]
    return Departures(overall, tuple(of_slices), shape, tuple(bounds), sum(len(slices) for kind, slices, *_ in tables if kind != OVERALL))


def _columns(
    quantity: Quantity, slices: Sequence[Slice | None], sums: np.ndarray, n_member: float, whole: Column | None
) -> list[tuple[Column, np.ndarray]]:
    """Return the column of each slice with its influences, (block,), which are 0 for blocks without a value.

    sums: (slice, block, field).   whole: the same quantity of all values, for slices. The standard error of a slice is at least that of the
    whole, scaled to as few cases, and where a block is one value at least that of normal errors: in a few cases with small errors by chance,
    the standard error is small by the same chance.
    """
    assert sums.shape[2] == len(FIELDS)
    total = sums.sum(1)
    estimate = quantity.departure(total, n_member)
    without = quantity.departure(total[:, None] - sums, n_member).T
    found = infer(estimate, without)
    n_block = sums.shape[1]
    share = (sums[..., N] > 0).sum(1) / max(n_block, 1)  # a slice of one season has as many cases as it has, not as many as the year
    effective = found.n_effective * share
    error = found.error
    with np.errstate(divide="ignore", invalid="ignore"):
        if sums[..., N].max(initial=0) <= 1:  # a block is one value, whose chance errors are known
            error = np.where(np.isfinite(error), np.fmax(error, quantity.by_chance / np.sqrt(effective)), error)
        if whole is not None:
            error = np.fmax(error, whole.error * np.sqrt(whole.n_effective / effective))
    reach = student(LEVEL, effective) * error
    return [
        (Column(quantity, each, *numbers), found.influence[:, k])
        for k, (each, *numbers) in enumerate(
            zip(slices, *(values.tolist() for values in (estimate, estimate - reach, estimate + reach, error, effective)), strict=True)
        )
    ]


def _draws(influence: np.ndarray) -> np.ndarray:
    """Return standard normal draws with the correlations of the columns, (draw, column), from sums over blocks with random normal factors."""
    few = influence[:, : len(QUANTITIES)]  # those of the whole stand first
    length = int(min(np.max(dependence(few).block_length, initial=1), max(len(influence) // 20, 1)))
    sums = block_sums(influence, length)
    size = np.sqrt(np.square(sums).sum(0))
    factors = np.random.default_rng(0).standard_normal((N_DRAW, len(sums)))
    return factors @ (sums / np.where(size > 0, size, 1.0))


def _with_p(column: Column, draws: np.ndarray) -> Column:
    """Return the column with the probability that the largest of all standardised departures exceeds its own by chance."""
    from scipy import special  # imported late: it takes long

    t = abs(column.departure) / column.error
    z = -special.ndtri(special.stdtr(max(column.n_effective - 1, 1.0), -t))
    exceeded = float((np.abs(draws).max(1) >= z).mean())
    # Beyond the draws, the sum of the probabilities of all tests is a bound that decides as well.
    p = exceeded if exceeded > 0 else min(2 * draws.shape[1] * float(special.ndtr(-z)), 1 / len(draws))
    return replace(column, p=p)


def _bound(
    kind: str, key: str, columns: Sequence[Column], correlation: np.ndarray, places: dict[int, int], *, limit: float, is_sum: bool = False
) -> Bound:
    """Return the bound on the root-mean-square departure of some columns (the root of the sum of squares if is_sum).

    Q = mean of d^2 has the expectation h + tr(S) with h the true mean square and S the covariance of the estimates over their number; it is
    taken to be a scaled noncentral chi-square with the same mean and variance (Satterthwaite). The upper limit is the h that leaves Q or less
    a probability of 5%.
    """
    from scipy import optimize, stats  # imported late: they take long

    places_of = [places.get(id(column), -1) for column in columns]
    departure, error = np.array([column.departure for column in columns]), np.array([column.error for column in columns])
    n = 1 if is_sum else len(columns)
    if min(places_of, default=-1) < 0 or not np.isfinite(departure).all():
        return Bound(kind, key, math.sqrt(float(departure @ departure) / max(n, 1)), math.inf, limit)
    covariance = correlation[np.ix_(places_of, places_of)] * np.outer(error, error) / n
    trace, square = float(np.trace(covariance)), float(np.square(covariance).sum())
    scale, freedom = square / trace, trace**2 / square
    found = float(departure @ departure) / n
    upper, size = 0.0, found / scale
    if size > LARGE:  # the distribution is normal there, and its routine no longer answers
        upper = max(found - trace + scale * stats.norm.ppf(UPPER) * math.sqrt(2 * (freedom + 2 * size)), 0.0)
    elif stats.chi2.cdf(size, freedom) > 1 - UPPER:
        top = 4 * (found + 4 * trace)
        upper = optimize.brentq(lambda h: stats.ncx2.cdf(size, freedom, h / scale) - (1 - UPPER), 1e-12 * top, top)
    return Bound(kind, key, math.sqrt(max(found - trace, 0.0)), math.sqrt(upper), limit)
