"""The look: one plain pass of a model, in which every function call is numbered and every weight that sums to one is followed."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core.recognition.findings import Finding, Recognition, State, finding_of
from stochattn_core.recognition.shadows import Cell, has_memory
from stochattn_core.recognition.sources import Place
from stochattn_core.recognition.trace import Trace
from stochattn_core.running_module import RunningModule
from stochattn_core.torch_private import multi_head_attention_forward, tree_leaves

SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax)


class LookMode(TorchFunctionMode):
    """Numbers the function calls of one pass, and tells the trace what each returned."""

    def __init__(self, running: RunningModule, trace: Trace):
        super().__init__()
        self.running, self.trace = running, trace
        self.count: Counter[tuple[str, Callable[..., Any]]] = Counter()
        self.attention: list[Finding] = []
        self.softmax: set[Place] = set()
        self.left_torch = False  # were numbers handed to Python or NumPy?

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            with self:
                return multi_head_attention_forward(*args, **kwargs)
        module = self.running.name()
        if func is F.scaled_dot_product_attention and module is not None:
            return self._attention(module, func, args, kwargs)
        before = self.trace.n_computed
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        self.left_torch |= name in ("numpy", "__array__", "tolist")
        if module is None:
            return output
        place = Place(module, func, self.count[module, func])
        self.count[module, func] += 1
        if func in SOFTMAX:
            self.softmax.add(place)
        if isinstance(output, Tensor) and self.trace.n_computed > before:
            self.trace.weights_made_by(place, output, is_softmax=func in SOFTMAX)
        return output

    def findings(self) -> list[Finding]:
        """Return what the weights of the pass so far are, and attention that has none."""
        opaque = (*self.trace.opaque, *self.trace.unnormalised)
        return [
            *(finding_of(source) for source in self.trace.sources),
            *(Finding(item.module, self._class(item.module), State.REFUSED, item.what) for item in opaque),
        ]

    def _class(self, module: str) -> str:
        cls = self.trace.classes.get(module, type(self.trace.model))
        return f"{cls.__module__}.{cls.__qualname__}"

    def _attention(self, module: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """torch's own attention, answered wherever it is called."""
        cls = self.trace.classes.get(module, type(self.trace.model))
        self.attention.append(Finding(module, f"{cls.__module__}.{cls.__qualname__}", State.ANSWERED, "scaled_dot_product_attention"))
        with self.trace.pause():
            output = func(*args, **kwargs)
        if has_memory(output):
            tensors = [x for x in tree_leaves((args, kwargs)) if has_memory(x)]
            self.trace.shadows.set(output, Cell(any(self.trace.shadows.of(x).is_moving for x in tensors), is_learned=True))
        return output


@contextlib.contextmanager
def looking(model: nn.Module, inputs: Any) -> Iterator[Callable[[], Recognition]]:
    """Look at the pass of the model inside the block; the function that is given returns what was found, after the pass."""
    running = RunningModule(model)
    trace = Trace(model, running.name, [x for x in tree_leaves(inputs) if isinstance(x, Tensor)])
    mode = LookMode(running, trace)

    def recognition() -> Recognition:
        return Recognition(
            findings=(*mode.attention, *mode.findings()),
            softmax=frozenset(mode.softmax),
            attention=Counter(finding.module for finding in mode.attention),
            random=tuple((item.what, item.module) for item in trace.random),
        )

    with trace, mode:
        yield recognition
