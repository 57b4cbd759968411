"""Meetings: operations that add up entries, where weights meet the values that they weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stochattn_core.recognition.columns import Columns, entries_in
from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.scores import Scores
from stochattn_core.recognition.shadows import Cell, Mark, seen_as, shadow_of_whole
from stochattn_core.recognition.sources import Meeting, Opaque, Source


class Meetings:
    """Judges every sum over entries that carry weights of a source: along the axis of the keys, or across it."""

    def __init__(self, knowledge: Knowledge):
        self.knowledge = knowledge
        self.scores = Scores(knowledge)
        self.columns = Columns(knowledge)
        self.lost: dict[int, str] = {}  # by source: the operation after which its weights could not be followed

    def _cell(self, x: Tensor) -> Cell:
        return self.knowledge.of(x)

    def lose(self, number: int, op: str, result: Tensor) -> None:
        """Note that weights of a source went into a result through an operation that cannot be followed."""
        cell = self._cell(result)
        cell.marks.pop(number, None)
        cell.lost |= {number}
        self.lost.setdefault(number, op)

    def multiply(self, left: Tensor, right: Tensor, result: Tensor) -> None:
        """A product of matrices: left (*, row, entry), right (*, entry, column), result (*, row, column)."""
        first, second, target = self._cell(left), self._cell(right), self._cell(result)
        target.is_product = first.is_live and second.is_live
        target.is_learned |= target.is_product
        target.is_curved = False
        if not second.is_live:
            history = self.columns.history(left, -1)
            target.column = self.columns.made_by(right, result, -1, None if history is None else history[..., None])
        elif not first.is_live:
            history = self.columns.history(right, -2)
            target.column = self.columns.made_by(left, result, -2, None if history is None else history[..., None, :])
        if target.is_product:
            for number in first.lost | second.lost:
                self.knowledge.sources[number].lost = self.lost[number]
            self.scores.note_scores(left, right)
        if target.is_live:
            self.scores.note_sums(left, right, result)
        for x, partner, is_left in ((left, right, True), (right.mT, left.mT, False)):
            for number, mark in list(self._cell(x).marks.items()):
                n_meeting = len(self.knowledge.sources[number].meetings)
                element = self.weigh(number, mark, x, partner)
                if len(self.knowledge.sources[number].meetings) > n_meeting:
                    target.is_product = False  # the output of attention: no scores
                if element is None:
                    continue
                element = element[..., None] if is_left else element[..., None, :]
                is_weighted = mark.is_weighted or (self._cell(partner).is_live and not self._cell(partner).marks)
                target.marks[number] = mark.after(
                    shadow_of_whole(element, result, torch.float64), is_mixed=mark.is_mixed or x.shape[-1] > 1, is_weighted=is_weighted
                )

    def weigh(self, number: int, mark: Mark, x: Tensor, partner: Tensor | None) -> Tensor | None:
        """Judge a sum over the last dim of x, whose entries carry weights, times the partner (*, entry, column); None: times ones.

        Returns the elements (*x.shape[:-1]) that the sums stand for where the sum goes over heads or features, None where the weights end
        in it.
        """
        source = self.knowledge.sources[number]
        is_live = partner is not None and self._cell(partner).is_live
        if not (mark.is_whole(x) and x.shape[-1] == source.n_key):
            element = mark.of(x)
            key_varies, row_varies = self._varying(source, element)
            if not bool(key_varies.any()):
                if bool(row_varies.any()) and is_live:
                    source.is_across = True
                    return None
                return element.amax(-1)
            if int((key_varies & ~row_varies).sum()) * 2 <= int(key_varies.sum()):
                source.is_across = True
                return None
        if partner is not None and number in self._cell(partner).depends:
            source.is_squared = True
        elif is_live or mark.is_weighted:
            self.meet(source, mark, x, x if mark.is_weighted else partner, -1 if mark.is_weighted else -2)
        else:
            source.is_met_by_fixed |= partner is not None
        return None

    @staticmethod
    def _varying(source: Source, element: Tensor) -> tuple[Tensor, Tensor]:
        """Do the keys, and do the rows, differ along the last dim? Entries of no element are left out."""
        valid = element >= 0
        row = (element / source.n_key).floor()
        varies = []
        for part in (element - row * source.n_key, row):
            high = torch.where(valid, part, -1.0).amax(-1)
            low = torch.where(valid, part, torch.inf).amin(-1)
            varies.append(valid.any(-1) & (high != low))
        return varies[0], varies[1]

    def meet(self, source: Source, mark: Mark, x: Tensor, values: Tensor | None, dim: int) -> None:
        """Note that weights meet values along their own axis. values: the tensor whose entries along dim are weighed."""
        is_unchanged = mark.is_exact and mark.is_linear and not mark.is_mixed and not mark.is_weighted
        how = mark.why
        if mark.is_linear and not is_unchanged:
            how = (
                "mixed over rows or heads"
                if mark.is_mixed
                else "multiplied with the values and added up"
                if mark.is_weighted
                else "scaled or shifted"
            )
        cell = self._cell(x if values is None else values)
        has_entries = entries_in(cell, None if cell.column is None or values is None else seen_as(cell.column, values).movedim(dim, -1))
        # One row of weights for a window is a kernel; a row for each of its places is attention within the window.
        is_window = cell.is_window and (mark.is_weighted or x.shape[-2] == 1)
        self._note(source, cell, Meeting(is_unchanged, mark.is_linear, has_entries, is_window, how, self.knowledge.here()))

    @staticmethod
    def _note(source: Source, values: Cell, meeting: Meeting) -> None:
        """Note a meeting, unless weights that change with the input weigh values that do not, or the other way round.

        Learned queries of deformable attention have the same weights for all inputs, and read the values at places of their own.
        """
        if source.is_fixed == (not values.is_moving) or (source.is_fixed and values.is_resampled):
            source.meetings.append(meeting)
        elif not source.is_fixed:
            source.is_met_by_fixed = True

    def join(self, number: int, carriers: Sequence[Tensor], marks: Sequence[Mark], elements: Sequence[Tensor]) -> Tensor | None:
        """Add two tensors that carry weights of one source; return the elements of the sum, None where weighed values were added up."""
        first, second = elements
        both = (first >= 0) & (second >= 0) & (first != second)
        source = self.knowledge.sources[number]
        if bool(both.any()) and all(mark.is_weighted for mark in marks):
            key_varies, row_varies = self._varying(source, torch.stack([first[both], second[both]], -1))
            if bool((key_varies & ~row_varies).any()):
                columns = [self._cell(x).column for x in carriers]
                known = [seen_as(column, x) for column, x in zip(columns, carriers, strict=True) if column is not None]
                is_same = len(known) == 2 and known[0].shape == known[1].shape and bool((known[0] == known[1]).all())
                linear = all(mark.is_linear for mark in marks)
                how = "multiplied with the values and added up" if linear else next(mark.why for mark in marks if mark.why)
                self._note(source, self._cell(carriers[0]), Meeting(False, linear, is_same, False, how, self.knowledge.here()))
                return None
        return torch.where(first >= 0, first, second)

    def run_along(self, number: int, mark: Mark, x: Tensor, element: Tensor, dim: int) -> bool:
        """Note a running sum over weighed values; is it one?"""
        source, cell = self.knowledge.sources[number], self._cell(x)
        key_varies, row_varies = self._varying(source, element.movedim(dim, -1))
        if not mark.is_weighted or not bool((key_varies & ~row_varies).any()):
            return False
        columns = None if cell.column is None else seen_as(cell.column, x).movedim(dim, -1)
        how = "multiplied with the values and added up on the way" if mark.is_linear else mark.why
        self._note(source, cell, Meeting(False, mark.is_linear, entries_in(cell, columns), cell.is_window, how, self.knowledge.here()))
        return True

    def put(self, op: str, args: tuple[Any, ...], result: Tensor, numbers: Sequence[int]) -> None:
        """Entries that index_put adds to those that are there: a meeting where weighed values of one row come together."""
        if op not in ("index_put", "_index_put_impl") or len(args) < 4 or args[3] is not True:
            return
        indices, x = tuple(slice(None) if index is None else index for index in args[1]), args[2]
        for number in numbers:
            mark, earlier = self._cell(x).marks.get(number), self._cell(result).marks.get(number)
            if mark is None or earlier is None or not mark.is_weighted:
                continue
            there = earlier.of(result)[indices]
            here = mark.of(x).expand_as(there)
            both = (there >= 0) & (here >= 0)
            key_varies, row_varies = self._varying(self.knowledge.sources[number], torch.stack([there, here], -1))
            if bool((both & key_varies & ~row_varies).any()):
                columns = (self._cell(result).column, self._cell(x).column)
                is_same = columns[0] is not None and columns[1] is not None
                if columns[0] is not None and columns[1] is not None:
                    is_same = bool((seen_as(columns[0], result)[indices] == seen_as(columns[1], x))[both].all())
                how = "multiplied with the values and added up at the places of an index"
                meeting = Meeting(False, mark.is_linear, is_same, False, how, self.knowledge.here())
                self._note(self.knowledge.sources[number], self._cell(x), meeting)

    def add_up(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        """A sum or a mean over some dims."""
        x = args[0]
        cell, target = self._cell(x), self._cell(result)
        dims = kwargs.get("dim", args[1] if len(args) > 1 and not isinstance(args[1], bool) else None)
        dims = list(range(x.ndim)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else list(dims)
        dims = sorted(dim % max(x.ndim, 1) for dim in dims)
        rest = [dim for dim in range(x.ndim) if dim not in dims]
        moved = x.permute(*rest, *dims)

        def last(flat: Tensor) -> Tensor:
            return seen_as(flat, moved).flatten(len(rest)) if dims else seen_as(flat, moved)[..., None]

        target.is_product, target.is_curved = cell.is_product or (cell.is_multiplied and not cell.marks), cell.is_curved
        target.row_sums = [factor.permute(*rest, *dims).flatten(len(rest)).sum(-1) if dims else factor for factor in cell.factors]
        if cell.column is not None:
            column = last(cell.column)
            target.column = shadow_of_whole(
                torch.where(column.amax(-1) == column.amin(-1), column.amax(-1), -1.0).view(result.shape), result, torch.float64
            )
        for number, mark in cell.marks.items():
            moved_element = mark.of(x).permute(*rest, *dims)
            source, element = self.knowledge.sources[number], moved_element.flatten(len(rest)) if dims else moved_element[..., None]
            key_varies, row_varies = self._varying(source, element)
            if bool(key_varies.any()):
                if mark.is_weighted:
                    columns = None if cell.column is None else last(cell.column)
                    how = "multiplied with the values and added up" if mark.is_linear else mark.why
                    meeting = Meeting(
                        False, mark.is_linear, entries_in(cell, columns), cell.is_window, how, self.knowledge.here(), is_sum=True
                    )
                    self._note(source, cell, meeting)
                    target.depends -= {number}
                continue
            mixed = mark.is_mixed or bool(row_varies.any())
            target.marks[number] = mark.after(shadow_of_whole(element.amax(-1).view(result.shape), result, torch.float64), is_mixed=mixed)

    def convolve(self, args: tuple[Any, ...], result: Tensor) -> None:
        """A convolution: x (case, channel, *place), weight (out, in, *tap)."""
        x, weight = args[0], args[1]
        target = self._cell(result)
        target.is_product = self._cell(x).is_live and self._cell(weight).is_live
        if not self._cell(weight).is_live:
            history = self.columns.history(x, 1)
            first = None if history is None else history.flatten(1)[:, :1].view(-1, *[1] * (result.ndim - 1))
            target.column = self.columns.made_by(weight, result, 1, first)
        for number, _ in self._cell(weight).marks.items():
            self.knowledge.sources[number].meetings.append(Meeting(False, True, True, True, "taps of a convolution", self.knowledge.here()))
        is_same_size = x.ndim > 2 and x.shape[2:] == result.shape[2:]
        for number, mark in self._cell(x).marks.items():
            channels = x.movedim(1, -1)
            element = self.weigh(number, mark, channels, weight.flatten(1).mT)
            if element is not None and is_same_size:
                target.marks[number] = mark.after(shadow_of_whole(element[:, None], result, torch.float64), is_mixed=True)
            elif element is not None:
                self.lost.setdefault(number, "a convolution of another size")

    def accumulate(self, op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        """Entries added to places that an index names: index_add and scatter_add (self, dim, index, source)."""
        if len(args) < 4 or not isinstance(args[3], Tensor) or not args[3].is_floating_point():
            return
        into, dim, index, x = args[:4]
        if self._cell(x).is_grouped and self._cell(x).is_weighed:
            self.knowledge.unnormalised.append(Opaque("softmax over the entries of an index (graph attention)", self.knowledge.here()))
        groups = index if index.ndim == 1 else index.movedim(dim, 0).flatten(1)[:, 0]
        self.knowledge.indices = [*self.knowledge.indices[-7:], groups]
        if index.ndim != x.ndim:
            shape = [1] * x.ndim
            shape[dim] = -1
            index = index.view(shape).expand(x.shape)
        cell, target = self._cell(x), self._cell(result)
        if cell.column is not None and target.column is None:
            target.column = shadow_of_whole(
                torch.full(result.shape, -1.0, dtype=torch.float64, device=x.device).scatter(dim, index, seen_as(cell.column, x)),
                result,
                torch.float64,
            )
        if "reduce" in op and kwargs.get("reduce", args[4] if len(args) > 4 else "sum") not in ("sum", "mean"):
            return
        for number, mark in cell.marks.items():
            source = self.knowledge.sources[number]
            element = mark.of(x)
            earlier = self._cell(into).marks.get(number)
            start = torch.full(into.shape, -1.0, dtype=torch.float64, device=x.device) if earlier is None else earlier.of(into).clone()
            low = torch.where(start >= 0, start, torch.inf).scatter_reduce(
                dim, index, torch.where(element >= 0, element, torch.inf), "amin"
            )
            high = start.scatter_reduce(dim, index, element, "amax")
            ends = torch.stack([torch.where(low.isinf(), -1.0, low), high], -1)
            key_varies, row_varies = self._varying(source, ends)
            if mark.is_weighted and bool((key_varies & ~row_varies).any()):
                columns = (self._cell(into).column, cell.column)
                has_entries = columns[0] is not None and columns[1] is not None
                if has_entries and columns[0] is not None and columns[1] is not None and earlier is not None:
                    there, here = seen_as(columns[0], into).gather(dim, index), seen_as(columns[1], x)
                    has_entries = bool(((there == here) | (there < 0)).all())
                how = "multiplied with the values and added up at the places of an index"
                self._note(source, cell, Meeting(False, mark.is_linear, has_entries, False, how, self.knowledge.here()))
                continue
            target.marks[number] = mark.after(shadow_of_whole(high, result, torch.float64), is_mixed=mark.is_mixed or not mark.is_weighted)
