"""From members and targets to Statistics: the one place where cases are gone through."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics import cpu
from stochattn_core.metrics.crps import crps, crps_of_errors, hersbach_bins
from stochattn_core.metrics.energy import energy_score
from stochattn_core.metrics.intervals import LEVELS, quantiles_of_sorted
from stochattn_core.metrics.ranks import rank_weights
from stochattn_core.metrics.statistics import BIN_PER_OCTAVE, BIN_SLACK, LEAST_SPREAD, Statistics

CHUNK = 2**22  # numbers (members x cases x elements) held at once: 32 MB in float64, and a few times that at work


def sums_over_cases(members, target, plain, block, n_block: int, *, climatology=None, clim_sd=None, weights=None) -> Statistics:
    """Statistics.of: checks at the door, then chunk by chunk over cases."""
    event = tuple(target.shape[1:])
    block = np.asarray(block.detach().cpu().numpy() if isinstance(block, Tensor) else block, dtype=np.int64)
    _check(members, target, plain, block, n_block)
    if clim_sd is None and climatology is not None:
        clim_sd = _float64(climatology).std(0)
    if weights is not None:
        weights = torch.broadcast_to(_float64(weights), event)
    by_case = climatology is not None and climatology.ndim == target.ndim + 1
    n_case, n_member = target.shape[0], members.shape[0]
    depth = max(n_member, 0 if climatology is None else climatology.shape[0])
    step = max(1, CHUNK // max(1, depth * int(np.prod(event, dtype=np.int64))))
    parts = [slice(start, start + step) for start in range(0, max(n_case, 1), step)]
    if cpu.takes(members):
        return _compiled(members, target, plain, block, n_block, climatology, by_case, clim_sd, weights, parts)
    sums = None
    for part in parts:
        reference = None if climatology is None else climatology[:, part] if by_case else climatology
        x = _float64(members[:, part])
        one = _sums_of_chunk(
            x,
            _float64(target[part]).to(x.device),
            _float64(plain[part]).to(x.device),
            torch.tensor(block[part], dtype=torch.int64),
            n_block,
            None if reference is None else _float64(reference).to(x.device),
            None if clim_sd is None else torch.broadcast_to(_float64(clim_sd), target.shape)[part].to(x.device),
            None if weights is None else weights.to(x.device),
        )
        sums = one if sums is None else sums + one
    return sums


def _compiled(members, target, plain, block, n_block, climatology, by_case, clim_sd, weights, parts) -> Statistics:
    """The same where compiled code takes the members; only the CRPS of a climatology that differs by case stays with torch."""
    event = tuple(target.shape[1:])
    fixed = None if climatology is None or by_case else _float64(climatology).cpu()
    sums = cpu.Sums(members.shape[0], event, n_block, None if weights is None else weights.cpu(), fixed)
    sd = torch.empty(0, *event, dtype=torch.float64)
    if clim_sd is not None:
        sd = _float64(clim_sd).cpu()
        sd = sd.broadcast_to(target.shape if sd.ndim > len(event) and len(sd) > 1 else (1, *event))
    whole, n_event = cpu.columns(members), int(np.prod(event, dtype=np.int64))
    n_case, energy, climatic = [], [], []
    for part in parts:
        in_turn = bool((block[part][1:] >= block[part][:-1]).all())
        cases = part if in_turn else part.start + np.argsort(block[part], kind="stable")  # the kernel wants the cases of a block together
        y, f, blocks = _float64(target[cases]).cpu(), _float64(plain[cases]).cpu(), torch.tensor(block[cases], dtype=torch.int64)
        in_place = in_turn and whole is not None
        chunk, first = (whole, part.start * n_event) if in_place else (cpu.columns(_native(members[:, cases])), 0)
        _refuse_wrong(*sums.add(chunk, first, y, f, blocks, sd[cases] if len(sd) > 1 else sd))
        if event:
            anything = ~torch.isnan(y).flatten(1).all(1)
            n_case.append(_by_block(y.new_ones(len(y)), anything, blocks, n_block))
            energy.append(_by_block(sums.energy(chunk, first, y), anything, blocks, n_block))
        if by_case:
            climatic.append(_by_block(crps(_float64(climatology[:, cases]).cpu(), y, fair=False), ~torch.isnan(y), blocks, n_block))
    by_block = (sum(n_case), sum(energy)) if event else (None, None)
    return sums.statistics(*by_block, sum(climatic) if by_case else None, clim_sd is not None)


def _native(values) -> np.ndarray:
    """A copy in memory of its own: float32 as it is, anything else in float64, which holds it exactly."""
    if isinstance(values, Tensor):
        return (values.detach() if values.dtype == torch.float32 else _float64(values)).numpy().copy()
    return np.array(values, dtype=np.float32 if values.dtype == np.float32 else np.float64, order="C", subok=False)


def _by_block(values: Tensor, keep: Tensor, block: Tensor, n_block: int) -> Tensor:
    """Sum over the cases of each block: (..., case, *rest) with case where `keep` has it -> (block, ..., *rest)."""
    lead = values.ndim - keep.ndim
    values = torch.where(keep, values, 0).movedim(lead, 0).cpu()
    return torch.zeros(n_block, *values.shape[1:], dtype=torch.float64).index_add_(0, block, values)


def _energy(members: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """(case,): fair energy score, NaN for one member."""
    if len(members) > 1:
        return energy_score(members, target, weights=weights)
    return torch.full((members.shape[1],), torch.nan, dtype=torch.float64, device=members.device)


def _sums_of_chunk(
    members: Tensor,  # (member, case, *event)
    target: Tensor,
    plain: Tensor,
    block: Tensor,
    n_block: int,
    climatology: Tensor | None,
    clim_sd: Tensor | None,
    weights: Tensor | None,
) -> Statistics:
    m, n_case = members.shape[:2]
    event = tuple(target.shape[1:])
    head = event[:1]
    seen = ~torch.isnan(target)
    _check_finite(members, target, plain)

    def total(values: Tensor, keep: Tensor = seen) -> Tensor:
        return _by_block(values, keep, block, n_block)

    def by_head(values: Tensor) -> Tensor:
        """(..., case, *event) -> (..., case, *head), weighted sum over the rest of the event, missing elements 0."""
        values = torch.where(seen, values, 0)
        if weights is not None:
            values = values * weights
        return values.flatten(values.ndim - len(event) + 1).sum(-1) if len(event) > 1 else values

    everywhere = torch.ones(n_case, *head, dtype=torch.bool, device=target.device)
    y = torch.where(seen, target, plain)  # any number will do where y is missing: those elements are in no sum
    nothing = torch.full_like(y, torch.nan)
    x = (members - y).sort(0).values  # the member errors; every score below is a function of them
    mean = members.mean(0)
    error = mean - y
    variance = (members - mean).square().sum(0) / (m - 1) if m > 1 else nothing
    crps_fair = crps_of_errors(x, fair=True) if m > 1 else nothing
    below, above = hersbach_bins(x)
    ends = quantiles_of_sorted(x, [*((1 - level) / 2 for level in LEVELS), *((1 + level) / 2 for level in LEVELS)])
    lower, upper = ends[: len(LEVELS)], ends[len(LEVELS) :]
    covered = ((lower <= 0) & (upper >= 0)).to(x.dtype) if m > 1 else torch.full_like(lower, torch.nan)
    width = upper - lower if m > 1 else torch.full_like(lower, torch.nan)
    anything = seen.reshape(n_case, int(np.prod(event, dtype=np.int64))).any(1)
    energy = _energy(members, target, weights) if event else crps_fair
    bins, spread_bin = _spread_bins(variance, seen & (m > 1))

    def by_bin(values: Tensor) -> Tensor:
        """(case, *event) -> (block, bin, *head)."""
        n_bin, n_head = len(spread_bin), head[0] if head else 1
        if not n_bin:
            return torch.zeros(n_block, 0, *head, dtype=torch.float64)
        shape = (n_case, n_head, -1)
        if weights is not None:
            values = values * weights
        place = (block.view(-1, 1, 1) * n_bin + bins.reshape(shape)) * n_head + torch.arange(n_head).view(1, -1, 1)
        keep = seen.reshape(shape).cpu()
        values = values.reshape(shape).cpu()[keep]
        return torch.bincount(place[keep], weights=values, minlength=n_block * n_bin * n_head).view(n_block, n_bin, *head)

    ones = torch.ones_like(y)
    return Statistics(
        n=total(ones),
        n_case=total(ones.flatten(1)[:, 0] if event else ones, anything),
        plain_error_sq=total((plain - y) ** 2),
        plain_error_abs=total((plain - y).abs()),
        error=total(error),
        error_sq=total(error**2),
        variance=total(variance),
        drift_sq=total((mean - plain) ** 2),
        crps=total(crps_of_errors(x, fair=False)),
        crps_fair=total(crps_fair),
        crps_climatology=total(nothing if climatology is None else crps(_per_case(climatology, y), y, fair=False)),
        climatology_variance=total(nothing if clim_sd is None else clim_sd**2),
        rank=total(rank_weights(members, target)),
        hersbach_below=total(below),
        hersbach_above=total(above),
        covered=total(covered),
        width=total(width),
        energy=total(energy, anything),
        weight=total(by_head(ones), everywhere),
        pooled_error_sq=total(by_head((plain - y) ** 2), everywhere),
        deviation_sq=total(by_head((members - plain) ** 2), everywhere),
        spread_bin=spread_bin,
        bin_weight=by_bin(ones),
        bin_variance=by_bin(variance),
        bin_error_sq=by_bin(error**2),
    )


def _spread_bins(variance: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Place of each element among the bins in use, and the index floor(8 log2 spread) of those bins, on the CPU."""
    index = (0.5 * BIN_PER_OCTAVE * variance.clamp(min=LEAST_SPREAD**2).log2() + BIN_SLACK).floor().to(torch.int64).cpu()
    used = torch.unique(index[seen.cpu()])
    return torch.searchsorted(used, index).clamp(max=max(len(used) - 1, 0)), used


def _per_case(climatology: Tensor, target: Tensor) -> Tensor:
    return climatology if climatology.ndim > target.ndim else climatology.unsqueeze(1)


def _float64(values) -> Tensor:
    """In float64 where the values are, on the CPU when their device has none. Exact, so ties stay ties."""
    if not isinstance(values, Tensor):
        return torch.tensor(np.asarray(values, dtype=np.float64))
    return values.detach().to(device="cpu" if values.device.type == "mps" else values.device).to(torch.float64)


def _check_finite(members: Tensor, target: Tensor, plain: Tensor) -> None:
    _refuse_wrong(*(int(wrong.sum()) for wrong in (~torch.isfinite(members), ~torch.isfinite(plain), torch.isinf(target))))


def _refuse_wrong(members: int, plain: int, target: int) -> None:
    """Of each, how many values there are that may not be."""
    for name, n_wrong in (("members", members), ("plain", plain), ("target", target)):
        if n_wrong:
            raise ValueError(
                f"{name} must be finite, got {n_wrong} values that are not; only target may be missing, as NaN: "
                "look for an overflow in the model, or leave those cases out of every array"
            )


def _check(members, target, plain, block: np.ndarray, n_block: int) -> None:
    if members.ndim < 2 or members.shape[0] < 1 or tuple(members.shape[1:]) != tuple(target.shape):
        raise ValueError(
            f"members must be (member, case, *event) over a target (case, *event), got {tuple(members.shape)} over "
            f"{tuple(target.shape)}; put the member axis first"
        )
    if 0 in target.shape[1:]:
        raise ValueError(
            f"a target must hold at least one number a case, got (case, *event) of {tuple(target.shape)}; look for a selection that left nothing"
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
