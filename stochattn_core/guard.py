"""The guard: it sees every operation that a model runs and refuses attention that was not answered.

Attention that is not a torch function never reaches the patch: torch.ops called directly, exported graphs, kernels of other packages,
softmax in a class that is not registered. Left alone, such a layer would stay deterministic, and the ensemble would be too narrow without
any sign of it.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stochattn_core.torch_private import TorchDispatchMode, tree_leaves

SOFTMAX = {"_softmax", "_safe_softmax", "softmax"}
MATMUL = {"mm", "bmm", "addmm", "baddbmm", "mv", "matmul", "linear", "_grouped_mm"}
# Operations whose result still is an attention matrix: another shape of it, a copy, a part, or dropout.
CARRIES = {
    "view", "_unsafe_view", "reshape", "expand", "transpose", "permute", "t", "unsqueeze", "squeeze", "clone", "_to_copy", "slice", "select",
    "alias", "detach", "native_dropout", "index", "split", "split_with_sizes", "contiguous", "_reshape_alias", "lift_fresh",
}  # fmt: skip
# Operations after which a matrix is taken for attention only if its rows still sum to one.
MAY_CARRY = {"mul", "div", "where", "masked_fill", "add", "_scaled_mul"}
RAW, CHANGED, ANSWERED = range(3)
FUSED = ("scaled_dot_product", "flash_attn", "flash_attention", "fmha", "efficient_attention", "flex_attention", "attention_forward")


class UnansweredAttentionError(ValueError):
    """Attention was computed in a way that the patch cannot sample."""


def refuse_what_cannot_be_answered(model: nn.Module) -> None:
    """Raise UnansweredAttentionError for modules whose code runs where no Python mode sees it."""
    for name, module in model.named_modules():
        what = "a TorchScript module" if isinstance(module, torch.jit.ScriptModule) else None
        what = "DataParallel, which runs its copies in other threads" if isinstance(module, nn.DataParallel) else what
        if what:
            raise UnansweredAttentionError(
                f"{type(model).__name__} holds {what} at {name or 'its root'}, whose attention cannot be sampled; give the plain Python module instead"
            )


class Rows(NamedTuple):
    """A tensor that holds attention rows, or may: a weak reference to it, the module that made it, and RAW, CHANGED or ANSWERED."""

    tensor: weakref.ref[Tensor]
    module: str
    state: int


class Guard(TorchDispatchMode):
    """Raises UnansweredAttentionError when an unanswered softmax reaches a matmul, or when a fused attention kernel runs.

    where() returns the name of the innermost running module of the model, None outside of it.
    """

    def __init__(self, model: nn.Module, where: Callable[[], str | None]):
        super().__init__()
        self.model, self.where = model, where
        self.n_pause = 0
        self.rows: dict[int, Rows] = {}  # by the tensor's id
        self.fixed = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
        self.has_warned = False

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Look away inside the block, which computes an answer."""
        self.n_pause += 1
        try:
            yield
        finally:
            self.n_pause -= 1

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if self.n_pause:
            return func(*args, **kwargs)
        qualified_name = func.name().split(".")[0]  # "aten::softmax.int" -> "aten::softmax"
        op = qualified_name.split("::")[-1].removesuffix("_") or qualified_name
        if any(word in qualified_name for word in FUSED):
            self._refuse(f"{qualified_name}, a fused kernel called past torch's Python functions")
        if op in MATMUL:
            self._check_matmul([leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor)])
        output = func(*args, **kwargs)
        if op in SOFTMAX:
            self._mark(output, self.where() or "", RAW)
        elif op in CARRIES or op in MAY_CARRY:
            for leaf in tree_leaves(args):
                if isinstance(leaf, Tensor) and (rows := self._rows_in(leaf)):
                    self._mark(output, rows.module, CHANGED if rows.state == RAW and op in MAY_CARRY else rows.state)
                    break
        return output

    def answered(self, output: Any) -> None:
        """Allow every use of these rows, because they were sampled."""
        self._mark(output, "", ANSWERED)

    def _mark(self, output: Any, module: str, state: int) -> None:
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim >= 2:
                self.rows[id(leaf)] = Rows(weakref.ref(leaf), module, state)

    def _rows_in(self, tensor: Tensor) -> Rows | None:
        rows = self.rows.get(id(tensor))
        return rows if rows is not None and rows.tensor() is tensor else None

    def _check_matmul(self, operands: list[Tensor]) -> None:
        moving = [x for x in operands if x.untyped_storage().data_ptr() not in self.fixed]
        if len(moving) < 2:
            return  # a product with a weight: a decision head on probabilities, or a plain linear layer
        running = self.where()
        if running is None:
            return  # no module is running: a backward pass, or work between calls
        for x in moving:
            rows = self._rows_in(x)
            if rows and (rows.state == RAW or (rows.state == CHANGED and _rows_sum_to_one(x))):
                self._refuse(f"softmax and matmul by hand in {rows.module or 'its own forward'}", rows.module)
            if rows is None and not self.has_warned and _rows_sum_to_one(x):
                self.has_warned = True
                warnings.warn(
                    f"{type(self.model).__name__} multiplies by a matrix whose rows sum to one in {running or 'its own forward'}: "
                    "if this is attention without softmax, it stays deterministic",
                    stacklevel=2,
                )

    def _refuse(self, what: str, manual_in: str | None = None) -> None:
        """manual_in: the module whose softmax could be registered; None where the call cannot be answered at all."""
        name = self.where() if manual_in is None else manual_in
        module = dict(self.model.named_modules()).get(name or "", self.model)
        cls = f"{type(module).__module__}.{type(module).__qualname__}"
        cure = (
            "let the model call torch.nn.functional.scaled_dot_product_attention"
            if manual_in is None
            else f"if every softmax of that class makes attention rows, pass attention_classes=({cls!r},)"
        )
        raise UnansweredAttentionError(
            f"attention in module {name or '(root)'} of class {cls} cannot be sampled: {what}; expected scaled_dot_product_attention or "
            f"nn.MultiheadAttention; {cure}"
        )


def _rows_sum_to_one(x: Tensor) -> bool:
    """Are the rows of x, or its columns, non-negative with sum one, and not all one-hot?"""
    if x.ndim < 2 or x.shape[-1] < 2 or not x.is_floating_point() or not x.numel():
        return False
    x = x.detach().float()
    for rows in (x, x.mT):
        one_hot = bool((rows.amax(-1) > 0.999).all())
        if not one_hot and bool((rows >= 0).all()) and bool((rows.sum(-1) - 1).abs().max() < 1e-3):
            return True
    return False
