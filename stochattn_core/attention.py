"""The law: scores and values in, sampled attention out.

Every attention row p = softmax(q k^T scale + mask) is replaced by counts / nu with counts ~ Multinomial(nu, p), nu the concentration,
independently for each row, head, batch element and member. E[output] is the plain output; Var[output] is the attention-weighted
covariance of the values divided by nu; nu -> infinity is the plain layer.
Source: Yadav, Adebiyi, Zhang (2026), arXiv 2604.19530.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

import torch
from torch import Tensor

from stochattn_core.draw import Draw, check_concentration
from stochattn_core.layout import by_head, empty_in_memory_order_of, folds_are_equal, grouped, in_memory_order_of
from stochattn_core.sampling import cpu, eager, gpu, stream

# Elements of the largest temporary: about what stays in a core's cache, and what keeps a GPU busy.
CHUNK = {"cpu": 1 << 18}
CHUNK_ELSEWHERE = 1 << 26

Observer = Callable[[Tensor], None]  # is handed (row, key) attention rows


def stochastic_scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    concentration: int | float,
    *,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    members: Sequence[int] = (0,),
    seed: int = 0,
    layer: int = 0,
    shared: bool = False,
) -> Tensor:
    """torch's scaled_dot_product_attention with every attention row replaced by the mean of `concentration` draws from it.

    query: (*lead, L, E), key: (*lead, S, E), value: (*lead, S, Ev); lead[0] holds len(members) folds, member-major.
    attn_mask: bool (True is attended) or float (added), broadcast to (*lead, L, S). Returns (*lead, L, Ev) in value's dtype, laid out in
    memory as query is. A row with every key masked gives zeros. Member m's draws depend on (seed, m, layer) and the row alone;
    shared: on the entry of dim 0 in place of the row, so that all rows and heads of an entry take the same numbers.
    math.inf gives torch's own result. Raises ValueError for a concentration that is no positive whole number.
    """
    concentration = check_concentration(concentration)
    if concentration == math.inf:
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
        )
    draw = Draw(concentration, tuple(members), seed, layer, shared=shared)
    return attend(query, key, value, draw, attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    draw: Draw,
    *,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    observe: Observer | None = None,
) -> Tensor:
    """`stochastic_scaled_dot_product_attention` at one place of the stream; a Draw of inf answers with the exact rows.

    dropout_p drops entries of the sampled rows as torch's function does, with numbers of the same stream; `observe` sees the rows.
    Where all folds of the inputs are equal, as before the first sampled layer, scores are computed for one and every member draws from
    them. Only at the first call of a pass is this looked for.
    """
    if torch.is_autocast_enabled(query.device.type):
        low = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(low), key.to(low), value.to(low)
    if is_causal and attn_mask is not None:
        raise ValueError("expected attn_mask or is_causal, got both; fold the causal part into the mask")
    if attn_mask is not None and not (attn_mask.dtype == torch.bool or attn_mask.is_floating_point()):
        raise ValueError(f"expected attn_mask of bool or float, got {attn_mask.dtype}; a bool mask is True where a key is attended")
    if enable_gqa:
        key, value = grouped(key, value, query.shape[-3])
    n_head_per_key = query.shape[-3] // key.shape[-3] if enable_gqa else 1
    n_row, n_key = query.shape[-2], key.shape[-2]
    lead_key = key.shape[:-2] if n_head_per_key == 1 else (*key.shape[:-3], query.shape[-3])
    lead = torch.broadcast_shapes(query.shape[:-2], lead_key)
    if not math.prod(lead) * n_row * n_key:
        return value.new_zeros(*lead, n_row, value.shape[-1])  # no case, no query, or no key to attend
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    row_keys = draw.row_keys(lead, n_row, query.device)
    wide = torch.promote_types(query.dtype, torch.float32)
    lead_key = lead if n_head_per_key == 1 else (*lead[:-1], key.shape[-3])
    all_query, all_key, all_value = by_head(query, lead), by_head(key, lead_key), by_head(value, lead_key)
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*lead, n_row, n_key)
    if observe is None and dropout_p == 0 and gpu.usable(all_query, all_key, all_value, draw.concentration):
        flat = [x.flatten(0, 1) for x in (all_query, all_key, all_value)]
        options = {"is_causal": is_causal, "mask": attn_mask, "n_head_per_key": n_head_per_key}
        found = gpu.attend(*flat, row_keys.view(-1, n_row), draw.concentration, scale, **options)
        return in_memory_order_of(found.view(*lead, n_row, value.shape[-1]), query)
    inputs = (all_query, all_key, all_value) if attn_mask is None else (all_query, all_key, all_value, attn_mask)
    asks_gradient = torch.is_grad_enabled() and value.requires_grad  # which every fold's own values are to receive
    # Where the members' folds are equal, one fold's rows are drawn from for each; otherwise all rows are those of a single fold.
    n_fold = len(draw.members)
    may_share = draw.is_first and not asks_gradient
    n_fold = n_fold if may_share and all(folds_are_equal(x, n_fold) for x in inputs) else 1
    out = empty_in_memory_order_of(all_query, value.shape[-1], value.dtype)
    row_keys = row_keys.view(n_fold, -1, *out.shape[1:-1])
    of_fold = out.unflatten(0, (n_fold, -1))

    sampler = _sampler(value, wide)
    is_mean = draw.concentration * 4 <= n_key and dropout_p == 0 and observe is None
    width = _width(n_key, draw.concentration)
    chunks = list(_chunks(*of_fold.shape[1:-1], width, query.device))
    # Taken once: memory that is given back and taken again for every chunk is paid for again by the page.
    spaces = query.new_empty(2, math.prod(part.stop - part.start for part in chunks[0]) * n_key, dtype=wide)
    with torch.autocast(query.device.type, enabled=False):
        for batch, heads, rows in chunks:
            of_key = torch.arange(heads.start, heads.stop, device=query.device) // n_head_per_key if n_head_per_key > 1 else heads
            shape = *of_fold[0, batch, heads, rows].shape[:-1], n_key
            scores, mass = spaces[:, : math.prod(shape)].view(2, -1, *shape[-2:])
            with torch.no_grad():
                part = (all_query[batch, heads, rows].to(wide) * scale).reshape(-1, shape[2], query.shape[-1])
                torch.bmm(part, all_key[batch, of_key].to(wide).reshape(-1, *key.shape[-2:]).mT, out=scores)
                _mask_(scores.view(shape), attn_mask, is_causal, batch, heads, rows, lead)
            _mass(scores.view(-1, n_key), mass.view(-1, n_key))
            values = all_value[batch, of_key].to(wide).reshape(-1, *value.shape[-2:])
            # Means of draws are taken for as many members at once as keep their results in the cache, counts for one.
            at_once = max(1, _chunk(query.device) // (scores[..., 0].numel() * max(draw.concentration, value.shape[-1]))) if is_mean else 1
            for first in range(0, n_fold, at_once):
                folds = slice(first, first + at_once)
                keys = row_keys[folds, batch, heads, rows].flatten(1)
                if is_mean:
                    found = sampler.mean_of_draws(mass.view(-1, n_key), keys, draw.concentration, values)
                else:
                    found = _weigh(mass, scores, values, keys[0], draw, sampler, dropout_p, observe)
                of_fold[folds, batch, heads, rows] = found.view(-1, *shape[:-1], value.shape[-1])
    return in_memory_order_of(out.reshape(*lead, n_row, value.shape[-1]), query)


def sampled_rows(scores: Tensor, draw: Draw, *, observe: Observer | None = None) -> Tensor:
    """softmax(scores, dim=-1) with every row replaced by counts / concentration; same shape, dtype float32 at least."""
    n_key = scores.shape[-1]
    if scores.ndim == 2:  # (case, key): one row a case
        return sampled_rows(scores[:, None], draw, observe=observe)[:, 0]
    n_row = scores.shape[-2] if scores.ndim > 1 else 1
    wide = torch.promote_types(scores.dtype, torch.float32)
    flat = scores.detach().reshape(-1, n_key)
    keys = draw.row_keys(scores.shape[:-2], n_row, scores.device)
    step = max(1, _chunk(scores.device) // _width(n_key, draw.concentration))
    sampler = _sampler(flat, wide)
    rows = torch.empty_like(flat, dtype=wide)
    for i in range(0, len(flat), step):
        part = flat[i : i + step].to(wide, copy=True)
        rows[i : i + step] = _rows(_mass(part, torch.empty_like(part)), part, keys[i : i + step], draw, sampler, observe)
    return rows.view(scores.shape)


def _weigh(
    mass: Tensor,
    space: Tensor,
    values: Tensor,
    keys: Tensor,
    draw: Draw,
    sampler: ModuleType,
    dropout_p: float,
    observe: Observer | None,
) -> Tensor:
    """(head, row, key) mass and (head, key, feature) values -> (head, row, feature); the space is overwritten."""
    n_head, n_row, n_key = mass.shape
    weights = _rows(mass.view(-1, n_key), space.view(-1, n_key), keys, draw, sampler, observe)
    if dropout_p > 0:
        kept = stream.uniforms(stream.purpose_keys(keys, stream.DROPOUT), n_key) >= dropout_p
        weights = weights * kept / (1 - dropout_p) if dropout_p < 1 else torch.zeros_like(weights)
    return torch.bmm(weights.view(n_head, n_row, n_key), values)


def _rows(mass: Tensor, space: Tensor, keys: Tensor, draw: Draw, sampler: ModuleType, observe: Observer | None) -> Tensor:
    """(row, key) mass -> (row, key) weights, which may lie in the space, or be the mass."""
    if observe is not None:
        observe(mass.clone())
    if draw.concentration == math.inf:
        return mass
    return sampler.sample_counts(mass, keys, draw.concentration, out=space).div_(draw.concentration)


def _sampler(values: Tensor, wide: torch.dtype) -> ModuleType:
    """The compiled sampler where it is there and can work on such values, else the reference. Both give the same bits."""
    return cpu if wide == torch.float32 and cpu.takes(values) else eager


def _mass(scores: Tensor, space: Tensor) -> Tensor:
    """torch's own softmax, but a row of -inf has no mass; a row with NaN or +inf is NaN."""
    with torch.no_grad():
        torch.softmax(scores, -1, out=space)
        if bool(space[:, 0].isnan().any()):
            space.masked_fill_(scores.amax(-1, keepdim=True) == -math.inf, 0.0)
        return space


def _mask_(scores: Tensor, mask: Tensor | None, is_causal: bool, batch: slice, heads: slice, rows: slice, lead: Sequence[int]) -> None:
    """Apply the mask to a chunk of scores, in place."""
    if is_causal:
        row = torch.arange(rows.start, rows.stop, device=scores.device)[:, None]
        scores.masked_fill_(row < torch.arange(scores.shape[-1], device=scores.device), -math.inf)
    if mask is not None:
        if len(lead) > 2:  # an expanded mask would be copied whole to have its leading dims flat
            where = torch.unravel_index(torch.arange(batch.start, batch.stop, device=scores.device), tuple(lead[:-1]))
            mask = mask[where][:, heads, rows]
        else:
            mask = by_head(mask, lead)[batch, heads, rows]
        if mask.dtype == torch.bool:
            scores.masked_fill_(~mask, -math.inf)
        else:
            scores += mask


def _width(n_key: int, concentration: int | float) -> int:
    """Elements that one row needs at once: its scores, and its draws where they are searched one by one."""
    searched = concentration != math.inf and eager.draws_by_search(concentration, n_key)
    return max(n_key, concentration if searched else 1)


def _chunk(device: torch.device) -> int:
    return CHUNK.get(device.type, CHUNK_ELSEWHERE)


def _chunks(n_batch: int, n_head: int, n_row: int, width: int, device: torch.device) -> Iterator[tuple[slice, slice, slice]]:
    """Batch entries as long as they fit, else heads of one entry, else rows of one head; the first chunk is as large as any."""
    budget = max(1, _chunk(device) // max(width, 1))
    n_row_in = min(n_row, budget)
    n_head_in = min(n_head, max(1, budget // n_row))
    n_batch_in = min(n_batch, max(1, budget // (n_row * n_head)))
    for b in range(0, n_batch, n_batch_in):
        for h in range(0, n_head, n_head_in):
            for r in range(0, n_row, n_row_in):
                yield (
                    slice(b, min(b + n_batch_in, n_batch)),
                    slice(h, min(h + n_head_in, n_head)),
                    slice(r, min(r + n_row_in, n_row)),
                )
