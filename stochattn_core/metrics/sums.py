"""Sums over cases, from members and targets: the only place that loops over the cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics import compiled_sums
from stochattn_core.metrics.arrays import Array
from stochattn_core.metrics.bins import BIN_PER_OCTAVE, BIN_SLACK, LEAST_SPREAD
from stochattn_core.metrics.crps import crps
from stochattn_core.metrics.energy import energy_score
from stochattn_core.metrics.sum_definitions import SUMS, Cases

CHUNK = 2**22  # numbers (members x cases x elements) of a chunk: 32 MB in float64, and a few times as much while it is summed
Sums = dict[str, Tensor]


def sums_over_cases(
    members: Array,
    target: Array,
    plain: Array,
    block: Array | Sequence[int],
    n_block: int,
    *,
    climatology: Array | None = None,
    clim_sd: Array | float | None = None,
    weights: Array | None = None,
) -> Iterator[Sums]:
    """Yield the fields of Statistics, chunk by chunk; added, they are the sums over all cases. Arguments as in Statistics.of, checked here."""
    event = tuple(target.shape[1:])
    block = np.asarray(block.detach().cpu().numpy() if isinstance(block, Tensor) else block, dtype=np.int64)
    _check(members, target, plain, block, n_block)
    if clim_sd is None and climatology is not None:
        clim_sd = _float64(climatology).std(0)
    if weights is not None:
        weights = torch.broadcast_to(_float64(weights), event)
    reference_by_case = climatology is not None and climatology.ndim == target.ndim + 1
    depth = max(members.shape[0], 0 if climatology is None else climatology.shape[0])
    step = max(1, CHUNK // max(1, depth * _size(event)))
    parts = [slice(start, start + step) for start in range(0, max(target.shape[0], 1), step)]

    def cases_of(part: slice) -> Cases:
        x = _float64(members[:, part])
        reference = None if climatology is None else climatology[:, part] if reference_by_case else climatology
        return Cases(
            members=x,
            target=_float64(target[part]).to(x.device),
            plain=_float64(plain[part]).to(x.device),
            climatology=None if reference is None else _float64(reference).to(x.device),
            clim_sd=None if clim_sd is None else torch.broadcast_to(_float64(clim_sd), target.shape)[part].to(x.device),
        )

    def block_of(part: slice) -> Tensor:
        return torch.tensor(block[part], dtype=torch.int64)

    if not compiled_sums.takes(members):
        for part in parts:
            yield _sums_of_chunk(cases_of(part), block_of(part), n_block, weights)
        return
    fields = _compiled(members, target, plain, block, n_block, climatology, reference_by_case, clim_sd, weights, parts)
    for name in SUMS.keys() - fields.keys():
        fields[name] = sum((_total(cases_of(part), name, block_of(part), n_block) for part in parts), torch.zeros(()))
    yield fields


def _compiled(
    members: Array,
    target: Array,
    plain: Array,
    block: np.ndarray,
    n_block: int,
    climatology: Array | None,
    reference_by_case: bool,
    clim_sd: Array | float | None,
    weights: Tensor | None,
    parts: Sequence[slice],
) -> Sums:
    """Return the sums that are compiled. The CRPS of a climatology that differs from case to case is computed by torch here."""
    event = tuple(target.shape[1:])
    same_for_all = None if climatology is None or reference_by_case else _float64(climatology).cpu()
    sums = compiled_sums.CompiledSums(members.shape[0], event, n_block, None if weights is None else weights.cpu(), same_for_all)
    sd = torch.empty(0, *event, dtype=torch.float64)
    if clim_sd is not None:
        sd = _float64(clim_sd).cpu()
        sd = sd.broadcast_to(target.shape if sd.ndim > len(event) and len(sd) > 1 else (1, *event))
    whole, n_event = compiled_sums.columns(members), _size(event)
    n_case: list[Tensor] = []
    energy: list[Tensor] = []
    crps_climatology: list[Tensor] = []
    for part in parts:
        in_turn = bool((block[part][1:] >= block[part][:-1]).all())
        # The kernel expects the cases of a block together. Any: numpy and torch have no common type for an index.
        cases: Any = part if in_turn else part.start + np.argsort(block[part], kind="stable")
        y, f, blocks = _float64(target[cases]).cpu(), _float64(plain[cases]).cpu(), torch.tensor(block[cases], dtype=torch.int64)
        if in_turn and whole is not None:
            chunk, first = whole, part.start * n_event
        else:
            chunk, first = _contiguous(members[:, cases]), 0
        _refuse_values(*sums.add(chunk, first, y, f, blocks, sd[cases] if len(sd) > 1 else sd))
        if event:
            anything = ~torch.isnan(y).flatten(1).all(1)
            n_case.append(_by_block(y.new_ones(len(y)), anything, blocks, n_block))
            energy.append(_by_block(sums.energy(chunk, first, y), anything, blocks, n_block))
        if reference_by_case and climatology is not None:
            reference = _float64(climatology[:, cases]).cpu()
            crps_climatology.append(_by_block(crps(reference, y, fair=False), ~torch.isnan(y), blocks, n_block))
    return sums.fields(
        _sum(n_case) if event else None,
        _sum(energy) if event else None,
        _sum(crps_climatology) if reference_by_case else None,
        clim_sd is not None,
    )


def _sum(parts: list[Tensor]) -> Tensor:
    return reduce(torch.add, parts)


def _contiguous(values: Array) -> np.ndarray:
    """Return a copy, (member, case * *event): float32 as float32, any other type as float64, which represents it exactly."""
    if isinstance(values, Tensor):
        array = (values.detach() if values.dtype == torch.float32 else _float64(values)).numpy().copy()
    else:
        array = np.array(values, dtype=np.float32 if values.dtype == np.float32 else np.float64, order="C", subok=False)
    return array.reshape(len(array), -1)


def _by_block(values: Tensor, mask: Tensor, block: Tensor, n_block: int) -> Tensor:
    """Return the sums over the cases of each block where `mask`, (case, *rest), is True: (..., case, *rest) -> (block, ..., *rest)."""
    lead = values.ndim - mask.ndim
    values = torch.where(mask, values, 0).movedim(lead, 0).cpu()
    return torch.zeros(n_block, *values.shape[1:], dtype=torch.float64).index_add_(0, block, values)


def _total(cases: Cases, name: str, block: Tensor, n_block: int) -> Tensor:
    """Return one sum of the table over the cases of a chunk: (block, ..., *event)."""
    return _by_block(SUMS[name](cases), cases.seen, block, n_block)


def _sums_of_chunk(cases: Cases, block: Tensor, n_block: int, weights: Tensor | None) -> Sums:
    """Return every field of Statistics, computed in torch."""
    seen, y, m = cases.seen, cases.filled, cases.n_member
    _refuse_values(
        *(int(wrong.sum()) for wrong in (~torch.isfinite(cases.members), ~torch.isfinite(cases.plain), torch.isinf(cases.target)))
    )
    n_case, event = len(y), tuple(y.shape[1:])
    head = event[:1]
    weights = None if weights is None else weights.to(y.device)
    everywhere = torch.ones(n_case, *head, dtype=torch.bool, device=y.device)
    anything = seen.reshape(n_case, _size(event)).any(1)
    bins, spread_bin = _spread_bins(cases.variance, seen & (m > 1))

    def by_head(values: Tensor) -> Tensor:
        """Return weighted sums over all of the event but its head, missing elements as 0: (..., case, *event) -> (block, ..., *head)."""
        values = torch.where(seen, values, 0)
        if weights is not None:
            values = values * weights
        return _by_block(values.flatten(values.ndim - len(event) + 1).sum(-1) if len(event) > 1 else values, everywhere, block, n_block)

    def by_bin(values: Tensor) -> Tensor:
        """Return weighted sums by bin of spread: (case, *event) -> (block, bin, *head)."""
        n_bin, n_head = len(spread_bin), head[0] if head else 1
        if not n_bin:
            return torch.zeros(n_block, 0, *head, dtype=torch.float64)
        shape = (n_case, n_head, -1)
        if weights is not None:
            values = values * weights
        place = (block.view(-1, 1, 1) * n_bin + bins.reshape(shape)) * n_head + torch.arange(n_head).view(1, -1, 1)
        mask = seen.reshape(shape).cpu()
        values = values.reshape(shape).cpu()[mask]
        return torch.bincount(place[mask], weights=values, minlength=n_block * n_bin * n_head).view(n_block, n_bin, *head)

    ones = torch.ones_like(y)
    energy = _energy(cases.members, cases.target, weights) if event else SUMS["crps_fair"](cases)
    return {name: _total(cases, name, block, n_block) for name in SUMS} | {
        "n_case": _by_block(ones.flatten(1)[:, 0] if event else ones, anything, block, n_block),
        "energy": _by_block(energy, anything, block, n_block),
        "weight": by_head(ones),
        "pooled_error_sq": by_head((cases.plain - y) ** 2),
        "deviation_sq": by_head((cases.members - cases.plain) ** 2),
        "spread_bin": spread_bin,
        "bin_weight": by_bin(ones),
        "bin_variance": by_bin(cases.variance),
        "bin_error_sq": by_bin(cases.error**2),
    }


def _energy(members: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Return the fair energy score, (case,); NaN for one member."""
    if len(members) > 1:
        return energy_score(members, target, weights=weights)
    return torch.full((members.shape[1],), torch.nan, dtype=torch.float64, device=members.device)


def _spread_bins(variance: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the place of each element among the bins in use, and the index floor(8 log2 spread) of these bins, on the CPU."""
    index = (0.5 * BIN_PER_OCTAVE * variance.clamp(min=LEAST_SPREAD**2).log2() + BIN_SLACK).floor().to(torch.int64).cpu()
    used = torch.unique(index[seen.cpu()])
    return torch.searchsorted(used, index).clamp(max=max(len(used) - 1, 0)), used


def _size(event: tuple[int, ...]) -> int:
    return int(np.prod(event, dtype=np.int64))


def _float64(values: Array | float) -> Tensor:
    """Return the values as float64 on their device, or on the CPU if their device has no float64. Exact, so that ties stay ties."""
    if not isinstance(values, Tensor):
        return torch.tensor(np.asarray(values, dtype=np.float64))
    return values.detach().to(device="cpu" if values.device.type == "mps" else values.device).to(torch.float64)


def _refuse_values(members: int, plain: int, target: int) -> None:
    """Raise if any of these counts of values that are not finite is above 0."""
    for name, n_wrong in (("members", members), ("plain", plain), ("target", target)):
        if n_wrong:
            raise ValueError(
                f"{name} must be finite, got {n_wrong} values that are not; only target may be missing, as NaN: "
                "look for an overflow in the model, or leave those cases out of every array"
            )


def _check(members: Array, target: Array, plain: Array, block: np.ndarray, n_block: int) -> None:
    if members.ndim < 2 or members.shape[0] < 1 or tuple(members.shape[1:]) != tuple(target.shape):
        raise ValueError(
            f"members must be (member, case, *event) over a target (case, *event), got {tuple(members.shape)} over "
            f"{tuple(target.shape)}; put the member axis first"
        )
    if 0 in target.shape[1:]:
        raise ValueError(
            f"a target must hold at least one number a case, got (case, *event) of {tuple(target.shape)}; look for an empty selection"
        )
    if tuple(plain.shape) != tuple(target.shape) or tuple(block.shape) != tuple(target.shape[:1]):
        raise ValueError(
            f"plain must have the shape of target and block one number a case, got plain {tuple(plain.shape)}, block "
            f"{tuple(block.shape)}, target {tuple(target.shape)}"
        )
    if len(block) and not 0 <= int(block.min()) <= int(block.max()) < n_block:
        raise ValueError(
            f"block must be within 0 .. {n_block - 1}, got {int(block.min())} .. {int(block.max())}; give the n_block of the whole set"
        )
