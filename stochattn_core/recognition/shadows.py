"""What a look knows of every tensor: whether it changes with the inputs, and which element of which attention row each entry came from.

The knowledge belongs to the memory of a tensor, not to the tensor. A view (transpose, slice, as_strided band, unfolded window) then needs no
rule of its own: it reads the shadow of the same memory with its own sizes and strides.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from stochattn_core.torch_private import is_functorch_tensor

NONE = -1.0  # an entry that came from no element of the source, or a column that is not known


@dataclass
class Mark:
    """The entries of one memory that came from elements of one source.

    flat: for each entry of the memory the element of the source (row * n_key + key) that it came from, or NONE; None where the memory of this
    size holds all elements in their order, so that nothing need be stored.
    is_exact: are the entries the weights themselves? is_linear: are they linear in the weights? is_mixed: were elements of the same key but of
    several rows (heads) added up? is_weighted: were they multiplied by numbers that change with the inputs?
    why: the operation after which they were no longer linear.
    """

    flat: Tensor | None
    size: int = 0
    is_exact: bool = True
    is_linear: bool = True
    is_mixed: bool = False
    is_weighted: bool = False
    why: str = ""

    def of(self, x: Tensor) -> Tensor:
        """Return the elements of a tensor in this memory, in its shape; writing to them writes to the shadow."""
        if self.flat is None:
            self.flat = torch.arange(self.size, dtype=torch.float64, device=x.device)
        return seen_as(self.flat, x)

    def is_whole(self, x: Tensor) -> bool:
        """Does a tensor hold all elements in their order?"""
        return self.flat is None and x.is_contiguous() and x.numel() == self.size

    def after(self, flat: Tensor | None, **changes: bool | str) -> Mark:
        """Return the mark of a result: the same history and these changes."""
        mark = Mark(flat, self.size, self.is_exact, self.is_linear, self.is_mixed, self.is_weighted, self.why)
        for name, value in changes.items():
            setattr(mark, name, value)
        return mark


@dataclass
class Cell:
    """What is known of one memory.

    is_moving: does it change with the inputs? is_constant: was it computed from parameters alone, as learned queries are?
    is_learned: does it depend on parameters, or on a product of two activations?
    is_product: is it a matrix product of two activations, possibly changed entry by entry since? is_multiplied: is it the product of two entry by
    entry? is_curved: was it changed by a nonlinear function since?
    is_window: does it hold the same entries several times, as overlapping windows do? is_resampled: was it read at places of a map?
    is_from_outside: did it exist before the pass?
    factors: non-negative tensors, each of which was multiplied with values to give this one.
    is_grouped: are its entries weights that sum to one over the places of an index, as in graph attention? is_weighed: were they multiplied with
    values since?
    depends: sources that it depends on and that have not met values on the way. column: for each entry, where it was made: the whole part names
    the column of the fixed weights that made it, the fraction the columns that made what these weights were applied to.
    root: for fixed memory, the parameter that it was computed from. lost: sources whose weights went into it through an operation that
    cannot be followed. key_sums, row_sums: for a product, sums of a non-negative factor over its entries, and such sums weighed by another factor.
    """

    is_moving: bool = False
    is_constant: bool = False
    is_learned: bool = False
    is_product: bool = False
    is_multiplied: bool = False
    is_curved: bool = False
    is_window: bool = False
    is_resampled: bool = False
    depends: frozenset[int] = frozenset()
    marks: dict[int, Mark] = field(default_factory=dict)
    column: Tensor | None = None
    root: int = 0
    lost: frozenset[int] = frozenset()
    factors: list[Tensor] = field(default_factory=list)
    key_sums: list[Tensor] = field(default_factory=list)
    row_sums: list[Tensor] = field(default_factory=list)
    is_from_outside: bool = False
    is_grouped: bool = False
    is_weighed: bool = False
    references: dict[int, weakref.ref[Tensor]] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Is it an activation: no parameter, and no number that the code holds?"""
        return self.is_moving or self.is_constant


def has_memory(x: object) -> bool:
    """Is this a dense tensor whose numbers may be looked at?"""
    if not isinstance(x, Tensor) or x.layout is not torch.strided or x.is_nested or x.is_meta:
        return False
    return not is_functorch_tensor(x)


def memory_of(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()


class Shadows:
    """The cells of all tensors that are alive, by their memory."""

    def __init__(self, unseen: Callable[[Tensor], Cell]):
        self.cells: dict[int, Cell] = {}
        self.unseen = unseen  # makes the cell of a tensor that no operation of this pass made

    def of(self, x: Tensor) -> Cell:
        memory = memory_of(x)
        cell = self.cells.get(memory)
        if cell is None:
            cell = self.cells[memory] = self.unseen(x)
            self.keep(x, cell)
        return cell

    def set(self, x: Tensor, cell: Cell) -> Cell:
        """Give fresh memory this cell."""
        self.cells[memory_of(x)] = cell
        self.keep(x, cell)
        return cell

    def keep(self, x: Tensor, cell: Cell) -> None:
        """Forget the cell when the last tensor that uses its memory is gone: the memory is then given to other tensors."""
        cell.references[id(x)] = weakref.ref(x, partial(self._release, memory_of(x), id(x), cell))

    def _release(self, memory: int, tensor: int, cell: Cell, _: weakref.ref[Tensor]) -> None:
        cell.references.pop(tensor, None)
        if not cell.references and self.cells.get(memory) is cell:
            del self.cells[memory]


def seen_as(flat: Tensor, x: Tensor) -> Tensor:
    """Return the part of a memory's shadow that belongs to a tensor, with the shape of the tensor; writing to it writes to the shadow."""
    return flat.as_strided(x.size(), x.stride(), x.storage_offset())


def empty_shadow(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a shadow for the whole memory of a tensor, full of NONE."""
    return torch.full((x.untyped_storage().nbytes() // x.itemsize,), NONE, dtype=dtype, device=x.device)


def shadow_of_whole(values: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a shadow for the memory of x that holds these values (which broadcast to x) where x lies."""
    flat = empty_shadow(x, dtype)
    seen_as(flat, x).copy_(values.expand(x.shape))
    return flat
