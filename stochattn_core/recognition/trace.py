"""The trace: a dispatch mode that sees every operation of a pass and keeps the shadows of its tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.arguments import leaves_of
from stochattn_core.recognition.columns import is_constant
from stochattn_core.recognition.following import Follower
from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.operations import COPIES, FUSED, OWN_NAMESPACES, SOFTMAX, weighs
from stochattn_core.recognition.running_module import without_wrappers
from stochattn_core.recognition.shadows import Cell, Mark, Shadows, has_memory, memory_of, seen_as, shadow_of_whole
from stochattn_core.recognition.sources import Foreign, Opaque, Place, Source, stochastic_dim
from stochattn_core.torch_private import TorchDispatchMode, is_composite, is_operator, tree_leaves


class Trace(TorchDispatchMode):
    """Follows weights that sum to one through every operation of a pass.

    where() returns the name of the innermost running module, None outside of the model.
    inputs: the tensors that the model is called with. constants: which of the foreign tensors, by their order, are the same for other inputs.
    """

    supports_higher_order_operators = True  # flex_attention is one

    def __init__(self, model: nn.Module, where: Callable[[], str | None], inputs: Iterable[Tensor] = (), constants: Collection[int] = ()):
        super().__init__()
        self.model, self.where, self.constants = model, where, constants
        self.classes = {without_wrappers(name): type(module) for name, module in model.named_modules()}
        self.fixed = {memory_of(x): x for x in (*model.parameters(), *model.buffers()) if has_memory(x)}
        self.opaque: list[Opaque] = []
        self.random: list[Opaque] = []
        self.foreign: list[Foreign] = []
        self.written: dict[int, tuple[Tensor, Tensor]] = {}
        self.n_computed = 0
        self.n_pause = 0
        self.shadows = Shadows(self._unseen)
        self.knowledge = Knowledge(self.shadows, self.here)
        self.sources = self.knowledge.sources
        self.follower = Follower(self.knowledge)
        self.inputs = {memory_of(x): x for x in inputs if has_memory(x)}

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Look away inside the block, which computes an answer."""
        self.n_pause += 1
        try:
            with torch.no_grad():
                yield
        finally:
            self.n_pause -= 1

    def _lose_in_sparse(self, op: str, args: tuple[Any, ...]) -> None:
        """Note weights that are put into a sparse layout, where they cannot be followed."""
        for x in tree_leaves(args):
            if has_memory(x):
                for number in self.shadows.of(x).marks:
                    self.sources[number].lost = f"{op}, a sparse layout"

    def _keep_written(self, args: tuple[Any, ...]) -> None:
        """Keep a copy of a tensor that is not of this pass, before the first operation that may write into it."""
        for x in args:
            if has_memory(x) and memory_of(x) not in self.written and self.shadows.of(x).is_from_outside:
                whole = x.as_strided((x.untyped_storage().nbytes() // x.itemsize,), (1,), 0)
                self.written[memory_of(x)] = (whole, whole.clone())

    def restore(self) -> None:
        """Give back their numbers to tensors that are not of this pass and were written into."""
        with torch.no_grad():
            for whole, numbers in self.written.values():
                whole.copy_(numbers)

    def here(self) -> str:
        """Return the name of the innermost running module, "" for the model itself and outside of it."""
        return self.where() or ""

    def class_of(self, module: str) -> str:
        """Return the qualified name of a module's class."""
        cls = self.classes.get(module, type(self.model))
        return f"{cls.__module__}.{cls.__qualname__}"

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if self.n_pause:
            return func(*args, **kwargs)
        qualified_name = func.name().split(".")[0]  # "aten::softmax.int" -> "aten::softmax"
        namespace, op = qualified_name.rpartition("::")[::2]
        if any(word in qualified_name for word in FUSED) or "sparse_softmax" in op:
            self.opaque.append(Opaque(f"{qualified_name}, a kernel that cannot be seen into", self.here()))
        if not is_operator(func):
            return func(*args, **kwargs)
        if namespace not in OWN_NAMESPACES and weighs(func, args, kwargs):
            self.opaque.append(
                Opaque(f"{qualified_name}, an operator of its own that weighs values with weights that sum to one", self.here())
            )
        if is_composite(func):  # seen whole only in inference mode; the trace needs its parts
            with self:
                output = func.decompose(*args, **kwargs)
            if output is not NotImplemented:
                return output
        if op.startswith(("to_sparse", "_to_sparse", "_sparse_coo", "sparse_coo", "_sparse_cs", "sparse_cs")):
            self._lose_in_sparse(op, args)
        before = {memory_of(x): self.shadows.of(x) for x in tree_leaves((args, kwargs)) if has_memory(x)}
        if func._schema.is_mutable:
            self._keep_written(args)
        output = func(*args, **kwargs)
        if torch.Tag.nondeterministic_seeded in func.tags and not (op == "native_dropout" and not args[2]):
            self.random.append(Opaque(qualified_name, self.here()))
        self._seen(func, op.removesuffix("_") if op not in COPIES else op, args, kwargs, output, before)
        return output

    def _seen(self, func: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, before: dict[int, Cell]) -> None:
        results = [x for x in tree_leaves(output) if has_memory(x)]
        for x in results:
            if memory_of(x) in before:
                self.shadows.keep(x, before[memory_of(x)])
        is_written = func._schema.is_mutable
        if not is_written and results and all(memory_of(x) in before for x in results):
            return  # a view reads the shadow of the memory that it shares
        self.n_computed += op not in COPIES
        if op in SOFTMAX and results:
            self._softmax(args, results[0])
        else:
            try:
                self.follower.follow(func, op, args, kwargs, results, before)
            except (RuntimeError, IndexError, TypeError, ValueError):  # arguments of a kind that a rule does not know
                self.follower.lose(op, args, kwargs, results)

    def _softmax(self, args: tuple[Any, ...], output: Tensor) -> None:
        scores = self.shadows.of(args[0])
        cell = self.shadows.set(
            output, Cell(scores.is_moving, scores.is_constant, scores.is_learned, depends=scores.depends, root=scores.root)
        )
        cell.column = None if scores.column is None else shadow_of_whole(seen_as(scores.column, args[0]), output, torch.float64)
        if scores.is_live and output.ndim and output.shape[args[1]] > 1:
            self._new_source(output, args[1], is_softmax=True, is_keyed=self._is_keyed(scores, args[0], args[1]))

    def weights_made_by(self, place: Place, output: Tensor) -> None:
        """Tell the trace that a torch function has returned this tensor: it may hold weights that sum to one."""
        if has_memory(output) and output.numel():
            with self.pause():
                self._weights_made_by(place, output)

    def returns(self, output: Any, module: str) -> None:
        """Look at what a module returns: it may have been made out of sight."""
        with self.pause():
            for x in leaves_of(output):
                if has_memory(x):
                    n_foreign = len(self.foreign)
                    self.shadows.of(x)
                    self.foreign[n_foreign:] = [item._replace(module=module) for item in self.foreign[n_foreign:]]

    def leaves_torch(self, x: Tensor) -> None:
        """Note that numbers of a tensor are handed to NumPy or Python."""
        if has_memory(x):
            for number in self.shadows.of(x).marks:
                self.sources[number].has_left_torch = True

    def _weights_made_by(self, place: Place, output: Tensor) -> None:
        cell = self.shadows.of(output)
        for number, mark in cell.marks.items():
            source = self.sources[number]
            if mark.is_exact and (mark.is_whole(output) or not bool(output[mark.of(output) < 0].any())):
                if source.place is None and source.shape == output.shape:
                    source.place = place
                return
        if not cell.is_live or not cell.is_learned:
            return
        dim = stochastic_dim(output)
        if dim is not None:
            source = self._new_source(output, dim, is_softmax=False, is_keyed=self._is_keyed(cell, output, dim))
            source.place = place
        elif output.is_floating_point() and self.knowledge.are_grouped(output):
            cell.is_grouped = True

    def _new_source(self, output: Tensor, dim: int, *, is_softmax: bool, is_keyed: bool | None) -> Source:
        """Register weights (a tensor whose entries sum to one along dim); what was known of earlier weights in them ends here."""
        cell, module, dim, n_key = self.shadows.of(output), self.here(), dim % output.ndim, output.shape[dim]
        number = len(self.sources)
        source = Source(
            number, module, self.class_of(module), dim, tuple(output.shape), n_key, is_softmax, is_keyed, is_fixed=not cell.is_moving
        )
        self.sources.append(source)
        for earlier in cell.depends | set(cell.marks):
            self.sources[earlier].next_source = source
        flat = None
        if dim != output.ndim - 1 or not output.is_contiguous() or output.untyped_storage().nbytes() != output.numel() * output.itemsize:
            shape = (*output.shape[:dim], *output.shape[dim + 1 :], n_key)
            element = torch.arange(output.numel(), dtype=torch.float64, device=output.device).view(shape).movedim(-1, dim)
            flat = shadow_of_whole(element, output, torch.float64)
        cell.marks = {number: Mark(flat, output.numel())}
        cell.depends = frozenset({number})
        cell.is_product = cell.is_curved = False
        return source

    def _is_keyed(self, cell: Cell, scores: Tensor, dim: int) -> bool | None:
        """Do the scores along dim belong to entries of an activation? No where each comes from a column of fixed weights of its own."""
        if cell.is_product:
            return True
        return None if cell.column is None else is_constant(seen_as(cell.column, scores).movedim(dim, -1).floor())

    def _unseen(self, x: Tensor) -> Cell:
        """Return the cell of a tensor that no operation of this pass made: a parameter, an input of the model, or neither."""
        memory = memory_of(x)
        if memory in self.fixed:
            return Cell(is_learned=True, root=memory, is_from_outside=True)
        if memory not in self.inputs:
            self.foreign.append(Foreign(x.detach().clone(), self.here()))
            if len(self.foreign) - 1 in self.constants:
                return Cell(is_learned=True, root=memory, is_from_outside=True)
        return Cell(is_moving=True, is_from_outside=memory not in self.inputs)
