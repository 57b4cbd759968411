"""Following: how each kind of operation passes on what is known of its tensors, and where weights meet values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stochattn_core.recognition import operations
from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.meetings import Meetings
from stochattn_core.recognition.operations import COPIES, has_overlap, is_identity_on_weights
from stochattn_core.recognition.shadows import NONE, Cell, Mark, empty_shadow, has_memory, memory_of, seen_as, shadow_of_whole
from stochattn_core.torch_private import tree_leaves, tree_map

N_SUM = 4
Shadow = Callable[[Tensor], Tensor]  # gives the shadow of a tensor, with its shape


class Follower:
    """Passes on the cells of the arguments of an operation to its results."""

    def __init__(self, knowledge: Knowledge):
        self.knowledge = knowledge
        self.meetings = Meetings(knowledge)

    def follow(
        self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: Sequence[Tensor], before: Mapping[int, Cell]
    ) -> None:
        """Give the results of an operation, which has run, their cells. before: the cells of its arguments, by memory."""
        if not results:
            return
        cells = list(before.values())
        is_moving = any(cell.is_moving for cell in cells)
        depends = frozenset().union(*(cell.depends for cell in cells))
        for x in results:
            cell = before.get(memory_of(x))
            if cell is None:
                cell = self.knowledge.shadows.set(x, Cell(root=next((c.root for c in cells if c.root), 0)))
            cell.is_moving |= is_moving
            cell.is_learned |= any(c.is_learned for c in cells)
            cell.depends |= depends
            if op not in (*operations.CONTRACTIONS, *operations.ACCUMULATIONS):
                cell.is_grouped |= any(c.is_grouped for c in cells)
                cell.is_weighed |= any(c.is_weighed for c in cells) or (
                    op == "mul" and cell.is_grouped and sum(c.is_moving for c in cells) > 1
                )
                cell.lost |= frozenset().union(*(c.lost for c in cells))
                cell.row_sums = _latest(sums for c in (cell, *cells) for sums in c.row_sums)
                cell.key_sums = _latest(sums for c in (cell, *cells) for sums in c.key_sums) if op in COPIES else []
        if op.endswith("_like") or op.startswith("new_"):
            self.knowledge.shadows.set(results[0], Cell())  # it has the shape of its argument, and nothing of its numbers
        elif not is_moving:
            return
        elif op in COPIES:
            self._copy(func, op, args, kwargs, results[0])
        elif op in operations.SELECTIONS:
            self._select(op, args, kwargs, results)
        elif op in operations.CONTRACTIONS and (factors := operations.factors(op, args, results[0])) is not None:
            self.meetings.multiply(*factors)
        elif op in ("convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution"):
            self.meetings.convolve(args, results[0])
        elif op in operations.SUMS and results[0].dtype.is_floating_point:
            self.meetings.add_up(args, kwargs, results[0])
        elif op in operations.ACCUMULATIONS:
            self.meetings.accumulate(op, args, kwargs, results[0])
        elif op == "embedding":
            self.knowledge.of(results[0]).column = self.meetings.columns(args[0], results[0], -1, None)
        elif (
            torch.Tag.pointwise in func.tags or op in operations.SAME_PLACE_MIXTURES or op.removesuffix("_") in ("div", "mul", "add", "sub")
        ):
            self._change_each(func, op, args, kwargs, results[0])
        else:
            self.lose(op, args, kwargs, results)

    def _floats(self, args: Any) -> list[Tensor]:
        return [x for x in tree_leaves(args) if has_memory(x) and x.is_floating_point()]

    def _cell(self, x: Tensor) -> Cell:
        return self.knowledge.of(x)

    def _dependent(self, number: int, args: Any) -> bool:
        """Does an argument depend on a source although it carries none of its weights?"""
        tensors = [x for x in tree_leaves(args) if has_memory(x)]
        return any(number in self._cell(x).depends and not (x.is_floating_point() and number in self._cell(x).marks) for x in tensors)

    def _copy(self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        """Run the same operation on the shadows."""
        floats = self._floats((args, kwargs))
        cells = [self._cell(x) for x in floats]
        target = self._cell(result)
        is_written = any(memory_of(x) == memory_of(result) for x in floats)
        target.is_product |= any(cell.is_product for cell in cells)
        target.is_curved |= any(cell.is_curved for cell in cells)
        target.is_window |= op == "im2col" or any(cell.is_window or has_overlap(x) for cell, x in zip(cells, floats, strict=True))
        numbers = sorted({number for cell in cells for number in cell.marks})
        if not result.is_floating_point():
            return
        self.meetings.put(op, args, result, numbers)
        for number in numbers:
            if is_written and number not in target.marks:
                target.marks[number] = Mark(empty_shadow(result, torch.float64))
            marks = [cell.marks[number] for cell in cells if number in cell.marks]

            def element_of(x: Tensor, number: int = number) -> Tensor:
                mark = self._cell(x).marks.get(number)
                return x.new_full((), NONE, dtype=torch.float64).expand(x.shape) if mark is None else seen_as(mark.element, x)

            element = self._on_shadows(func, op, args, kwargs, element_of)
            if element is None:
                self._lose_one(number, op, result)
                continue
            is_chosen = self._dependent(number, (args, kwargs))
            mark = Mark(target.marks[number].element if is_written else shadow_of_whole(element, result, torch.float64))
            for earlier in marks:
                mark.is_linear &= earlier.is_linear
                mark.is_mixed |= earlier.is_mixed
                mark.is_weighted |= earlier.is_weighted
                mark.is_opaque |= earlier.is_opaque
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

    def _select(self, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: Sequence[Tensor]) -> None:
        """Entries chosen by their size: copies, but not linear ones."""
        x, (values, indices) = args[0], results[:2]
        at = {"topk": 2, "sort": 1}[op]
        dim = kwargs.get("dim", args[at] if len(args) > at and isinstance(args[at], int) else -1)
        cell, target = self._cell(x), self._cell(values)
        target.is_product, target.is_curved = cell.is_product, cell.is_curved
        for number, mark in cell.marks.items():
            element = seen_as(mark.element, x).gather(dim, indices)
            why = mark.why or f"{op}, a choice of entries that depends on the weights"
            target.marks[number] = mark.after(shadow_of_whole(element, values, torch.float64), is_linear=False, why=why)
        if cell.column is not None:
            target.column = shadow_of_whole(seen_as(cell.column, x).gather(dim, indices), values, torch.float64)

    def _change_each(self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        """Each entry of the result follows from the entries at the same place of the arguments."""
        if not result.is_floating_point():
            return
        floats = self._floats((args, kwargs))
        target = self._cell(result)
        moving = [x for x in floats if self._cell(x).is_moving]
        products = [x for x in moving if self._cell(x).is_product]
        target.is_product |= bool(products)
        target.is_window |= any(self._cell(x).is_window for x in floats)
        target.is_curved |= any(self._cell(x).is_curved for x in floats) or op not in operations.LINEAR_ALONE
        if op in ("div", "mul"):
            self.meetings.normalise(op, args)
        if op == "mul" and len(moving) == 2:
            target.factors = [
                x.expand(result.shape) for x in moving if self._cell(x).is_curved and self._cell(x).is_learned and float(x.min()) >= 0
            ]
        numbers = sorted({number for x in floats for number in self._cell(x).marks})
        column = self._column_of_change(op, moving, products, result, numbers)
        for number in numbers:
            self._change_mark(number, func, op, args, kwargs, result, moving)
        target.column = column

    def _column_of_change(
        self, op: str, moving: Sequence[Tensor], products: Sequence[Tensor], result: Tensor, numbers: Sequence[int]
    ) -> Tensor | None:
        """The columns of values stay when weights scale them; else those of the first moving argument that has some."""
        if products and not numbers:
            return None
        values = [x for x in moving if op == "mul" and all(self._is_value(x, number) for number in numbers)] if numbers else []
        for x in [*values, *moving]:
            flat = self._cell(x).column
            if flat is not None and bool((column := seen_as(flat, x)).amax() >= 0):
                return shadow_of_whole(column.clone(), result, torch.float64)
        return None

    def _change_mark(
        self, number: int, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor, moving: Sequence[Tensor]
    ) -> None:
        floats = self._floats((args, kwargs))
        carriers = [x for x in floats if number in self._cell(x).marks]
        marks = [self._cell(x).marks[number] for x in carriers]
        elements = [seen_as(mark.element, x).expand(result.shape).clone() for mark, x in zip(marks, carriers, strict=True)]
        is_plain_linear = op in operations.LINEAR_ALONE and not (op == "div" and carriers[0] is not args[0])
        is_linear = is_plain_linear or op in operations.SAME_PLACE_MIXTURES
        if len(carriers) == 1 and not is_linear:
            is_linear = is_identity_on_weights(func, args, kwargs, carriers[0]) is True
        if self._dependent(number, (args, kwargs)) or (len(carriers) > 1 and op not in ("add", "sub")):
            is_linear = False
        first = marks[0]
        changes: dict[str, bool | str] = {
            "is_linear": all(mark.is_linear for mark in marks) and is_linear,
            "is_weighted": first.is_weighted or (op in ("mul", "div") and any(self._is_value(x, number) for x in moving)),
            "is_mixed": any(mark.is_mixed for mark in marks) or op in operations.SAME_PLACE_MIXTURES,
            "why": next((mark.why for mark in marks if mark.why), "" if is_linear else op),
        }
        element = elements[0]
        if len(carriers) == 2:
            joined = self.meetings.join(number, carriers, marks, elements)
            if joined is None:
                self._cell(result).marks.pop(number, None)
                self._cell(result).depends -= {number}
                return
            element, changes["is_mixed"] = joined, True
        self._cell(result).marks[number] = first.after(self._stored(element, result, number), **changes)

    def _is_value(self, x: Tensor, number: int) -> bool:
        """May a factor of weights be values? Not where it holds weights itself, or was made from the same weights."""
        return not self._cell(x).marks and number not in self._cell(x).depends

    def _stored(self, element: Tensor, result: Tensor, number: int) -> Tensor:
        """Write elements into the shadow of the result's memory, which other views of it may read, and return that shadow."""
        mark = self._cell(result).marks.get(number)
        if mark is None:
            return shadow_of_whole(element, result, torch.float64)
        seen_as(mark.element, result).copy_(element)
        return mark.element

    def lose(self, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: Sequence[Tensor]) -> None:
        """An operation without a rule: what stays is whether the result changes with the inputs, and columns where the shape is the same."""
        floats = self._floats((args, kwargs))
        result = results[0]
        for x in floats:
            cell, target = self._cell(x), self._cell(result)
            if x.shape == result.shape:
                target.is_product |= cell.is_product
                target.is_curved |= cell.is_product
            if cell.is_moving and cell.column is not None and target.column is None:
                column = seen_as(cell.column, x)
                if x.shape == result.shape:
                    target.column = shadow_of_whole(column.clone(), result, torch.float64)
                elif op.startswith(operations.RESAMPLINGS) and x.shape[:2] == result.shape[:2]:
                    channels = column.flatten(2)[..., 0]
                    target.column = shadow_of_whole(channels.view(*channels.shape, *[1] * (result.ndim - 2)), result, torch.float64)
            for number in cell.marks:
                if op not in (
                    "amax",
                    "amin",
                    "max",
                    "min",
                    "argmax",
                    "logsumexp",
                    "var",
                    "std",
                    "norm",
                    "linalg_vector_norm",
                    "prod",
                    "multinomial",
                ):
                    self._lose_one(number, op, result)

    def _lose_one(self, number: int, op: str, result: Tensor) -> None:
        self.knowledge.of(result).marks.pop(number, None)
        self.meetings.lost.setdefault(number, op)
        self.knowledge.of(result).lost |= {number}


def _latest(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the last few different tensors: a normaliser follows soon upon the sums that it is for."""
    return list({id(x): x for x in tensors}.values())[-N_SUM:]
