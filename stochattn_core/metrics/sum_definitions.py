"""The table of sums: the quantities that are summed over cases, element by element, each defined in torch.

A score that needs a new sum adds its definition to SUMS, and Statistics then contains it everywhere. `compiled_sums` has most of these sums
and computes them faster; the others are computed from their definition. A test compares both for every sum of the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stochattn_core.metrics.crps import crps_of_errors, hersbach_bins
from stochattn_core.metrics.intervals import LEVELS, quantiles_of_sorted
from stochattn_core.metrics.ranks import rank_weights
from stochattn_core.metrics.tails import TAILS, tail_crps, tail_crps_of_climatology, tail_threshold


@dataclass(frozen=True, eq=False)
class Cases:
    """A chunk of cases, float64 on one device, and the quantities that several sums share.

    members: (member, case, *event).   target: (case, *event), NaN where missing.   plain: (case, *event), the plain model's forecast.
    climatology: (reference, *event) or (reference, case, *event), or None.   clim_sd: (case, *event), or None.
    """

    members: Tensor
    target: Tensor
    plain: Tensor
    climatology: Tensor | None = None
    clim_sd: Tensor | None = None

    @property
    def n_member(self) -> int:
        return self.members.shape[0]

    @cached_property
    def seen(self) -> Tensor:
        """True where there is a target: (case, *event) bool."""
        return ~torch.isnan(self.target)

    @cached_property
    def filled(self) -> Tensor:
        """The target, and the plain forecast where the target is missing: (case, *event). Missing elements are in no sum; any number would do."""
        return torch.where(self.seen, self.target, self.plain)

    @cached_property
    def unknown(self) -> Tensor:
        """NaN for a quantity that cannot be computed: (case, *event)."""
        return torch.full_like(self.filled, torch.nan)

    @cached_property
    def sorted_error(self) -> Tensor:
        """Member minus target, ascending: (member, case, *event)."""
        return (self.members - self.filled).sort(0).values

    @cached_property
    def mean(self) -> Tensor:
        """Ensemble mean: (case, *event)."""
        return self.members.mean(0)

    @cached_property
    def error(self) -> Tensor:
        """Ensemble mean minus target: (case, *event)."""
        return self.mean - self.filled

    @cached_property
    def variance(self) -> Tensor:
        """Variance of the members, ddof = 1; NaN for one member: (case, *event)."""
        if self.n_member < 2:
            return self.unknown
        return (self.members - self.mean).square().sum(0) / (self.n_member - 1)

    @cached_property
    def hersbach(self) -> tuple[Tensor, Tensor]:
        """Hersbach's alpha and beta, each (member + 1, case, *event)."""
        return hersbach_bins(self.sorted_error)

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Lower and upper ends of the central intervals minus the target, each (level, case, *event)."""
        shares = [*((1 - level) / 2 for level in LEVELS), *((1 + level) / 2 for level in LEVELS)]
        ends = quantiles_of_sorted(self.sorted_error, shares)
        return ends[: len(LEVELS)], ends[len(LEVELS) :]


def _crps_fair(cases: Cases) -> Tensor:
    return crps_of_errors(cases.sorted_error, fair=True) if cases.n_member > 1 else cases.unknown


def _crps_climatology(cases: Cases) -> Tensor:
    reference, target = cases.climatology, cases.filled
    if reference is None:
        return cases.unknown
    reference = reference if reference.ndim > target.ndim else reference.unsqueeze(1)
    return crps_of_errors((reference - target).sort(0).values, fair=False)


def _covered(cases: Cases) -> Tensor:
    lower, upper = cases.ends
    if cases.n_member < 2:
        return torch.full_like(lower, torch.nan)
    return ((lower <= 0) & (upper >= 0)).to(lower.dtype)


def _width(cases: Cases) -> Tensor:
    lower, upper = cases.ends
    return upper - lower if cases.n_member > 1 else torch.full_like(lower, torch.nan)


def _tail(cases: Cases, name: str, *, of_climatology: bool = False) -> Tensor:
    """Return the threshold-weighted CRPS of one of TAILS: fair for the members, plain for the climatology."""
    reference, target, is_upper = cases.climatology, cases.filled, TAILS[name][1]
    if reference is None or (cases.n_member < 2 and not of_climatology):
        return cases.unknown
    threshold = tail_threshold(reference, name)
    if not of_climatology:
        return tail_crps(cases.members, target, threshold, is_upper=is_upper)
    if reference.ndim == target.ndim:  # the same in all cases
        return tail_crps_of_climatology(reference, target, threshold, is_upper=is_upper)
    return tail_crps(reference, target, threshold, is_upper=is_upper, fair=False)


# Each definition returns (..., case, *event); elements without a target are left out of the sum.
SUMS: dict[str, Callable[[Cases], Tensor]] = {
    "n": lambda cases: torch.ones_like(cases.filled),
    "plain_error_sq": lambda cases: (cases.plain - cases.filled) ** 2,
    "plain_error_abs": lambda cases: (cases.plain - cases.filled).abs(),
    "error": lambda cases: cases.error,
    "error_sq": lambda cases: cases.error**2,
    "variance": lambda cases: cases.variance,
    "drift_sq": lambda cases: (cases.mean - cases.plain) ** 2,
    "crps": lambda cases: crps_of_errors(cases.sorted_error, fair=False),
    "crps_fair": _crps_fair,
    "crps_climatology": _crps_climatology,
    "climatology_variance": lambda cases: cases.unknown if cases.clim_sd is None else cases.clim_sd**2,
    "rank": lambda cases: rank_weights(cases.members, cases.target),
    "hersbach_below": lambda cases: cases.hersbach[0],
    "hersbach_above": lambda cases: cases.hersbach[1],
    "covered": _covered,
    "width": _width,
    "tail_upper": lambda cases: _tail(cases, "tail_upper"),
    "tail_upper_climatology": lambda cases: _tail(cases, "tail_upper", of_climatology=True),
    "tail_lower": lambda cases: _tail(cases, "tail_lower"),
    "tail_lower_climatology": lambda cases: _tail(cases, "tail_lower", of_climatology=True),
}
