"""The sums of `sums`, compiled for the CPU: the same counts, the same sums but for their last bits, many times faster.

One pass over the members, a chunk of cases at a time (`kernels.py`; `energy_kernels.py` for the energy score). Until the compiled code is
there `sums` answers in torch; see `stochattn_core.compiled`. How much faster: benchmarks/results/scores.json.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stochattn_core.compiled import Kernels
from stochattn_core.metrics.intervals import LEVELS, positions

_kernels = Kernels("stochattn_core.metrics.kernels")
_energy_kernels = Kernels("stochattn_core.metrics.energy_kernels")


def takes(members: Tensor | np.ndarray) -> bool:
    """Whether the compiled code is there and can work where the members are."""
    if isinstance(members, Tensor) and members.device.type != "cpu":
        return False
    return None not in [kernels.loaded() for kernels in (_kernels, _energy_kernels)]


def wait() -> bool:
    """As Kernels.wait."""
    return all([kernels.wait() for kernels in (_kernels, _energy_kernels)])


class Sums:
    """What Statistics holds of the cases added so far, except what is one number a case: the energy score and the count of cases."""

    def __init__(self, n_member: int, event: tuple[int, ...], n_block: int, weights: Tensor | None, climatology: Tensor | None) -> None:
        """weights: (*event).   climatology: (reference, *event), of all cases.   Both float64."""
        self.kernels = _kernels.loaded()
        self.n_member, self.event, self.n_block = n_member, event, n_block
        self.n_event = int(np.prod(event, dtype=np.int64))
        self.weights = np.ones(self.n_event) if weights is None else weights.reshape(-1).contiguous().numpy()
        reference = np.empty((0, self.n_event)) if climatology is None else climatology.reshape(len(climatology), -1).sort(0).values.numpy()
        n = len(reference)
        self.reference = np.ascontiguousarray(reference.T)
        self.reference_distance = self.reference @ (2 * np.arange(1, n + 1) - n - 1) / max(n, 1) ** 2
        self.ends = _ends(n_member)
        self.pairs = self.kernels.sorting_network(n_member)
        self.by_element = np.zeros((n_block, self.kernels.N_MOMENT + n_member + 3 * (n_member + 1) + len(LEVELS), self.n_event))
        head = int(np.prod(event[:1], dtype=np.int64))
        self.used = np.zeros(self.kernels.N_BIN, np.bool_)
        self.bins, self.by_bin = np.zeros(0, np.int64), np.zeros((n_block, 0, head, 3))

    def add(self, members: np.ndarray, first: int, target: Tensor, plain: Tensor, block: Tensor, clim_sd: Tensor) -> tuple[int, int, int]:
        """Add the cases of a chunk. Returns how many members, values of plain and targets are not finite; if any, the sums are void.

        members: (member, case * *event), contiguous, of which the cases begin in column `first`.   clim_sd: (0, 1 or case, *event), float64.
        """
        target, plain, clim_sd = (values.reshape(len(values), self.n_event).contiguous().numpy() for values in (target, plain, clim_sd))
        block, shape = block.numpy(), target.shape
        variance, error_sq, bins = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)
        wrong = self.kernels.add_cases(
            members, first, target, plain, block, self.pairs, *self.ends, self.reference, self.reference_distance, clim_sd,
            self.by_element, variance, error_sq, bins, self.used,
        )  # fmt: skip
        if any(wrong):
            return wrong
        known = np.flatnonzero(self.used)
        if len(known) > len(self.bins):
            wide = np.zeros((self.n_block, len(known), *self.by_bin.shape[2:]))
            wide[:, np.searchsorted(known, self.bins)] = self.by_bin
            self.bins, self.by_bin = known, wide
        place = np.searchsorted(known, np.arange(self.kernels.N_BIN))
        self.kernels.add_bins(bins, place, variance, error_sq, block, self.weights, self.by_bin)
        return wrong

    def energy(self, members: np.ndarray, first: int, target: Tensor) -> Tensor:
        """(case,): the fair energy score of each case of a chunk, 0 where nothing is observed. Arguments as in `add`."""
        energy = torch.empty(len(target), dtype=torch.float64)
        target = target.reshape(len(target), self.n_event).contiguous()
        _energy_kernels.loaded().energy(members, first, target.numpy(), self.weights, energy.numpy())
        return energy

    def fields(self, n_case: Tensor | None, energy: Tensor | None, crps_climatology: Tensor | None, has_clim_sd: bool) -> dict[str, Tensor]:
        """n_case, energy: (block,), of an event; None and None where the target is one number a case, whose sums say both.

        crps_climatology: (block, *event), when it was not summed here.
        """
        m, k = self.n_member, self.kernels
        sums = torch.from_numpy(self.by_element)
        n = sums[:, k.N]
        missing = torch.zeros_like(n).masked_fill(n > 0, torch.nan)  # what cannot be known is so where there is a case, as a sum of NaN
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
            """(block, ..., event) -> (block, ..., *event), in memory of its own."""
            return values.clone(memory_format=torch.contiguous_format).reshape(*values.shape[:-1], *self.event)

        def by_head(values: Tensor) -> Tensor:
            """(block, ..., event) -> (block, ..., *head), the weighted sum over the rest of the event."""
            values = (values * torch.from_numpy(self.weights)).reshape(*values.shape[:-1], *self.event)
            return values.flatten(values.ndim - len(self.event) + 1).sum(-1) if len(self.event) > 1 else values

        def by_bin(values: np.ndarray) -> Tensor:
            """(block, bin, head) -> (block, bin, *head)."""
            return torch.from_numpy(np.ascontiguousarray(values)).reshape(*values.shape[:-1], *self.event[:1])

        return {
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
    """All members as (member, case * *event) where they lie in memory as the kernels take them; None where a chunk must be copied."""
    array = members.detach().numpy() if isinstance(members, Tensor) and members.dtype in (torch.float32, torch.float64) else members
    in_memory = type(array) is np.ndarray and array.dtype in (np.float32, np.float64) and array.flags.carray
    return array.reshape(len(array), -1) if in_memory else None


def _weighted(sums: Tensor, weights: Tensor) -> Tensor:
    """Sums over the second axis with the weights of one or several results: (block, j, event), (..., j) -> (block, ..., event)."""
    return torch.einsum("bje,...j->b...e", sums, weights)


def _ends(n_member: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the interval of each level the member below each end and the share of the gap above it: (2, level), lower and upper end."""
    low, part = positions([*((1 - level) / 2 for level in LEVELS), *((1 + level) / 2 for level in LEVELS)], n_member)
    return low.view(2, -1).numpy(), part.view(2, -1).numpy()
