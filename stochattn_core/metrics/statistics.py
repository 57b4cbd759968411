"""Sums over cases from which every score is computed: they add, so no root or ratio is ever averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, get_type_hints

import numpy as np
import torch
from torch import Tensor

BIN_PER_OCTAVE = 8  # of the spread: bins 9% wide, merged to about 10 at display
BIN_SLACK = 1e-9  # of a bin: the variance of tied members may be a power of two, where rounding would choose the bin
LEAST_SPREAD = 2.0**-60  # a spread of exactly 0 has no logarithm; it goes to the bin of this one


# The axes of a field of sums; event and head stand for several axes or none.
ByBlock = Annotated[Tensor, "block"]
ByEvent = Annotated[Tensor, "block", "event"]
ByRank = Annotated[Tensor, "block", "rank", "event"]
ByLevel = Annotated[Tensor, "block", "level", "event"]
ByHead = Annotated[Tensor, "block", "head"]
ByMember = Annotated[Tensor, "block", "member", "head"]
ByBin = Annotated[Tensor, "block", "bin", "head"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over cases, leading axis block, float64 on the CPU. f is the plain model, m the ensemble mean, y the target.

    event: the axes of the target after case. head: the first of them, or none: sums that pool the rest of the event.
    Elements with a NaN target are in no sum; `n` counts what is left. What needs two members is NaN for one member; what
    needs a climatology is NaN without one. Units: those of the target, squared where the name says so.
    Made by Statistics.of, joined by `+`: sums over the parts of a set equal the sums over the set, block by block.
    """

    n: ByEvent  # elements observed
    n_case: ByBlock  # cases with anything observed
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

    @classmethod
    def of(cls, members, target, plain, block, n_block: int, *, climatology=None, clim_sd=None, weights=None) -> Statistics:
        """The sums over these cases. Streams over cases, so that arrays larger than memory may be given as a numpy memmap.

        members: (member, case, *event).   target, plain: (case, *event), same units.   block: (case,) ints in 0 .. n_block - 1.
        climatology: (reference, *event) or (reference, case, *event), a reference ensemble, a hundred values or so.
        clim_sd: broadcasts to (case, *event), the climatological standard deviation; that of `climatology` when not given.
        weights: broadcasts to *event, mean 1; for the sums that pool the event (head) and the energy score only.
        NaN in target is missing and left out; NaN or infinity anywhere else is an error, never left out in silence.

        >>> one = Statistics.of(torch.tensor([[0.0], [2.0]]), torch.tensor([1.0]), torch.tensor([1.5]), [0], 1)
        >>> one.variance, one.drift_sq, one.rank
        (tensor([2.], dtype=torch.float64), tensor([0.2500], dtype=torch.float64), tensor([[0., 1., 0.]], dtype=torch.float64))
        """
        from stochattn_core.metrics.sums import sums_over_cases  # which makes Statistics, so it comes after this class

        return sums_over_cases(members, target, plain, block, n_block, climatology=climatology, clim_sd=clim_sd, weights=weights)

    @property
    def n_member(self) -> int:
        return self.rank.shape[1] - 1

    @property
    def n_block(self) -> int:
        return self.n.shape[0]

    @property
    def event(self) -> tuple[int, ...]:
        return tuple(self.n.shape[1:])

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
        return Statistics(
            **{name: getattr(left, name) if name == "spread_bin" else getattr(left, name) + getattr(right, name) for name in AXES}
        )

    def __radd__(self, other) -> Statistics:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum(parts) starts at 0

    def total(self) -> Statistics:
        """All blocks as one: every field keeps its leading axis, now of length 1."""
        return self.resampled(torch.ones(1, self.n_block))

    def resampled(self, counts: Tensor) -> Statistics:
        """Sums in which each block is taken so many times: (replicate, block) counts, and replicate becomes the leading axis."""
        counts = counts.to(torch.float64)
        return self._map(lambda values, axes: torch.tensordot(counts, values, dims=1))

    def at(self, block: int) -> Statistics:
        """One entry of the leading axis alone, as an axis of length 1."""
        return self._map(lambda values, axes: values[block : block + 1])

    def pooled(self, weights: Tensor | None = None) -> Statistics:
        """All elements of the event as one, event = (): a weighted sum with weights (broadcast to *event), 1 when not given.

        The head sums were weighted when they were made, and are summed as they are.
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

    def select(self, index: int | slice | list[int]) -> Statistics:
        """The sums of one element (an int: the axis goes) or several of the first event axis, for instance one lead time.

        The energy score is of the whole event: it becomes the fair CRPS when one number is left, NaN otherwise; n_case is
        then the largest count of any element.
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
        """Every field by name, for a file; from_arrays gives the same object back, bit for bit."""
        return {name: getattr(self, name).numpy() for name in AXES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Statistics:
        missing = [name for name in AXES if name not in arrays]
        if missing:
            raise ValueError(f"these are not stored statistics: {', '.join(missing[:3])} missing; compute them again")
        return cls(**{name: torch.tensor(np.asarray(arrays[name])) for name in AXES})

    def _map(self, change: Callable[[Tensor, tuple[str, ...]], Tensor]) -> Statistics:
        """change(values, axes) over every field of sums."""
        return self._replace(**{name: change(getattr(self, name), axes) for name, axes in AXES.items() if axes[0] == "block"})

    def _replace(self, **changed: Tensor) -> Statistics:
        return Statistics(**{name: changed.get(name, getattr(self, name)) for name in AXES})

    def _with_bins(self, bins: Tensor) -> Statistics:
        """The same with these bins, of which the present ones are a part; the new ones hold 0."""
        place = torch.searchsorted(bins, self.spread_bin)

        def widen(values: Tensor) -> Tensor:
            wide = torch.zeros(values.shape[0], len(bins), *values.shape[2:], dtype=values.dtype)
            wide[:, place] = values
            return wide

        names = ("bin_weight", "bin_variance", "bin_error_sq")
        return self._replace(spread_bin=bins, **{name: widen(getattr(self, name)) for name in names})


AXES: dict[str, tuple[str, ...]] = {
    name: annotated.__metadata__ for name, annotated in get_type_hints(Statistics, include_extras=True).items()
}
