"""The look: one plain pass of a model, in which every function call is numbered and every weight that sums to one is followed."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core.arguments import leaves_of
from stochattn_core.recognition.findings import Finding, Recognition, State, finding_of
from stochattn_core.recognition.running_module import RunningModule, is_under_checkpoint
from stochattn_core.recognition.shadows import Cell, has_memory
from stochattn_core.recognition.sources import Foreign, Opaque, Place, stochastic_dim
from stochattn_core.recognition.trace import Trace
from stochattn_core.torch_private import is_functorch_tensor, multi_head_attention_forward, tree_leaves

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
        self.is_checkpointed = False
        self.n_function = 0
        self.comes_back = False  # did numbers that follow from the inputs come from outside of this thread's torch functions?

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        self.n_function += 1
        if func is F.multi_head_attention_forward:
            with self:
                return multi_head_attention_forward(*args, **kwargs)
        module = self.running.name()
        if func is F.scaled_dot_product_attention and module is not None:
            return self._attention(module, func, args, kwargs)
        before = self.trace.n_computed
        output = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in ("numpy", "__array__", "tolist"):
            self.left_torch = True
            self.trace.leaves_torch(args[0])
        if module is None:
            return output
        place = Place(module, func, self.count[module, func])
        self.count[module, func] += 1
        if func in SOFTMAX:
            self.softmax.add(place)
            self.is_checkpointed |= is_under_checkpoint()
        if isinstance(output, Tensor) and self.trace.n_computed > before:
            self.trace.weights_made_by(place, output)
        return output

    @property
    def foreign(self) -> list[Foreign]:
        """Tensors that came from outside of this thread's torch functions, in the order in which they were met."""
        return self.trace.foreign

    def same_in(self, other: LookMode) -> frozenset[int]:
        """Return which foreign tensors, by their order, are the same in a look at other inputs: constants that the code holds."""
        pairs = enumerate(zip(self.foreign, other.foreign, strict=False))
        return frozenset(i for i, (a, b) in pairs if a.tensor.shape == b.tensor.shape and torch.equal(a.tensor, b.tensor))

    def return_of(self, other: LookMode) -> None:
        """Compare with a look at other inputs: foreign tensors that differ were computed from the inputs, out of sight."""
        for index, item in enumerate(self.foreign):
            if index in self.trace.constants:
                continue
            again = other.foreign[index].tensor if index < len(other.foreign) else item.tensor.new_empty(0)
            if not item.tensor.is_floating_point() or item.tensor.numel() < 2:
                continue
            if item.tensor.shape == again.shape and torch.allclose(item.tensor, again, equal_nan=True):
                continue
            self.comes_back = True
            if not self.left_torch:
                self.trace.opaque.append(
                    Opaque("a tensor made from the inputs in another thread or outside of torch's functions", item.module)
                )
            elif stochastic_dim(item.tensor) is not None:
                self.trace.opaque.append(
                    Opaque("weights that sum to one, made outside of torch's functions (in NumPy or Python)", item.module)
                )

    def recognition(self) -> Recognition:
        """Return everything that was found in the pass."""
        return Recognition(
            findings=(*self.attention, *self.findings()),
            softmax=frozenset(self.softmax),
            attention=Counter(finding.module for finding in self.attention),
            is_checkpointed=self.is_checkpointed,
            n_function=self.n_function,
            random=tuple((item.what, item.module) for item in self.trace.random),
        )

    def findings(self) -> list[Finding]:
        """Return what the weights of the pass so far are, and attention that has none."""
        opaque = (*self.trace.opaque, *self.trace.knowledge.unnormalised)
        return [
            *(finding_of(source, comes_back=self.comes_back) for source in self.trace.sources),
            *(Finding(item.module, self.trace.class_of(item.module), State.REFUSED, item.what) for item in opaque),
            *(
                Finding(item.module, self.trace.class_of(item.module), State.LEFT, item.what)
                for item in dict.fromkeys(self.trace.knowledge.signed)
            ),
        ]

    def _attention(self, module: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """torch's own attention, answered wherever it is called."""
        if any(isinstance(x, Tensor) and is_functorch_tensor(x) for x in (*args, *kwargs.values())):
            self.trace.opaque.append(Opaque("attention inside vmap or another transform of torch.func", module))
        self.is_checkpointed |= is_under_checkpoint()
        self.attention.append(Finding(module, self.trace.class_of(module), State.ANSWERED, "scaled_dot_product_attention"))
        with self.trace.pause():
            output = func(*args, **kwargs)
        if has_memory(output):
            tensors = [x for x in tree_leaves((args, kwargs)) if has_memory(x)]
            self.trace.shadows.set(output, Cell(any(self.trace.shadows.of(x).is_moving for x in tensors), is_learned=True))
        return output


@contextlib.contextmanager
def looking(model: nn.Module, inputs: Any, constants: Collection[int] = ()) -> Iterator[LookMode]:
    """Look at the pass of the model inside the block; what was found can be asked for after it.

    constants: the foreign tensors, by their order, that are known to be the same for other inputs.
    """
    running = RunningModule(model)
    trace = Trace(model, running.name, leaves_of(inputs), constants)
    mode = LookMode(running, trace)
    thread = threading.get_ident()

    def look_at_output(module: nn.Module, _: Any, output: Any) -> None:
        if threading.get_ident() == thread and id(module) in running.names:
            n_function = mode.n_function
            trace.returns(output, running.names[id(module)])
            mode.n_function = n_function  # looking is no function of the model

    hooks = [module.register_forward_hook(look_at_output) for module in model.modules()]
    try:
        with trace, mode:
            yield mode
    finally:
        for hook in hooks:
            hook.remove()
        trace.restore()
