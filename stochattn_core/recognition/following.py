"""Following: how each kind of operation passes on what is known of its tensors, and where weights meet values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stochattn_core.recognition import operations
from stochattn_core.recognition.copying import Copier, floats_in, is_alone
from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.meetings import Meetings
from stochattn_core.recognition.operations import COPIES, is_identity_on_weights
from stochattn_core.recognition.shadows import Cell, memory_of, seen_as, shadow_of_whole

N_SUM = 4  # sums that are kept for a tensor; a normaliser follows soon upon the sums that it is for


class Follower:
    """Passes on the cells of the arguments of an operation to its results."""

    def __init__(self, knowledge: Knowledge):
        self.knowledge = knowledge
        self.meetings = Meetings(knowledge)
        self.copier = Copier(knowledge, self.meetings)

    def follow(
        self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: Sequence[Tensor], before: Mapping[int, Cell]
    ) -> None:
        """Give the results of an operation, which has run, their cells. before: the cells of its arguments, by memory."""
        if not results:
            return
        cells = list(before.values())
        is_moving = any(cell.is_moving for cell in cells)
        # Parameters become an activation where they go through others, as learned queries do.
        is_computed = op in (*operations.CONTRACTIONS, *operations.CONVOLUTIONS) and any(cell.is_learned for cell in cells)
        is_constant = not is_moving and (is_computed or any(cell.is_constant for cell in cells))
        depends = frozenset().union(*(cell.depends for cell in cells))
        for x in results:
            cell = before.get(memory_of(x))
            if cell is None:
                cell = self.knowledge.shadows.set(x, Cell(root=next((c.root for c in cells if c.root), 0)))
            cell.is_moving |= is_moving
            cell.is_constant |= is_constant
            cell.is_learned |= any(c.is_learned for c in cells)
            cell.depends |= depends
            if op not in (*operations.CONTRACTIONS, *operations.ACCUMULATIONS):
                cell.is_grouped |= any(c.is_grouped for c in cells)
                cell.is_weighed |= any(c.is_weighed for c in cells) or (
                    op == "mul" and cell.is_grouped and sum(c.is_moving for c in cells) > 1
                )
                cell.lost |= frozenset().union(*(c.lost for c in cells))
                cell.is_resampled |= "grid_sampler" in op or any(c.is_resampled for c in cells)
                cell.row_sums = _latest(sums for c in (cell, *cells) for sums in c.row_sums)
                cell.key_sums = _latest(sums for c in (cell, *cells) for sums in c.key_sums) if op in COPIES else []
        if op.endswith("_like") or op.startswith("new_"):
            self.knowledge.shadows.set(results[0], Cell())  # it has the shape of its argument, and nothing of its numbers
        elif not is_moving and not is_constant:
            return
        elif op in COPIES:
            self.copier.copy(func, op, args, kwargs, results[0])
        elif op in operations.SELECTIONS:
            self.copier.select(op, args, kwargs, results)
        elif op in operations.CONTRACTIONS and (factors := operations.factors(op, args, results[0])) is not None:
            self.meetings.multiply(*factors)
        elif op in operations.CONVOLUTIONS:
            self.meetings.convolve(args, results[0])
        elif op in operations.SUMS and results[0].dtype.is_floating_point:
            self.meetings.add_up(args, kwargs, results[0])
        elif op in operations.ACCUMULATIONS:
            self.meetings.accumulate(op, args, kwargs, results[0])
        elif op == "embedding":
            self.knowledge.of(results[0]).column = self.meetings.columns.made_by(args[0], results[0], -1, None)
        elif torch.Tag.pointwise in func.tags or op in operations.SAME_PLACE_MIXTURES or op in operations.CHANGES:
            self._change_each(func, op, args, kwargs, results[0])
        else:
            self.lose(op, args, kwargs, results)

    def _cell(self, x: Tensor) -> Cell:
        return self.knowledge.of(x)

    def _change_each(self, func: Any, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        """Each entry of the result follows from the entries at the same place of the arguments."""
        if not result.is_floating_point():
            return
        floats = floats_in((args, kwargs))
        target = self._cell(result)
        moving = [x for x in floats if self._cell(x).is_live]
        products = [x for x in moving if self._cell(x).is_product and x.numel() == result.numel()]
        target.is_product |= bool(products)
        target.is_window |= any(self._cell(x).is_window for x in floats)
        target.is_curved |= any(self._cell(x).is_curved for x in products or floats) or op not in operations.LINEAR_ALONE
        if op == "mul":
            for number in {number for x in floats for number in self._cell(x).lost}:
                if any(number not in self._cell(x).lost for x in moving):
                    self.knowledge.sources[number].lost = self.meetings.lost[number]
        target.is_multiplied = (op == "mul" and len({memory_of(x) for x in moving}) > 1) or (
            op != "mul" and any(self._cell(x).is_multiplied for x in floats)
        )
        if op in ("div", "mul"):
            self.meetings.scores.normalise(op, args)
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
        floats = floats_in((args, kwargs))
        carriers = [x for x in floats if number in self._cell(x).marks]
        marks = [self._cell(x).marks[number] for x in carriers]
        is_plain_linear = op in operations.LINEAR_ALONE and not (op == "div" and carriers[0] is not args[0])
        is_linear = is_plain_linear or op in operations.SAME_PLACE_MIXTURES
        if len(carriers) == 1 and not is_linear:
            is_linear = is_identity_on_weights(func, args, kwargs, carriers[0]) is True
        if self.copier.is_dependent(number, (args, kwargs)) or (len(carriers) > 1 and op not in ("add", "sub")):
            is_linear = False
        first, x = marks[0], carriers[0]
        is_exact = len(marks) == 1 and first.is_exact and memory_of(x) != memory_of(result) and x.shape == result.shape
        changes: dict[str, bool | str] = {
            "is_exact": is_exact and bool(torch.allclose(x, result.to(x.dtype), rtol=0, atol=1e-7, equal_nan=True)),
            "is_linear": all(mark.is_linear for mark in marks) and is_linear,
            "is_weighted": first.is_weighted or (op in ("mul", "div") and any(self._is_value(x, number) for x in moving)),
            "is_mixed": any(mark.is_mixed for mark in marks) or op in operations.SAME_PLACE_MIXTURES,
            "why": next((mark.why for mark in marks if mark.why), "" if is_linear else op),
        }
        if len(marks) == 1 and first.is_whole(x) and x.shape == result.shape and is_alone(result) and not first.is_weighted:
            self._cell(result).marks[number] = first.after(None, **changes)
            return
        elements = [mark.of(x).expand(result.shape).clone() for mark, x in zip(marks, carriers, strict=True)]
        element = elements[0]
        if op == "cumsum" and self.meetings.run_along(number, first, x, element, args[1]):
            self._cell(result).marks.pop(number, None)
            return
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
        mark.of(result).copy_(element)
        assert mark.flat is not None
        return mark.flat

    def lose(self, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], results: Sequence[Tensor]) -> None:
        """An operation without a rule: what stays is whether the result changes with the inputs, and columns where the shape is the same."""
        floats = floats_in((args, kwargs))
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
            for number, mark in cell.marks.items():
                if op not in operations.SUMMARIES:
                    self.meetings.lose(number, op, result)
                    others = [y for y in floats if self._cell(y).is_live and number not in self._cell(y).depends]
                    if others or mark.is_weighted:
                        self.knowledge.sources[number].lost = op


def _latest(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the last few different tensors: a normaliser follows soon upon the sums that it is for."""
    return list({id(x): x for x in tensors}.values())[-N_SUM:]
