"""The law: scores and values in, sampled attention out.

Every attention row p = softmax(q k^T scale + mask) is replaced by counts / nu with counts ~ Multinomial(nu, p), nu the concentration,
independently for each row, head, batch element and member. E[output] is the plain output; Var[output] is the attention-weighted
covariance of the values divided by nu; nu -> infinity is the plain layer.
Source: Yadav, Adebiyi, Zhang (2026), arXiv 2604.19530.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stochattn_core.sampling import eager, gpu, stream

# Elements of the largest temporary: about what stays in a core's cache, and what keeps a GPU busy.
LARGEST = 10**9  # concentrations beyond it differ from the plain model by less than rounding does
CHUNK = {"cpu": 1 << 18}
CHUNK_ELSEWHERE = 1 << 26

Observer = Callable[[Tensor], None]  # is handed (row, key) attention rows


def check_concentration(concentration: int | float) -> int | float:
    """The concentration as an int, or math.inf for the plain model. ValueError for anything else."""
    if isinstance(concentration, str | bool) or not isinstance(concentration, numbers.Real):
        message = f"concentration must be a positive whole number or inf, got {concentration!r}; try 64"
        raise ValueError(message)
    if concentration == math.inf:
        return math.inf
    if concentration != concentration or concentration < 1 or concentration != int(concentration):
        raise ValueError(f"concentration must be a positive whole number or inf, got {concentration!r}; try 64")
    if concentration > LARGEST:
        raise ValueError(f"concentration must be at most {LARGEST:,}, got {concentration:g}; inf is the plain model")
    return int(concentration)


@dataclass(frozen=True)
class Draw:
    """One attention call's place in the random stream.

    members: the members folded, member-major, into dim 0. call: the index of the attention call in one pass of the model.
    n_case and first_case place the fold's cases among all cases, so that chunking over cases changes no number; n_case None: unknown.
    shared: all rows and heads of one case in one call take the same numbers; each row's own law stays exact. Where n_case is unknown,
    dim 0 of the call is the case.
    """

    concentration: int | float
    members: Sequence[int] = (0,)
    seed: int = 0
    call: int = 0
    n_case: int | None = None
    first_case: int = 0
    shared: bool = False

    def row_keys(self, lead: Sequence[int], n_row: int, device: torch.device) -> Tensor:
        """Keys of all rows of a call: (*lead, n_row) flattened, lead[0] holding the folds."""
        n_fold = len(self.members)
        if not n_fold:
            raise ValueError("expected at least one member, got none; pass members=(0,)")
        batch = lead[0] if lead else 1
        if batch % n_fold:
            raise ValueError(
                f"dim 0 of an attention call holds {batch} entries, which {n_fold} members do not divide; "
                f"repeat the inputs {n_fold} times along dim 0 (member-major), or let sample_ensemble do it"
            )
        rows_in_fold = math.prod(lead) // n_fold * n_row
        is_known = bool(self.n_case) and (batch // n_fold) % self.n_case == 0
        n_case, first_case = (self.n_case, self.first_case) if is_known else (batch // n_fold, 0)
        row_per_case = rows_in_fold // max(n_case, 1)
        if self.shared:
            keys = stream.row_keys(self.seed, self.members, self.call, first_case, n_case, device)
            return keys.repeat_interleave(row_per_case, 1).flatten()
        return stream.row_keys(self.seed, self.members, self.call, first_case * row_per_case, rows_in_fold, device).flatten()


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
    """
    if torch.is_autocast_enabled(query.device.type):
        low = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(low), key.to(low), value.to(low)
    if is_causal and attn_mask is not None:
        raise ValueError("expected attn_mask or is_causal, got both; fold the causal part into the mask")
    if attn_mask is not None and not (attn_mask.dtype == torch.bool or attn_mask.is_floating_point()):
        raise ValueError(f"expected attn_mask of bool or float, got {attn_mask.dtype}; a bool mask is True where a key is attended")
    if enable_gqa:
        key, value = _grouped(key, value, query.shape[-3])
    n_head_per_key = query.shape[-3] // key.shape[-3] if enable_gqa else 1
    n_row, n_key = query.shape[-2], key.shape[-2]
    lead_key = key.shape[:-2] if n_head_per_key == 1 else (*key.shape[:-3], query.shape[-3])
    lead = torch.broadcast_shapes(query.shape[:-2], lead_key)
    flat_query = query.expand(*lead, *query.shape[-2:]).reshape(-1, n_row, query.shape[-1])
    flat_key, flat_value = (_flat_heads(x, lead, n_head_per_key) for x in (key, value))
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*lead, n_row, n_key)
    if not math.prod(lead) * n_row * n_key:
        return value.new_zeros(*lead, n_row, value.shape[-1])  # no case, no query, or no key to attend
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    row_keys = draw.row_keys(lead, n_row, query.device).view(-1, n_row)
    if observe is None and dropout_p == 0 and gpu.usable(flat_query, flat_key, flat_value, draw.concentration):
        options = {"is_causal": is_causal, "mask": attn_mask, "n_head_per_key": n_head_per_key}
        out = gpu.attend(flat_query, flat_key, flat_value, row_keys, draw.concentration, scale, **options)
        return _in_memory_order_of(out.view(*lead, n_row, value.shape[-1]), query)
    wide = torch.promote_types(query.dtype, torch.float32)

    outputs = []
    with torch.autocast(query.device.type, enabled=False):
        for heads, rows in _chunks(flat_query.shape[0], n_row, _width(n_key, draw.concentration), query.device):
            of_key = torch.arange(heads.start, heads.stop, device=query.device) // n_head_per_key if n_head_per_key > 1 else heads
            with torch.no_grad():
                scores = torch.bmm(flat_query[heads, rows].to(wide) * scale, flat_key[of_key].to(wide).mT)
                _mask_(scores, attn_mask, is_causal, heads, rows, lead)
            values = flat_value[of_key].to(wide)
            keys = row_keys[heads, rows].reshape(-1)
            outputs.append(_weigh(scores, values, keys, draw, dropout_p, observe).flatten(0, -2))
    out = torch.cat(outputs).view(*lead, n_row, value.shape[-1]).to(value.dtype)
    return _in_memory_order_of(out, query)


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
    rows = [_rows(flat[i : i + step].to(wide), keys[i : i + step], draw, observe) for i in range(0, len(flat), step)]
    return torch.cat(rows).view(scores.shape)


def _weigh(scores: Tensor, values: Tensor, keys: Tensor, draw: Draw, dropout_p: float, observe: Observer | None) -> Tensor:
    """(head, row, key) scores and (head, key, feature) values -> (head, row, feature)."""
    n_head, n_row, n_key = scores.shape
    few = draw.concentration * 4 <= n_key and dropout_p == 0
    if few and observe is None:
        # Few draws over many keys: adding the drawn values up reads less memory than a row of weights.
        mass, drawable = _mass(scores.view(-1, n_key))
        drawn = eager.search(torch.where(drawable, mass, 1.0), keys, draw.concentration)
        offset = torch.arange(n_head, device=scores.device).repeat_interleave(n_row)[:, None] * n_key
        total = torch.nn.functional.embedding_bag(drawn + offset, values.reshape(n_head * n_key, -1), mode="sum")
        empty = torch.where(mass.isnan().any(-1, keepdim=True), torch.nan, 0.0).to(total.dtype)
        return torch.where(drawable, total / draw.concentration, empty).view(n_head, n_row, -1)
    weights = _rows(scores.reshape(-1, n_key), keys, draw, observe)
    if dropout_p > 0:
        kept = stream.uniforms(stream.purpose_keys(keys, stream.DROPOUT), n_key) >= dropout_p
        weights = weights * kept / (1 - dropout_p) if dropout_p < 1 else torch.zeros_like(weights)
    return torch.bmm(weights.view(n_head, n_row, n_key), values)


def _rows(scores: Tensor, keys: Tensor, draw: Draw, observe: Observer | None) -> Tensor:
    """(row, key) scores -> (row, key) weights."""
    mass, _ = _mass(scores)
    if observe is not None:
        observe(mass / mass.sum(-1, keepdim=True))
    if draw.concentration == math.inf:
        total = mass.sum(-1, keepdim=True)
        return torch.where(total == 0, 0.0, mass / total)
    return eager.sample_counts(mass, keys, draw.concentration) / draw.concentration


def _mass(scores: Tensor) -> tuple[Tensor, Tensor]:
    """exp(scores - row maximum), and whether a row can be drawn from; a row of -inf has no mass, a row with NaN or +inf is NaN."""
    top = scores.amax(-1, keepdim=True)
    mass = torch.exp(scores - torch.where(top == -math.inf, 0.0, top))
    total = mass.sum(-1, keepdim=True)
    return mass, torch.isfinite(total) & (total > 0)


def _mask_(scores: Tensor, mask: Tensor | None, is_causal: bool, heads: slice, rows: slice, lead: Sequence[int]) -> None:
    """Apply the mask to a chunk of scores, in place."""
    if is_causal:
        row = torch.arange(rows.start, rows.stop, device=scores.device)[:, None]
        scores.masked_fill_(row < torch.arange(scores.shape[-1], device=scores.device), -math.inf)
    if mask is not None:
        if lead:
            where = torch.unravel_index(torch.arange(heads.start, heads.stop, device=scores.device), tuple(lead))
            mask = mask[where]
        mask = mask[..., rows, :]
        if mask.dtype == torch.bool:
            scores.masked_fill_(~mask, -math.inf)
        else:
            scores += mask


def _flat_heads(x: Tensor, lead: Sequence[int], n_head_per_key: int) -> Tensor:
    """Keys or values as (head, S, E); grouped ones keep their own number of heads."""
    if n_head_per_key > 1:
        lead = (*lead[:-1], x.shape[-3])
    return x.expand(*lead, *x.shape[-2:]).reshape(-1, *x.shape[-2:])


def _grouped(key: Tensor, value: Tensor, n_head: int) -> tuple[Tensor, Tensor]:
    """Keys and values with one number of heads between them, which divides that of the queries."""
    for x in (key, value):
        if n_head % x.shape[-3]:
            raise ValueError(f"expected a number of key and value heads that divides the {n_head} query heads, got {x.shape[-3]}")
    if key.shape[-3] == value.shape[-3]:
        return key, value
    return tuple(x.repeat_interleave(n_head // x.shape[-3], -3) for x in (key, value))


def _width(n_key: int, concentration: int | float) -> int:
    """Elements that one row needs at once: its scores, and its draws where they are searched one by one."""
    searched = concentration != math.inf and eager.draws_by_search(concentration, n_key)
    return max(n_key, concentration if searched else 1)


def _chunk(device: torch.device) -> int:
    return CHUNK.get(device.type, CHUNK_ELSEWHERE)


def _chunks(n_head: int, n_row: int, width: int, device: torch.device) -> Iterator[tuple[slice, slice]]:
    """Whole heads as long as they fit, else parts of one head's rows."""
    budget = max(1, _chunk(device) // max(width, 1))
    if n_row <= budget:
        step = max(1, budget // max(n_row, 1))
        yield from ((slice(i, min(i + step, n_head)), slice(0, n_row)) for i in range(0, n_head, step))
    else:
        yield from ((slice(h, h + 1), slice(i, min(i + budget, n_row))) for h in range(n_head) for i in range(0, n_row, budget))


def _in_memory_order_of(out: Tensor, query: Tensor) -> Tensor:
    """The same values, with the dims in memory in the order in which query's are: models call .view on the result."""
    if out.ndim != query.ndim:
        return out
    order = sorted(range(query.ndim), key=lambda d: -query.stride(d))
    back = [order.index(d) for d in range(query.ndim)]
    return out.permute(order).contiguous().permute(back)
