"""Sampled attention: queries, keys and values in, the mean of sampled values out.

Every attention row p = softmax(q k^T scale + mask) is replaced by counts / nu with counts ~ Multinomial(nu, p), where nu is the
concentration, independently for each row, head, batch element and member. E[output] is the plain output; Var[output] is the
attention-weighted covariance of the values divided by nu; nu -> infinity is the plain layer.
Source: Yadav, Adebiyi, Zhang (2026), arXiv 2604.19530.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stochattn_core.attention_call import Call, chunks_of
from stochattn_core.draw import Draw, checked_draw
from stochattn_core.layout import Layout, by_head, empty_in_memory_order_of, grouped, in_memory_order_of
from stochattn_core.sampling import cpu, eager, gpu, stream
from stochattn_core.sampling.sampler import Sampler

# Elements of the largest temporary: about what stays in a core's cache, and enough to keep a GPU busy.
CHUNK = {"cpu": 1 << 18}
CHUNK_ELSEWHERE = 1 << 26

SUM_TOLERANCE = {4: 1e-3, 8: 1e-6}  # largest distance of a sum of weights from one, by the size of their dtype in bytes; 2e-2 for others

# Is called with attention rows, several times for a call that is computed in chunks: (entry, head, row, key) with every head of a row, or
# (row, key) where the number of heads does not show in the shape of the call.
Observer = Callable[[Tensor], None]


def stochastic_scaled_dot_product_attention(
    query: Float[Tensor, "*query_lead row width"],
    key: Float[Tensor, "*key_lead key width"],
    value: Float[Tensor, "*value_lead key feature"],
    concentration: int | float,
    *,
    attn_mask: Bool[Tensor, " ..."] | Float[Tensor, " ..."] | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    members: Sequence[int] = (0,),
    seed: int = 0,
    layer: int = 0,
    shared: bool = False,
) -> Float[Tensor, "*lead row feature"]:
    """torch's scaled_dot_product_attention with every attention row replaced by the mean of `concentration` draws from it.

    query: (*lead, L, E), key: (*lead, S, E), value: (*lead, S, Ev); lead[0] holds len(members) folds, member-major.
    attn_mask: bool (True is attended) or float (added), broadcast to (*lead, L, S).
    Returns (*lead, L, Ev) in value's dtype, with the memory layout of query. A row with every key masked gives zeros.
    The draws of member m depend on (seed, m, layer) and on the row alone. shared: they depend on the entry of dim 0 instead of the row,
    so that all rows and heads of an entry use the same numbers.
    A concentration of math.inf gives torch's own result. Raises ValueError for a concentration that is not a positive whole number.
    """
    draw = checked_draw(concentration, members, seed, call=layer, shared=shared)
    if draw.is_exact:
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
        )
    return attend(query, key, value, draw, attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)


def attend(
    query: Float[Tensor, "*query_lead row width"],
    key: Float[Tensor, "*key_lead key width"],
    value: Float[Tensor, "*value_lead key feature"],
    draw: Draw,
    *,
    attn_mask: Bool[Tensor, " ..."] | Float[Tensor, " ..."] | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    observe: Observer | None = None,
) -> Float[Tensor, "*lead row feature"]:
    """`stochastic_scaled_dot_product_attention` at one place of the random stream; a Draw of inf uses the exact rows.

    dropout_p drops entries of the sampled rows as torch's function does, with numbers of the same stream; observe is called with the
    exact rows, see Observer. Where the inputs of all folds are equal, as before the first sampled layer, scores are computed for one fold and every
    member draws from them. This is checked only on the first sampled call of a pass.
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
    layout = Layout.of(query, key, enable_gqa=enable_gqa)
    if layout.is_empty:
        return value.new_zeros(*layout.lead, layout.n_row, value.shape[-1])
    row_keys = draw.row_keys(layout.lead, layout.n_row, query.device)
    call = Call(
        query=by_head(query, layout.lead),
        key=by_head(key, layout.lead_key),
        value=by_head(value, layout.lead_key),
        mask=None if attn_mask is None else attn_mask.expand(*layout.lead, layout.n_row, layout.n_key),
        is_causal=is_causal,
        scale=query.shape[-1] ** -0.5 if scale is None else scale,
        layout=layout,
    )
    if observe is None and dropout_p == 0 and gpu.usable(call.query, call.key, call.value, draw.concentration):
        out = _on_gpu(call, draw, row_keys)
    else:
        out = _in_chunks(call, row_keys, _Weights(draw, _sampler(call.value, call.wide), dropout_p, observe))
    return in_memory_order_of(out.reshape(*layout.lead, layout.n_row, value.shape[-1]), query)


def sampled_rows(scores: Float[Tensor, "*lead key"], draw: Draw, *, observe: Observer | None = None) -> Float[Tensor, "*lead key"]:
    """Return softmax(scores, dim=-1) with every row replaced by counts / concentration; same shape, dtype at least float32."""
    return _by_row(scores, draw, observe, lambda part: _mass(part, torch.empty_like(part)))


def sampled_weights(weights: Float[Tensor, "*lead key"], draw: Draw, *, observe: Observer | None = None) -> Float[Tensor, "*lead key"]:
    """Return rows of weights that sum to one, each replaced by counts / concentration; same shape, dtype at least float32.

    A row of zeros, as of a fully masked query, gives zeros. Raises ValueError for rows of other sums: a function such as clamp may have
    changed nothing in the inputs that a look has seen, and changes these.
    """

    def mass(part: Tensor) -> Tensor:
        sums = part.sum(-1)
        if bool(((sums - 1).abs() > SUM_TOLERANCE.get(weights.itemsize, 2e-2)).logical_and(sums != 0).any()):
            raise ValueError(
                f"expected attention weights that sum to one, as in the inputs that were looked at, got a sum of {float(sums.amax()):.4g} at most and "
                f"{float(sums.amin()):.4g} at least: the model changes its weights after the softmax in a way that depends on their size; keep the "
                "module plain with ignore="
            )
        return part.clone()

    return _by_row(weights, draw, observe, mass)


def _by_row(x: Tensor, draw: Draw, observe: Observer | None, mass: Callable[[Tensor], Tensor]) -> Tensor:
    """Sample every row of x, a chunk of rows at a time. mass((row, key)): the weights of these rows."""
    n_key = x.shape[-1]
    if x.ndim == 2:  # (case, key): each case has one row
        return _by_row(x[:, None], draw, observe, mass)[:, 0]
    n_row = x.shape[-2] if x.ndim > 1 else 1
    wide = torch.promote_types(x.dtype, torch.float32)
    flat = x.detach().reshape(-1, n_key)
    row_keys = draw.row_keys(x.shape[:-2], n_row, x.device)
    weights = _Weights(draw, _sampler(flat, wide), observe=observe)
    # Where an axis was moved to the end, because the keys are on it, the others need not be (entry, head, row).
    entry = tuple(x.shape[-3:-1]) if observe is not None and x.ndim > 3 and x.is_contiguous() else ()
    n_together = max(1, math.prod(entry))
    step = max(1, _chunk_size(x.device) // (_row_width(n_key, draw) * n_together)) * n_together
    rows = torch.empty_like(flat, dtype=wide)
    for i in range(0, len(flat), step):
        part = flat[i : i + step].to(wide, copy=True)
        rows[i : i + step] = weights.of(mass(part), part, row_keys[i : i + step], entry)
    return rows.view(x.shape)


@dataclass(frozen=True)
class _Weights:
    """How the mass of attention rows becomes weights: exact or sampled, with or without dropout, seen by an observer or not."""

    draw: Draw
    sampler: Sampler
    dropout_p: float = 0.0
    observe: Observer | None = None

    def of(self, mass: Tensor, space: Tensor, row_keys: Tensor, entry: Sequence[int] = ()) -> Tensor:
        """Return (row, key) weights for (row, key) mass; they may be stored in space, or be the mass itself.

        entry: the sizes (head, row) that the rows of the mass have, for the observer; () where they are not known.
        """
        if self.observe is not None:
            self.observe(mass.clone().view(-1, *entry, mass.shape[-1]) if entry else mass.clone())
        weights = mass
        if not self.draw.is_exact:
            weights = self.sampler.sample_counts(mass, row_keys, self.draw.n_draw, out=space).div_(self.draw.n_draw)
        if self.dropout_p > 0:
            uniforms = stream.uniforms(stream.purpose_keys(row_keys, stream.DROPOUT), mass.shape[-1])
            is_left = uniforms >= self.dropout_p
            weights = weights * is_left / (1 - self.dropout_p) if self.dropout_p < 1 else torch.zeros_like(weights)
        return weights

    def are_skipped(self, n_key: int) -> bool:
        """Is it cheaper to add up the drawn values than to count the draws and multiply? Yes for few draws over many keys."""
        return self.draw.concentration * 4 <= n_key and self.dropout_p == 0 and self.observe is None


def _on_gpu(call: Call, draw: Draw, row_keys: Tensor) -> Tensor:
    """Return the mean of the drawn values, (batch * head, row, feature)."""
    return gpu.attend(
        call.query.flatten(0, 1),
        call.key.flatten(0, 1),
        call.value.flatten(0, 1),
        row_keys.view(-1, call.layout.n_row),
        draw.n_draw,
        call.scale,
        is_causal=call.is_causal,
        mask=call.mask,
        n_head_per_key=call.layout.n_head_per_key,
    )


def _in_chunks(call: Call, row_keys: Tensor, weights: _Weights) -> Tensor:
    """Return the mean of the drawn values, (batch, head, row, feature), computed a chunk at a time."""
    draw, device = weights.draw, call.query.device
    n_key = call.layout.n_key
    # With equal folds the rows of one fold are drawn from for every member; otherwise all rows form a single fold.
    n_fold = len(draw.members) if draw.is_first and call.has_equal_folds(len(draw.members)) else 1
    out = empty_in_memory_order_of(call.query, call.n_feature, call.value.dtype)
    by_fold = out.unflatten(0, (n_fold, -1))
    row_keys = row_keys.view(n_fold, -1, *out.shape[1:-1])
    max_row = max(1, _chunk_size(device) // _row_width(n_key, draw))
    chunks = list(chunks_of(by_fold.shape[1:4], max_row, with_all_heads=weights.observe is not None))
    # Allocated once for all chunks: memory that is returned and requested again has to be mapped page by page again.
    space = call.query.new_empty(2, math.prod(part.stop - part.start for part in chunks[0]) * n_key, dtype=call.wide)
    with torch.autocast(device.type, enabled=False):
        for chunk in chunks:
            shape = (*by_fold[0][chunk].shape[:-1], n_key)
            scores, mass = space[:, : math.prod(shape)].view(2, -1, n_key)
            call.write_scores(chunk, scores.view(shape))
            _mass(scores, mass)
            values = call.values(chunk)
            # Means are taken for as many members at once as keep their results in the cache, weights for one member at a time.
            n_at_once = 1
            if weights.are_skipped(n_key):
                n_at_once = max(1, _chunk_size(device) // (len(mass) * max(draw.n_draw, call.n_feature)))
            for first in range(0, n_fold, n_at_once):
                folds = slice(first, first + n_at_once)
                keys = row_keys[(folds, *chunk)].flatten(1)
                if weights.are_skipped(n_key):
                    means = weights.sampler.mean_of_draws(mass, keys, draw.n_draw, values)
                else:
                    heads = shape[1:3] if len(call.layout.lead) > 1 else ()
                    means = torch.bmm(weights.of(mass, scores, keys[0], heads).view(-1, shape[2], n_key), values)
                by_fold[(folds, *chunk)] = means.view(-1, *shape[:-1], call.n_feature)
    return out


def _sampler(values: Tensor, wide: torch.dtype) -> Sampler:
    """Return the compiled sampler if it is available and can use such values, else the reference. Both give the same bits."""
    return cpu if wide == torch.float32 and cpu.takes(values) else eager


def _mass(scores: Tensor, space: Tensor) -> Tensor:
    """Write torch's softmax of (row, key) scores into space and return it; a row of -inf has no mass, a row with NaN or +inf is NaN."""
    with torch.no_grad():
        torch.softmax(scores, -1, out=space)
        if bool(space[:, 0].isnan().any()):
            space.masked_fill_(scores.amax(-1, keepdim=True) == -math.inf, 0.0)
        return space


def _row_width(n_key: int, draw: Draw) -> int:
    """Return the elements that one row needs at once: its scores, and its draws if they are searched one by one."""
    is_searched = not draw.is_exact and eager.draws_by_search(draw.n_draw, n_key)
    return max(n_key, draw.n_draw if is_searched else 1)


def _chunk_size(device: torch.device) -> int:
    return CHUNK.get(device.type, CHUNK_ELSEWHERE)
