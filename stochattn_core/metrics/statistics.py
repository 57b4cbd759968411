"""Sums over cases, from which every score is computed: the sums of parts of a set add, so that no root or ratio is averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, get_type_hints

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.arrays import Array
from stochattn_core.metrics.crps import CrpsParts, hersbach_parts
from stochattn_core.metrics.sums import sums_over_cases

Axes = tuple[str, ...]

# The axes of each field; event and head are several axes or none.
ByBlock = Annotated[Tensor, "block"]
ByEvent = Annotated[Tensor, "block", "event"]
ByRank = Annotated[Tensor, "block", "rank", "event"]
ByLevel = Annotated[Tensor, "block", "level", "event"]
ByHead = Annotated[Tensor, "block", "head"]
ByMember = Annotated[Tensor, "block", "member", "head"]
ByBin = Annotated[Tensor, "block", "bin", "head"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over cases, with the leading axis block, float64 on the CPU. f is the plain model, m the ensemble mean, y the target.

    event: the axes of the target after case.   head: the first of them, or none, for sums that pool the rest of the event.
    Elements with a NaN target are left out of every sum; `n` counts the others. Sums that need two members are NaN for one member; sums that
    need a climatology are NaN without one. Units: those of the target, squared where the name says so.
    Statistics.of computes them and `+` joins them: the sums of the parts of a set equal the sums of the set, block by block.
    more: the sums of the table SUMS that have no field of their own here, each (block, *event).
    """

    n: ByEvent  # elements observed
    n_case: ByBlock  # cases with at least one element observed
    plain_error_sq: ByEvent  # (f - y)^2
    plain_error_abs: ByEvent
    error: ByEvent  # m - y
    error_sq: ByEvent
    variance: ByEvent  # of the members, ddof = 1
    drift_sq: ByEvent  # (m - f)^2
    crps: ByEvent
    crps_fair: ByEvent
    crps_climatology: ByEvent  # plain CRPS of the climatological ensemble
    climatology_variance: ByEvent
    rank: ByRank  # probability of each rank 0 .. M, ties split
    hersbach_below: ByRank  # alpha
    hersbach_above: ByRank  # beta
    covered: ByLevel  # by the central interval of each of intervals.LEVELS
    width: ByLevel
    energy: ByBlock  # fair energy score of the whole event
    weight: ByHead  # elements observed, weighted
    pooled_error_sq: ByHead  # (f - y)^2, weighted like the deviations: the d0^2 of tuning
    deviation_sq: ByMember  # (f_j - f)^2: the d_j^2 of tuning
    spread_bin: Annotated[Tensor, "bin"]  # floor(8 log2 spread) of each bin in use, ascending
    bin_weight: ByBin
    bin_variance: ByBin
    bin_error_sq: ByBin
    more: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        members: Array,
        target: Array,
        plain: Array,
        block: Array | Sequence[int],
        n_block: int,
        *,
        climatology: Array | None = None,
        clim_sd: Array | float | None = None,
        weights: Array | None = None,
    ) -> Statistics:
        """Return the sums over these cases. It reads chunks of cases, so that arrays larger than memory may be given as a numpy memmap.

        members: (member, case, *event).   target, plain: (case, *event), same units.   block: (case,) ints in 0 .. n_block - 1.
        climatology: (reference, *event) or (reference, case, *event), a reference ensemble of about a hundred values.
        clim_sd: broadcasts to (case, *event), the climatological standard deviation; without it, that of `climatology`.
        weights: broadcasts to *event, mean 1; used only in the sums that pool the event (head) and in the energy score.
        A NaN target is missing and left out. ValueError for NaN or infinity anywhere else, and for shapes that do not fit.

        >>> sums = Statistics.of(torch.tensor([[0.0], [2.0]]), torch.tensor([1.0]), torch.tensor([1.5]), [0], 1)
        >>> sums.variance, sums.drift_sq, sums.rank
        (tensor([2.], dtype=torch.float64), tensor([0.2500], dtype=torch.float64), tensor([[0., 1., 0.]], dtype=torch.float64))
        """
        chunks = sums_over_cases(members, target, plain, block, n_block, climatology=climatology, clim_sd=clim_sd, weights=weights)
        total, *rest = (cls._from_fields(chunk) for chunk in chunks)
        for chunk in rest:
            total = total + chunk
        return total

    @classmethod
    def _from_fields(cls, values: Mapping[str, Tensor]) -> Statistics:
        """Return the statistics with these sums, by name; those without a field of their own are stored in `more`."""
        return cls(**{name: values[name] for name in AXES}, more={name: sums for name, sums in values.items() if name not in AXES})

    @property
    def n_member(self) -> int:
        return self.rank.shape[1] - 1

    @property
    def n_block(self) -> int:
        return self.n.shape[0]

    @property
    def event(self) -> tuple[int, ...]:
        return tuple(self.n.shape[1:])

    @cached_property
    def crps_parts(self) -> CrpsParts:
        """Hersbach's decomposition of the plain CRPS: each part (block, *event), in the units of the target."""
        rank, below, above = (values.movedim(1, 0) for values in (self.rank, self.hersbach_below, self.hersbach_above))
        return hersbach_parts(below / self.n, above / self.n, rank / self.n, self.crps_climatology / self.n)

    def __add__(self, other: Statistics) -> Statistics:
        if not isinstance(other, Statistics):
            return NotImplemented
        mine, theirs = (self.n_member, self.n_block, self.event), (other.n_member, other.n_block, other.event)
        if mine != theirs:
            raise ValueError(
                f"statistics add when members, blocks and event agree, got {mine} and {theirs}; "
                "use the same n_block for every part of a set"
            )
        bins = torch.unique(torch.cat([self.spread_bin, other.spread_bin]))
        left, right = self._with_bins(bins), other._with_bins(bins)
        joined = {name: values + right[name] for name, values, axes in left if axes[0] == "block"}
        return left._replace(**joined)

    def __getitem__(self, name: str) -> Tensor:
        """Return one sum by its name, from a field or from `more`; NaN, (block, *event), if there is no such sum."""
        if name in AXES:
            return getattr(self, name)
        return self.more[name] if name in self.more else torch.full_like(self.n, torch.nan)

    def __iter__(self) -> Iterator[tuple[str, Tensor, Axes]]:
        """Yield name, values and axes of every sum."""
        yield from ((name, getattr(self, name), axes) for name, axes in AXES.items())
        yield from ((name, values, ("block", "event")) for name, values in self.more.items())

    def __radd__(self, other: object) -> Statistics:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum(parts) starts at 0

    def total(self) -> Statistics:
        """Return the sums over all blocks: the leading axis of every field has length 1."""
        return self.resampled(torch.ones(1, self.n_block))

    def resampled(self, counts: Tensor) -> Statistics:
        """Return the sums with each block counted several times; the leading axis becomes replicate.   counts: (replicate, block)."""
        counts = counts.to(torch.float64)
        return self._map(lambda values, axes: torch.tensordot(counts, values, dims=1))

    def weighted(self, counts: Tensor) -> Statistics:
        """Return the same as `resampled` for pooled sums, by the plain matrix product: the bits of `counts @ values`.   counts: (replicate, block)."""
        return self._map(lambda values, axes: counts @ values)

    def at(self, block: int) -> Statistics:
        """Return one entry of the leading axis, as an axis of length 1."""
        return self._map(lambda values, axes: values[block : block + 1])

    def pooled(self, weights: Tensor | None = None) -> Statistics:
        """Return the weighted sums over all elements of the event, so that event = ().   weights: broadcasts to *event; 1 if not given.

        The head sums were weighted in Statistics.of and are added without weights.
        """
        scale = torch.ones(self.event, dtype=torch.float64)
        if weights is not None:
            scale = scale * torch.as_tensor(weights, dtype=torch.float64).cpu()

        def pool(values: Tensor, axes: tuple[str, ...]) -> Tensor:
            if axes[-1] == "event" and self.event:
                return (values * scale).flatten(len(axes) - 1).sum(-1)
            if axes[-1] == "head":
                return values.flatten(len(axes) - 1).sum(-1) if values.ndim >= len(axes) else values
            return values

        return self._map(pool)

    def used(self) -> Statistics:
        """Return the sums of the blocks that have a case."""
        keep = self.n_case > 0
        return self if bool(keep.all()) else self._map(lambda values, axes: values[keep])

    def without_each(self) -> Statistics:
        """Return the sums over all blocks but one: the leading axis runs over the block that is left out, of those that have a case."""
        return self.used()._map(lambda values, axes: values.sum(0, keepdim=True) - values)

    def merged(self, n_most: int) -> Statistics:
        """Return the sums of at most n_most blocks, each of neighbouring ones; the same statistics where there are no more."""
        if self.n_block <= n_most:
            return self
        to = torch.from_numpy(coarser(np.arange(self.n_block), n_most))
        return self._map(lambda values, axes: values.new_zeros(n_most, *values.shape[1:]).index_add_(0, to, values))

    @classmethod
    def joined(cls, parts: Sequence[Statistics]) -> Statistics:
        """Return the statistics whose blocks are those of the parts, one part after another."""
        bins = torch.unique(torch.cat([part.spread_bin for part in parts]))
        wide = [part._with_bins(bins) for part in parts]
        return wide[0]._replace(**{name: torch.cat([part[name] for part in wide]) for name, _, axes in wide[0] if axes[0] == "block"})

    def select(self, index: int | slice | list[int]) -> Statistics:
        """Return the sums of one element (an int; the axis is removed) or several elements of the first event axis, such as one lead time.

        The energy score describes the whole event. It becomes the fair CRPS if one number is left, and NaN otherwise; n_case is then the
        largest count of any element. ValueError if there is no event axis.
        """
        if not self.event:
            raise ValueError("there is no event axis to select from: the target is one number a case, or was pooled already")

        def pick(values: Tensor, axes: tuple[str, ...]) -> Tensor:
            place = len(axes) - 1
            if axes[-1] not in ("event", "head") or values.ndim == place:
                return values
            return values[(slice(None),) * place + (index,)]

        picked = self._map(pick)
        scalar = not picked.event
        energy = picked.crps_fair if scalar else torch.full_like(self.energy, torch.nan)
        n_case = picked.n.flatten(1).amax(1) if not scalar else picked.n
        return picked._replace(energy=energy, n_case=n_case)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return every sum by name, to be stored in a file; from_arrays restores the same statistics, bit for bit."""
        return {name: values.numpy() for name, values, _ in self}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Statistics:
        """Return the statistics that to_arrays stored. ValueError if a sum is missing."""
        missing = [name for name in AXES if name not in arrays]
        if missing:
            raise ValueError(f"these are not stored statistics: {', '.join(missing[:3])} missing; compute them again")
        return cls._from_fields({name: torch.tensor(np.asarray(values)) for name, values in arrays.items()})

    def _map(self, change: Callable[[Tensor, Axes], Tensor]) -> Statistics:
        """Return the statistics with change(values, axes) in the place of every sum that has blocks."""
        return self._replace(**{name: change(values, axes) for name, values, axes in self if axes[0] == "block"})

    def _replace(self, **changed: Tensor) -> Statistics:
        return Statistics._from_fields({name: changed.get(name, values) for name, values, _ in self})

    def _with_bins(self, bins: Tensor) -> Statistics:
        """Return the same statistics with these bins, which include the present ones; the new ones are 0."""
        place = torch.searchsorted(bins, self.spread_bin)

        def widen(values: Tensor) -> Tensor:
            wide = torch.zeros(values.shape[0], len(bins), *values.shape[2:], dtype=values.dtype)
            wide[:, place] = values
            return wide

        names = ("bin_weight", "bin_variance", "bin_error_sq")
        return self._replace(spread_bin=bins, **{name: widen(getattr(self, name)) for name in names})


def coarser(block: np.ndarray, n_most: int) -> np.ndarray:
    """Return block numbers, in the same order, of at most n_most blocks: neighbouring ones are joined, nearly the same number in each.

    >>> coarser(np.array([0, 1, 2, 2, 3]), 2).tolist()
    [0, 0, 1, 1, 1]
    """
    n_block = int(block.max()) + 1 if len(block) else 0
    return block if n_block <= n_most else block * n_most // n_block


AXES: dict[str, tuple[str, ...]] = {
    name: annotated.__metadata__ for name, annotated in get_type_hints(Statistics, include_extras=True).items() if name != "more"
}
