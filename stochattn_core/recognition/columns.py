"""Columns: which column of fixed weights made an entry, to tell entries of one activation from branches with weights of their own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.shadows import Cell, memory_of, seen_as, shadow_of_whole


class Columns:
    """Numbers the columns of all fixed weights of a pass."""

    def __init__(self, knowledge: Knowledge):
        self.knowledge = knowledge
        self.n_column = 0
        self.first_column: dict[tuple[int, int], int] = {}

    def _cell(self, x: Tensor) -> Cell:
        return self.knowledge.of(x)

    def made_by(self, weight: Tensor, result: Tensor, dim: int, before: Tensor | None) -> Tensor:
        """Return the columns of a result that fixed weights made, one for each place along dim: the same weights give the same columns.

        before: the columns that made each row of the weights' input, as one fraction for each row; broadcasts to the result.
        """
        key = (self._cell(weight).root or memory_of(weight), int(weight.storage_offset()))
        if key not in self.first_column:
            self.first_column[key] = self.n_column
            self.n_column += result.shape[dim] * len(weight)
        # A batch of weights, one for each expert, has columns of its own for each.
        n_batch = len(weight) if weight.ndim == result.ndim == 3 and weight.stride(0) else 1
        numbers = torch.arange(n_batch * result.shape[dim], dtype=torch.float64, device=result.device) + self.first_column[key]
        shape = [1] * result.ndim
        shape[0], shape[dim] = n_batch, result.shape[dim]
        columns = numbers.view(shape)
        return shadow_of_whole(columns if before is None else columns + before, result, torch.float64)

    def history(self, x: Tensor, dim: int) -> Tensor | None:
        """Return for each row of x a fraction that names the columns of its entries along dim; None where no column is known."""
        column = self._cell(x).column
        if column is None:
            return None
        entries = seen_as(column, x).movedim(dim, -1)
        factors = torch.arange(1, entries.shape[-1] + 1, dtype=torch.float64, device=x.device) * 0.7548776662466927 % 1
        return ((entries + 2) @ factors % 1 * 1e6).round() / 1.001e6


def entries_in(cell: Cell, columns: Tensor | None) -> bool | None:
    """Are values (*, entry) entries of one activation, made by the same weights? None where it cannot be told."""
    if cell.is_product:
        return True
    return None if columns is None else is_constant(columns)


def is_constant(column: Tensor) -> bool:
    """Do the entries of most rows (*, entry) come from one column of fixed weights, but for a few such as a class token?

    What the column was applied to may differ between groups of entries, such as the levels of a pyramid. Where it differs between all entries,
    they are branches, of which a gate chooses.
    """
    ordered = column.sort(-1).values
    n_entry = ordered.shape[-1]
    if n_entry < 2:
        return True
    whole = ordered.floor()
    is_equal = ordered[..., 1:] == ordered[..., :-1]
    has_equal = F.pad(is_equal, (0, 1)) | F.pad(is_equal, (1, 0))
    is_entry = has_equal & (whole == whole[..., n_entry // 2, None])
    return bool((is_entry.double().mean(-1) > 0.5).double().mean() > 0.5)
