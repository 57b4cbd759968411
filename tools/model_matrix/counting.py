"""The independent count: which attention operations a plain pass runs, seen without any code of stochattn_core."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from stochattn_core.torch_private import TorchDispatchMode

SOFTMAX = {"_softmax", "_safe_softmax", "softmax"}
FUSED = ("_scaled_dot_product", "scaled_dot_product_attention", "flex_attention")


@dataclass
class Counts:
    """What a plain pass ran. operations: softmax and fused kernels by operator; functions: torch functions; modules: forwards by class."""

    operations: Counter[str] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)
    modules: Counter[str] = field(default_factory=Counter)

    def n_attention(self, attention_modules: tuple[str, ...], n_other: int) -> int:
        """Return the number of attention calls: forwards of these classes where there are any, else operations without the other ones."""
        if attention_modules:
            return sum(self.modules[name] for name in attention_modules)
        return self.operations.total() - n_other

    def way(self) -> str:
        """Return in words how the model computes attention."""
        n_softmax = sum(self.functions[name] for name in ("softmax", "log_softmax"))
        ways = [
            (self.functions["scaled_dot_product_attention"], "SDPA"),
            (self.functions["multi_head_attention_forward"], "multi-head function"),
            (n_softmax, "softmax"),
        ]
        return ", ".join(name for count, name in ways if count) or "none of torch's functions"


class _Operations(TorchDispatchMode):
    def __init__(self, counts: Counts):
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        name = func.name().split("::")[-1].split(".")[0]
        if name in SOFTMAX or name.startswith(FUSED):
            self.counts.operations[name] += 1
        return func(*args, **(kwargs or {}))


class _Functions(TorchFunctionMode):
    def __init__(self, counts: Counts):
        super().__init__()
        self.counts = counts

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        self.counts.functions[getattr(func, "__name__", str(func))] += 1
        return func(*args, **(kwargs or {}))


def count(model: nn.Module, call: Callable[[], Any]) -> Counts:
    """Return what one plain pass of the model runs."""
    counts = Counts()

    def seen(module: nn.Module, *_: Any) -> None:
        counts.modules[type(module).__name__] += 1

    hooks = [module.register_forward_pre_hook(seen) for module in model.modules()]
    try:
        with torch.no_grad(), without_fast_path(), _Operations(counts), _Functions(counts):
            call()
    finally:
        for hook in hooks:
            hook.remove()
    return counts


@contextlib.contextmanager
def without_fast_path() -> Iterator[None]:
    """Keep torch's fused encoder off, whose kernels hold a softmax that is no operation."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
