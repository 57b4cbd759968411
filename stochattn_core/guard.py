"""The watch: sees every operation a model runs and refuses attention that was not answered.

What is not a torch function never reaches the patch (torch.ops called directly, exported graphs, other packages' kernels, softmax in a
class nobody registered). Left alone, such a layer would stay deterministic and the ensemble too narrow without a word.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SOFTMAX = {"_softmax", "_safe_softmax", "softmax"}
MATMUL = {"mm", "bmm", "addmm", "baddbmm", "mv", "matmul", "linear", "_grouped_mm"}
# Operations that leave an attention matrix one: other shapes of it, copies, parts, dropout.
CARRIES = {
    "view", "_unsafe_view", "reshape", "expand", "transpose", "permute", "t", "unsqueeze", "squeeze", "clone", "_to_copy", "slice", "select",
    "alias", "detach", "native_dropout", "index", "split", "split_with_sizes", "contiguous", "_reshape_alias", "lift_fresh",
}  # fmt: skip
# Operations after which only a matrix whose rows still sum to one is taken for attention.
MAY_CARRY = {"mul", "div", "where", "masked_fill", "add", "_scaled_mul"}
RAW, CHANGED, ANSWERED = range(3)
FUSED = ("scaled_dot_product", "flash_attn", "flash_attention", "fmha", "efficient_attention", "flex_attention", "attention_forward")


class UnansweredAttentionError(ValueError):
    """Attention was computed in a way that the patch cannot sample."""


def refuse_what_cannot_be_answered(model: nn.Module) -> None:
    """UnansweredAttentionError for modules whose code runs where no Python mode sees it."""
    for name, module in model.named_modules():
        what = "a TorchScript module" if isinstance(module, torch.jit.ScriptModule) else None
        what = "DataParallel, which runs its copies in other threads" if isinstance(module, nn.DataParallel) else what
        if what:
            raise UnansweredAttentionError(
                f"{type(model).__name__} holds {what} at {name or 'its root'}, whose attention cannot be sampled; give the plain Python module instead"
            )


class Guard(TorchDispatchMode):
    """Raises UnansweredAttentionError when an unanswered softmax reaches a matmul, or a fused attention kernel runs."""

    def __init__(self, model: nn.Module, where: Callable[[], tuple[str | None, bool]]):
        super().__init__()
        self.model, self.where = model, where
        self.paused = 0
        # Tensors that are attention rows, or may be: a reference, the module, and one of RAW, CHANGED, ANSWERED.
        self.rows: dict[int, tuple[weakref.ref, str, int]] = {}
        self.fixed = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
        self.warned = False

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        self.paused += 1
        try:
            yield
        finally:
            self.paused -= 1

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        op = func._schema.name.split("::")[-1].removesuffix("_") or func._schema.name
        if any(word in func._schema.name for word in FUSED):
            self._refuse(f"{func._schema.name}, a fused kernel called past torch's Python functions")
        if op in MATMUL:
            self._check_matmul([leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor)])
        output = func(*args, **kwargs)
        if op in SOFTMAX:
            self._mark(output, self.where()[0] or "", RAW)
        elif op in CARRIES or op in MAY_CARRY:
            for leaf in tree_leaves(args):
                if isinstance(leaf, Tensor) and (known := self._known(leaf)):
                    self._mark(output, known[0], CHANGED if known[1] == RAW and op in MAY_CARRY else known[1])
                    break
        return output

    def answered(self, output: Any) -> None:
        """Rows that were sampled: they may go where they like."""
        self._mark(output, "", ANSWERED)

    def _mark(self, output: Any, name: str, state: int) -> None:
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim >= 2:
                self.rows[id(leaf)] = (weakref.ref(leaf), name, state)

    def _known(self, tensor: Tensor) -> tuple[str, int] | None:
        reference, name, state = self.rows.get(id(tensor), (lambda: None, "", RAW))
        return (name, state) if reference() is tensor else None

    def _check_matmul(self, operands: list[Tensor]) -> None:
        moving = [x for x in operands if x.untyped_storage().data_ptr() not in self.fixed]
        if len(moving) < 2:
            return  # a product with a weight: a decision head on probabilities, or a plain linear layer
        running = self.where()[0]
        if running is None:
            return  # no module is running: a backward pass, or work between calls
        for x in moving:
            known = self._known(x)
            if known and (known[1] == RAW or (known[1] == CHANGED and _rows_sum_to_one(x))):
                self._refuse(f"softmax and matmul by hand in {known[0] or 'its own forward'}", known[0])
            if known is None and not self.warned and _rows_sum_to_one(x):
                self.warned = True
                warnings.warn(
                    f"{type(self.model).__name__} multiplies by a matrix whose rows sum to one in {running or 'its own forward'}: "
                    "if this is attention without softmax, it stays deterministic",
                    stacklevel=2,
                )

    def _refuse(self, what: str, name: str | None = None) -> None:
        by_hand = name is not None
        name = name if by_hand else self.where()[0]
        module = dict(self.model.named_modules()).get(name or "", self.model)
        cls = f"{type(module).__module__}.{type(module).__qualname__}"
        cure = f"if every softmax of that class makes attention rows, pass attention_classes=({cls!r},)"
        raise UnansweredAttentionError(
            f"attention in module {name or '(root)'} of class {cls} cannot be sampled: {what}; expected scaled_dot_product_attention or "
            f"nn.MultiheadAttention; {cure if by_hand else 'let the model call torch.nn.functional.scaled_dot_product_attention'}"
        )


def _rows_sum_to_one(x: Tensor) -> bool:
    if x.ndim < 2 or x.shape[-1] < 2 or not x.is_floating_point() or not x.numel():
        return False
    x = x.detach().float()
    for rows in (x, x.mT):
        one_hot = bool((rows.amax(-1) > 0.999).all())
        if not one_hot and bool((rows >= 0).all()) and bool((rows.sum(-1) - 1).abs().max() < 1e-3):
            return True
    return False
