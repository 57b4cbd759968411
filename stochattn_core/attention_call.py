"""One attention call: its tensors by head, the terms of its scores, and the chunks in which it is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.layout import Layout, by_head, folds_are_equal


class Chunk(NamedTuple):
    """A part of one fold: batch entries, heads and rows."""

    batch: slice
    heads: slice
    rows: slice


@dataclass(frozen=True)
class Call:
    """The tensors of one attention call by head, and the terms of its scores.

    query: (batch, head, L, E), key: (batch, key_head, S, E), value: (batch, key_head, S, Ev), mask: (*lead, L, S).
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    is_causal: bool
    scale: float
    layout: Layout

    @property
    def n_feature(self) -> int:
        """The features of a value, Ev."""
        return self.value.shape[-1]

    @property
    def wide(self) -> torch.dtype:
        """The dtype of the scores, at least float32."""
        return torch.promote_types(self.query.dtype, torch.float32)

    def has_equal_folds(self, n_fold: int) -> bool:
        """Are the inputs of all folds equal, so that the rows of one serve every member? No if each fold of the values is to receive a gradient."""
        if torch.is_grad_enabled() and self.value.requires_grad:
            return False
        inputs = (self.query, self.key, self.value) if self.mask is None else (self.query, self.key, self.value, self.mask)
        return all(folds_are_equal(x, n_fold) for x in inputs)

    def write_scores(self, chunk: Chunk, out: Tensor) -> None:
        """Write the masked scores of a chunk, (batch, head, row, key)."""
        batch, heads, rows = chunk
        n_row, n_key = out.shape[-2:]
        with torch.no_grad():
            query = (self.query[batch, heads, rows].to(self.wide) * self.scale).reshape(-1, n_row, self.query.shape[-1])
            key = self.key[batch, self._key_heads(heads)].to(self.wide).reshape(-1, *self.key.shape[-2:])
            torch.bmm(query, key.mT, out=out.view(-1, n_row, n_key))
            self._mask_(out, chunk)

    def values(self, chunk: Chunk) -> Tensor:
        """Return the values that a chunk reads, (batch * head, key, feature)."""
        return self.value[chunk.batch, self._key_heads(chunk.heads)].to(self.wide).reshape(-1, *self.value.shape[-2:])

    def _key_heads(self, heads: slice) -> slice | Tensor:
        n_head_per_key = self.layout.n_head_per_key
        return torch.arange(heads.start, heads.stop, device=self.query.device) // n_head_per_key if n_head_per_key > 1 else heads

    def _mask_(self, scores: Tensor, chunk: Chunk) -> None:
        """Apply the masks to the scores of a chunk, in place."""
        batch, heads, rows = chunk
        if self.is_causal:
            row = torch.arange(rows.start, rows.stop, device=scores.device)[:, None]
            scores.masked_fill_(row < torch.arange(scores.shape[-1], device=scores.device), -math.inf)
        if self.mask is None:
            return
        lead = self.layout.lead
        if len(lead) > 2:  # flattening the leading dims of an expanded mask would copy it whole
            entry = torch.unravel_index(torch.arange(batch.start, batch.stop, device=scores.device), tuple(lead[:-1]))
            mask = self.mask[entry][:, heads, rows]
        else:
            mask = by_head(self.mask, lead)[batch, heads, rows]
        if mask.dtype == torch.bool:
            scores.masked_fill_(~mask, -math.inf)
        else:
            scores += mask


def chunks_of(shape: Sequence[int], max_row: int, *, with_all_heads: bool = False) -> Iterator[Chunk]:
    """Yield chunks of at most max_row rows: whole batch entries if they fit, else heads of an entry, else rows of a head.

    shape: (batch, head, row). No chunk is larger than the first. with_all_heads: a chunk holds its rows of every head, which may be more
    than max_row rows where there are more heads than that.
    """
    n_batch, n_head, n_row = shape
    n_row_in = min(n_row, max(1, max_row // n_head) if with_all_heads else max_row)
    n_head_in = n_head if with_all_heads else min(n_head, max(1, max_row // n_row))
    n_batch_in = min(n_batch, max(1, max_row // (n_row * n_head)))
    for b in range(0, n_batch, n_batch_in):
        for h in range(0, n_head, n_head_in):
            for r in range(0, n_row, n_row_in):
                yield Chunk(
                    slice(b, min(b + n_batch_in, n_batch)),
                    slice(h, min(h + n_head_in, n_head)),
                    slice(r, min(r + n_row_in, n_row)),
                )
