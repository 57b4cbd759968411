"""Copying: operations that move entries to other places, which are run on the shadows as they are on the tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stochattn_core.recognition import operations
from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.meetings import Meetings
from stochattn_core.recognition.operations import COPIES, has_overlap
from stochattn_core.recognition.shadows import NONE, Cell, Mark, empty_shadow, has_memory, memory_of, seen_as, shadow_of_whole
from stochattn_core.torch_private import tree_leaves, tree_map

Shadow = Callable[[Tensor], Tensor]  # gives the shadow of a tensor, with its shape


def floats_in(args: Any) -> list[Tensor]:
    """Return the floating tensors among arguments."""
    return [x for x in tree_leaves(args) if has_memory(x) and x.is_floating_point()]


def is_alone(x: Tensor) -> bool:
    """Does a tensor fill its memory, in the order of its entries?"""
    return x.is_contiguous() and x.untyped_storage().nbytes() == x.numel() * x.itemsize


class Copier:
    """Passes on the shadows of arguments to a result whose entries are copies of theirs."""

    def __init__(self, knowledge: Knowledge, meetings: Meetings):
        self.knowledge, self.meetings = knowledge, meetings

    def _cell(self, x: Tensor) -> Cell:
        return self.knowledge.of(x)

    def is_dependent(self, number: int, args: Any) -> bool:
        """Does an argument depend on a source although it carries none of its weights?"""
        tensors = [x for x in tree_leaves(args) if has_memory(x)]
        return any(number in self._cell(x).depends and not (x.is_floating_point() and number in self._cell(x).marks) for x in tensors)

    def copy(self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        """Run the same operation on the shadows."""
        floats = floats_in((args, kwargs))
        cells = [self._cell(x) for x in floats]
        target = self._cell(result)
        is_written = any(memory_of(x) == memory_of(result) for x in floats)
        target.is_product |= any(cell.is_product for cell in cells)
        target.is_curved |= any(cell.is_curved for cell in cells)
        target.is_window |= op == "im2col" or any(cell.is_window or has_overlap(x) for cell, x in zip(cells, floats, strict=True))
        numbers = sorted({number for cell in cells for number in cell.marks})
        if not result.is_floating_point():
            for number in numbers if result.dtype != torch.bool else ():
                self.meetings.lose(number, f"a copy as {str(result.dtype).removeprefix('torch.')}", result)
            return
        self.meetings.put(op, args, result, numbers)
        for number in numbers:
            if is_written and number not in target.marks:
                target.marks[number] = Mark(empty_shadow(result, torch.float64))
            if op in operations.WIDTH_ONLY and cells[0].marks[number].is_whole(floats[0]) and is_alone(result):
                target.marks[number] = cells[0].marks[number].after(None)
                continue
            marks = [cell.marks[number] for cell in cells if number in cell.marks]

            def element_of(x: Tensor, number: int = number) -> Tensor:
                mark = self._cell(x).marks.get(number)
                return x.new_full((), NONE, dtype=torch.float64).expand(x.shape) if mark is None else mark.of(x)

            element = self._on_shadows(func, op, args, kwargs, element_of)
            if element is None:
                self.meetings.lose(number, op, result)
                continue
            is_chosen = self.is_dependent(number, (args, kwargs))
            mark = Mark(target.marks[number].flat if is_written else shadow_of_whole(element, result, torch.float64))
            for earlier in marks:
                mark.is_linear &= earlier.is_linear
                mark.is_mixed |= earlier.is_mixed
                mark.is_weighted |= earlier.is_weighted
                mark.is_exact &= earlier.is_exact
                mark.why = mark.why or earlier.why
            if is_chosen:
                mark.is_linear, mark.why = False, mark.why or "a choice of entries that depends on the weights"
            target.marks[number] = mark
        if any(cell.column is not None for cell in cells):
            if is_written and target.column is None:
                target.column = empty_shadow(result, torch.float64)

            def column_of(x: Tensor) -> Tensor:
                column = self._cell(x).column
                return x.new_full((), NONE, dtype=torch.float64).expand(x.shape) if column is None else seen_as(column, x)

            column = self._on_shadows(func, op, args, kwargs, column_of)
            if column is not None and not is_written:
                target.column = shadow_of_whole(column, result, torch.float64)

    def _on_shadows(self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], shadow: Shadow) -> Tensor | None:
        """Return what the operation makes of the shadows; an operation that writes into its first argument writes into the shadow.

        The shadows are raised by one for the operation: where it fills with zeros, as tril and padding do, the result then is NONE.
        """
        if op in operations.WIDTH_ONLY:
            return shadow(args[0])
        filling = COPIES[op]
        changed = tuple(0 if i == filling and not isinstance(x, Tensor) else x for i, x in enumerate(args))
        written = shadow(args[0]) if func._schema.is_mutable and isinstance(args[0], Tensor) else None
        try:
            raised = tree_map(
                lambda x: shadow(x) + 1 if has_memory(x) and x.is_floating_point() else x, (changed[written is not None :], dict(kwargs))
            )
            if written is None:
                result: Tensor = func(*raised[0], **raised[1])
                return result - 1
            positional = list(raised[0])
            if op in ("index_put", "_index_put_impl") and len(positional) > 2:
                positional[2] = False  # what is added up is judged apart
            written.add_(1)
            try:
                if op == "zero":
                    written.fill_(0)
                else:
                    func(written, *positional, **raised[1])
            finally:
                written.sub_(1)
            return written
        except (RuntimeError, NotImplementedError, IndexError, TypeError):
            return None

    def select(self, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: Sequence[Tensor]) -> None:
        """Entries chosen by their size: copies, but not linear ones."""
        x, (values, indices) = args[0], results[:2]
        at = {"topk": 2, "sort": 1}[op]
        dim = kwargs.get("dim", args[at] if len(args) > at and isinstance(args[at], int) else -1)
        cell, target = self._cell(x), self._cell(values)
        target.is_product, target.is_curved = cell.is_product, cell.is_curved
        for number, mark in cell.marks.items():
            element = mark.of(x).gather(dim, indices)
            why = mark.why or f"{op}, a choice of entries that depends on the weights"
            target.marks[number] = mark.after(shadow_of_whole(element, values, torch.float64), is_linear=False, why=why)
        if cell.column is not None:
            target.column = shadow_of_whole(seen_as(cell.column, x).gather(dim, indices), values, torch.float64)
