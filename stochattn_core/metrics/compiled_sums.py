"""The sums of `sums`, compiled for the CPU: equal counts, and sums equal but for their last bits, in much less time.

The kernels pass over the members once, a chunk of cases at a time (`sum_kernels.py`; `energy_kernels.py` for the energy score). Until their
machine code is available, `sums` computes in torch; see `stochattn_core.compiled`. The time saved: benchmarks/results/scores.json.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stochattn_core.compiled import Kernels
from stochattn_core.metrics.intervals import LEVELS, positions
from stochattn_core.metrics.tails import TAILS, tail_threshold

_sum_kernels = Kernels("stochattn_core.metrics.sum_kernels")
_energy_kernels = Kernels("stochattn_core.metrics.energy_kernels")
_tail_kernels = Kernels("stochattn_core.metrics.tail_kernels")
_ALL = (_sum_kernels, _energy_kernels, _tail_kernels)


def takes(members: Tensor | np.ndarray) -> bool:
    """Return whether the machine code is available and can work where the members are."""
    if isinstance(members, Tensor) and members.device.type != "cpu":
        return False
    return None not in [kernels.loaded() for kernels in _ALL]


def wait() -> bool:
    """Load the kernels, after waiting for their compilation; return whether they are available. See Kernels.wait."""
    return all([kernels.wait() for kernels in _ALL])


class CompiledSums:
    """The sums of the cases added so far, except those with one number a case: the energy score and the number of cases.

    To be made only where `takes` is True.
    """

    def __init__(self, n_member: int, event: tuple[int, ...], n_block: int, weights: Tensor | None, climatology: Tensor | None) -> None:
        """weights: (*event).   climatology: (reference, *event), the same for all cases.   Both float64."""
        kernels, energy_kernels, tail_kernels = (each.loaded() for each in _ALL)
        assert kernels is not None and energy_kernels is not None and tail_kernels is not None  # `takes` was asked
        self.kernels, self.energy_kernels, self.tail_kernels = kernels, energy_kernels, tail_kernels
        self.n_member, self.event, self.n_block = n_member, event, n_block
        self.n_event = int(np.prod(event, dtype=np.int64))
        self.weights = np.ones(self.n_event) if weights is None else weights.reshape(-1).contiguous().numpy()
        reference = np.empty((0, self.n_event)) if climatology is None else climatology.reshape(len(climatology), -1).sort(0).values.numpy()
        n = len(reference)
        self.reference = np.ascontiguousarray(reference.T)
        self.reference_distance = self.reference @ (2 * np.arange(1, n + 1) - n - 1) / max(n, 1) ** 2
        # The tails, where there is one climatology for all cases: threshold (event,), and the sums of members and climatology, (block, event).
        self.tails: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        if climatology is not None:
            for name in TAILS:
                threshold = tail_threshold(climatology, name).reshape(-1).contiguous().numpy()
                self.tails[name] = (threshold, np.zeros((n_block, self.n_event)), np.zeros((n_block, self.n_event)))
        self.ends = _ends(n_member)
        self.pairs = self.kernels.sorting_network(n_member)
        self.by_element = np.zeros((n_block, self.kernels.N_MOMENT + n_member + 3 * (n_member + 1) + len(LEVELS), self.n_event))
        head = int(np.prod(event[:1], dtype=np.int64))
        self.used = np.zeros(self.kernels.N_BIN, np.bool_)
        self.bins, self.by_bin = np.zeros(0, np.int64), np.zeros((n_block, 0, head, 3))

    def add(self, members: np.ndarray, first: int, target: Tensor, plain: Tensor, block: Tensor, clim_sd: Tensor) -> tuple[int, int, int]:
        """Add the cases of a chunk. Return the number of members, plain values and targets that are not finite; the sums are void if any is.

        members: (member, case * *event), contiguous; the cases begin in column `first`.   clim_sd: (0, 1 or case, *event), float64.
        """
        y, f, sd = (values.reshape(len(values), self.n_event).contiguous().numpy() for values in (target, plain, clim_sd))
        blocks = block.numpy()
        variance, error_sq, bins = np.empty(y.shape), np.empty(y.shape), np.empty(y.shape, np.int64)
        n_wrong: tuple[int, int, int] = self.kernels.add_cases(
            members, first, y, f, blocks, self.pairs, *self.ends, self.reference, self.reference_distance, sd,
            self.by_element, variance, error_sq, bins, self.used,
        )  # fmt: skip
        if any(n_wrong):
            return n_wrong
        known = np.flatnonzero(self.used)
        if len(known) > len(self.bins):
            wide = np.zeros((self.n_block, len(known), *self.by_bin.shape[2:]))
            wide[:, np.searchsorted(known, self.bins)] = self.by_bin
            self.bins, self.by_bin = known, wide
        for name, (threshold, *tail_sums) in self.tails.items():
            self.tail_kernels.add_tail(members, first, y, blocks, threshold, TAILS[name][1], self.reference, *tail_sums)
        place = np.searchsorted(known, np.arange(self.kernels.N_BIN))
        self.kernels.add_bins(bins, place, variance, error_sq, blocks, self.weights, self.by_bin)
        return n_wrong

    def energy(self, members: np.ndarray, first: int, target: Tensor) -> Tensor:
        """Return the fair energy score of each case of a chunk, (case,), 0 where nothing is observed. Arguments as in `add`."""
        energy = torch.empty(len(target), dtype=torch.float64)
        target = target.reshape(len(target), self.n_event).contiguous()
        self.energy_kernels.energy(members, first, target.numpy(), self.weights, energy.numpy())
        return energy

    def fields(self, n_case: Tensor | None, energy: Tensor | None, crps_climatology: Tensor | None, has_clim_sd: bool) -> dict[str, Tensor]:
        """Return the sums by the names of the fields of Statistics.

        n_case, energy: (block,). None for both where the target is one number a case: the other sums then contain them.
        crps_climatology: (block, *event), where it was summed elsewhere; None where it was summed here.
        """
        m, k = self.n_member, self.kernels
        sums = torch.from_numpy(self.by_element)
        n = sums[:, k.N]
        missing = torch.zeros_like(n).masked_fill(
            n > 0, torch.nan
        )  # an unknown quantity: NaN where there is a case, as a sum of NaN, else 0
        deviation_sq, rank, alpha, beta, covered = sums[:, k.N_MOMENT :].split([m, m + 1, m + 1, m + 1, len(LEVELS)], 1)
        gap = (alpha + beta)[:, 1:m]
        # CRPS and widths are weighted sums of the gaps between sorted errors, below and above 0: Hersbach (2000), equation 25.
        i = torch.arange(m + 1, dtype=torch.float64)
        crps = _weighted(alpha, (i / m) ** 2) + _weighted(beta, (1 - i / m) ** 2)
        crps_fair = crps - _weighted(gap, (i * (m - i))[1:m] / (m * m * max(m - 1, 1)))
        low, part = self.ends
        reached = (torch.from_numpy(low + part)[..., None] + 1 - i[1:m]).clamp(0, 1)  # share of each gap below the end: (2, level, gap)
        width = _weighted(gap, reached[1] - reached[0])
        if m == 1:
            crps_fair = missing
            covered = width = missing[:, None].expand_as(covered)
        crps_reference = sums[:, k.CLIMATE_CRPS] if self.reference.shape[1] else missing

        def by_event(values: Tensor) -> Tensor:
            """Return a copy with the axes of the event: (block, ..., event) -> (block, ..., *event)."""
            return values.clone(memory_format=torch.contiguous_format).reshape(*values.shape[:-1], *self.event)

        def by_head(values: Tensor) -> Tensor:
            """Return the weighted sum over all of the event but its first axis: (block, ..., event) -> (block, ..., *head)."""
            values = (values * torch.from_numpy(self.weights)).reshape(*values.shape[:-1], *self.event)
            return values.flatten(values.ndim - len(self.event) + 1).sum(-1) if len(self.event) > 1 else values

        def by_bin(values: np.ndarray) -> Tensor:
            """Return a copy with the head as in the event: (block, bin, head) -> (block, bin, *head)."""
            return torch.from_numpy(np.ascontiguousarray(values)).reshape(*values.shape[:-1], *self.event[:1])

        of_tails = {
            f"{name}{end}": by_event(torch.from_numpy(sums))
            for name, (_, *both) in self.tails.items()
            for end, sums in zip(("", "_climatology"), both, strict=True)
        }
        if not of_tails and crps_climatology is None:  # no climatology
            of_tails = {f"{name}{end}": by_event(missing) for name in TAILS for end in ("", "_climatology")}
        return of_tails | {
            "n": by_event(n),
            "n_case": n[:, 0].clone() if n_case is None else n_case,
            "plain_error_sq": by_event(sums[:, k.PLAIN_SQ]),
            "plain_error_abs": by_event(sums[:, k.PLAIN_ABS]),
            "error": by_event(sums[:, k.ERROR]),
            "error_sq": by_event(sums[:, k.ERROR_SQ]),
            "variance": by_event(sums[:, k.VARIANCE] if m > 1 else missing),
            "drift_sq": by_event(sums[:, k.DRIFT_SQ]),
            "crps": by_event(crps),
            "crps_fair": by_event(crps_fair),
            "crps_climatology": by_event(crps_reference) if crps_climatology is None else crps_climatology,
            "climatology_variance": by_event(sums[:, k.CLIMATE_VARIANCE] if has_clim_sd else missing),
            "rank": by_event(rank),
            "hersbach_below": by_event(alpha),
            "hersbach_above": by_event(beta),
            "covered": by_event(covered),
            "width": by_event(width),
            "energy": crps_fair[:, 0].clone() if energy is None else energy,
            "weight": by_head(n),
            "pooled_error_sq": by_head(sums[:, k.PLAIN_SQ]),
            "deviation_sq": by_head(deviation_sq),
            "spread_bin": torch.from_numpy(self.bins + k.LOWEST_BIN),
            "bin_weight": by_bin(self.by_bin[..., 0]),
            "bin_variance": by_bin(self.by_bin[..., 1]),
            "bin_error_sq": by_bin(self.by_bin[..., 2]),
        }


def columns(members: Tensor | np.ndarray) -> np.ndarray | None:
    """Return all members as (member, case * *event), or None where their memory is not as the kernels need it and chunks must be copied."""
    if isinstance(members, Tensor) and members.dtype in (torch.float32, torch.float64):
        members = members.detach().numpy()
    if type(members) is not np.ndarray or members.dtype not in (np.float32, np.float64) or not members.flags.carray:
        return None
    return members.reshape(len(members), -1)


def _weighted(sums: Tensor, weights: Tensor) -> Tensor:
    """Return sums over the second axis with the weights of one or several results: (block, j, event), (..., j) -> (block, ..., event)."""
    return torch.einsum("bje,...j->b...e", sums, weights)


def _ends(n_member: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the member below each end of each interval, and the share of the gap above that member: (2, level) each, lower and upper end."""
    low, part = positions([*((1 - level) / 2 for level in LEVELS), *((1 + level) / 2 for level in LEVELS)], n_member)
    return low.view(2, -1).numpy(), part.view(2, -1).numpy()
