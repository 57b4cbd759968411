"""The patch: a `with` block in which the attention of a model is sampled, without any change to the model.

One TorchFunctionMode answers torch's attention functions wherever they are called from, and softmax inside classes that are known to
compute attention by hand (`manual_attention.py`). The model is not changed, so there is nothing to restore. The first block of a model also
runs under a guard that sees every operation below torch's Python surface (`guard.py`): attention that was not answered is an error,
never a silent plain layer.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core.attention import Observer, attend, sampled_rows
from stochattn_core.clearance import clearance_of
from stochattn_core.draw import Draw, checked_draw
from stochattn_core.guard import Guard, refuse_what_cannot_be_answered
from stochattn_core.manual_attention import AttentionClass, is_manual_class, is_manual_function
from stochattn_core.run import Batch, Run
from stochattn_core.shared_prefix import compute_shared
from stochattn_core.torch_private import function_modes, is_compiled, multi_head_attention_forward, opaque_attention_configs

SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax)

Layers = str | Callable[[str], bool]
ModuleObserver = Callable[[str, Tensor], None]  # is called with a module's name and its (row, key) attention rows


class NoAttentionError(ValueError):
    """The block ended without one attention call that could be answered."""


@dataclass(frozen=True)
class Plan:
    """What a block is to do, checked: the draw of its calls, the layers that are sampled, further attention classes, and an observer."""

    draw: Draw
    layers: Layers = "*"
    attention_classes: tuple[AttentionClass, ...] = ()
    observe: ModuleObserver | None = None

    def for_members(self, members: Sequence[int]) -> Plan:
        """Return the same plan for other members."""
        return replace(self, draw=replace(self.draw, members=tuple(members)))


@contextlib.contextmanager
def stochastic_attention(
    model: nn.Module,
    concentration: int | float,
    *,
    members: Sequence[int] = (0,),
    seed: int = 0,
    layers: Layers = "*",
    attention_classes: Sequence[AttentionClass] = (),
    n_case: int | None = None,
    first_case: int = 0,
    shared: bool = False,
    observe: ModuleObserver | None = None,
) -> Iterator[Run]:
    """Sample the attention of `model` inside the block, in this thread: each row p becomes counts / concentration.

    The inputs given to the model must hold len(members) copies along dim 0, member-major; its output then does as well.
    layers: a glob over module names, several with commas between them, or a callable; the other layers stay plain.
    attention_classes: further classes whose softmax is attention computed by hand. n_case, first_case and shared: see Draw.
    Two blocks with the same seed draw the same numbers. To go on instead, give the second one another first_case (other cases) or
    another seed (the same cases again). In a loop over batches inside one block, call run.begin_batch(first_case) before each.
    A concentration of math.inf is the plain model, untouched.

    >>> model = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    >>> x = torch.randn(1, 5, 8)
    >>> with torch.no_grad(), stochastic_attention(model, 16, members=range(3)) as run:
    ...     y, _ = model(*3 * [x.repeat(3, 1, 1)], need_weights=False)
    >>> y.shape, dict(run.calls)
    (torch.Size([3, 5, 8]), {'': 1})

    Raises NoAttentionError if no attention was met, UnansweredAttentionError if some was met that cannot be answered,
    ValueError for a concentration that is not a positive whole number.
    """
    draw = checked_draw(concentration, members, seed, n_case=n_case, first_case=first_case, shared=shared)
    if draw.is_exact:
        yield Run()
        return
    with answering(model, Plan(draw, layers, tuple(attention_classes), observe)) as run:
        yield run


@contextlib.contextmanager
def answering(model: nn.Module, plan: Plan) -> Iterator[Run]:
    """Answer the attention of `model` inside the block as the plan says; a draw of inf answers with the exact rows."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a torch.nn.Module, got {type(model).__name__}; wrap the function in a module whose forward calls it")
    refuse_what_cannot_be_answered(model)
    if any(isinstance(mode, _Mode) and mode.model() is model for mode in function_modes()):
        raise ValueError(
            f"a block of this {type(model).__name__} is open in this thread already, and would be left unanswered; leave it first"
        )
    mode = _Mode(model, plan)
    conditions = (plan.attention_classes, torch.is_grad_enabled())
    clearance = clearance_of(model)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mode.run.batch.watching(model))
        stack.enter_context(_through_torch_functions(model))
        if conditions not in clearance.watched:
            mode.guard = stack.enter_context(Guard(model, lambda: mode.where()[0]))
        stack.enter_context(mode)
        yield mode.run
    if not mode.run.n_call:
        raise NoAttentionError(
            f"no attention was met in {type(model).__name__}: expected scaled_dot_product_attention, nn.MultiheadAttention or a softmax "
            f"inside a class registered in attention_classes; seen instead: {mode.seen_instead()}"
        )
    if not mode.run.calls:
        raise NoAttentionError(
            f"no attention layer of {type(model).__name__} matches layers={plan.layers!r}; its attention layers are: {', '.join(mode.run.plain)}"
        )
    clearance.watched.add(conditions)


def sampled_by(layers: Layers) -> Callable[[str], bool]:
    """Return a predicate: is the layer with this name sampled? layers: as in stochastic_attention.

    A comma inside brackets belongs to its glob.

    >>> [name for name in ("query", "key", "value") if sampled_by("quer[x,y], k*")(name)]
    ['query', 'key']
    """
    if callable(layers):
        return layers
    patterns = [pattern.strip() for pattern in re.split(r",(?![^\[]*\])", layers)]
    return lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class _Mode(TorchFunctionMode):
    """Answers the attention calls of one model; every other function is called as it is."""

    def __init__(self, model: nn.Module, plan: Plan):
        super().__init__()
        self.model = weakref.ref(model)
        self.names = {id(module): name.replace("_orig_mod.", "").replace("_orig_mod", "") for name, module in model.named_modules()}
        self.plan = plan
        self.is_sampled = sampled_by(plan.layers)
        self.run = Run(batch=Batch.of(plan.draw))
        self.guard: Guard | None = None
        self.other_softmax: Counter[str] = Counter()
        self.n_function = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        self.n_function += 1
        if func is F.multi_head_attention_forward:
            with self:
                return multi_head_attention_forward(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            name, _ = self.where()
            return self._plain(func, args, kwargs) if name is None else self._answer(name, func, _attend, args, kwargs)
        if func in SOFTMAX:
            name, is_manual = self.where()
            if name is not None and is_manual:
                return self._answer(name, func, _softmax, args, kwargs)
            self.other_softmax[name or "outside the model"] += 1
        return self._plain(func, args, kwargs)

    def _plain(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the function itself gives. Before the first sampled attention of a batch, one member may stand for all."""
        output = None if self.run.batch.n_answered else compute_shared(func, args, kwargs, len(self.plan.draw.members))
        return func(*args, **kwargs) if output is None else output

    def _answer(
        self, name: str, func: Callable[..., Any], answer: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        pause = self.guard.pause() if self.guard else contextlib.nullcontext()
        with pause:
            if not self.is_sampled(name):
                self.run.plain[name] += 1
                self.run.batch.call += 1
                return self._plain(func, args, kwargs)
            self.run.calls[name] += 1
            draw = self.run.batch.next_draw(self.plan.draw)
            output = answer(draw, self._observer(name), *args, **kwargs)
        if self.guard:
            self.guard.answered(output)
        return output

    def _observer(self, name: str) -> Observer | None:
        observe = self.plan.observe
        return None if observe is None else lambda rows: observe(name, rows)

    def where(self) -> tuple[str | None, bool]:
        """Return the name of the innermost running module of the model, and whether a softmax here is attention by hand."""
        is_manual = False
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            is_torchs_own = code is multi_head_attention_forward.__code__
            is_manual = is_manual or is_torchs_own or is_manual_function(code.co_name, frame.f_globals.get("__name__", ""))
            if code.co_argcount and code.co_varnames[0] == "self":
                owner = frame.f_locals.get("self")
                if isinstance(owner, nn.Module) and id(owner) in self.names and not isinstance(owner, nn.Softmax):
                    return self.names[id(owner)], is_manual or is_manual_class(type(owner), self.plan.attention_classes)
            frame = frame.f_back
        return None, False

    def seen_instead(self) -> str:
        """Return in words what ran in a block in which no attention was met."""
        if not self.n_function:
            return "nothing; the model was not called in this block and thread"
        softmax = [f"softmax in {name or 'the model itself'} ({count} calls)" for name, count in self.other_softmax.items()]
        return "; ".join(softmax) or f"{self.n_function} torch functions, no softmax among them"


def _attend(
    draw: Draw,
    observe: Observer | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Answer torch's scaled_dot_product_attention, whose signature follows draw and observe."""
    return attend(
        query,
        key,
        value,
        draw,
        attn_mask=attn_mask,
        dropout_p=dropout_p,
        is_causal=is_causal,
        scale=scale,
        enable_gqa=enable_gqa,
        observe=observe,
    )


def _softmax(
    draw: Draw,
    observe: Observer | None,
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Answer torch's softmax, whose signature follows draw and observe."""
    if dim is None:
        raise ValueError("softmax without a dim cannot be taken for attention: its rows are ambiguous; give it dim=-1")
    if dtype is None:
        # Under autocast torch's softmax returns float32, because it is on the list of functions that need the range.
        dtype = torch.float32 if torch.is_autocast_enabled(input.device.type) and input.dtype != torch.float64 else input.dtype
    return sampled_rows(input.movedim(dim, -1), draw, observe=observe).movedim(-1, dim).to(dtype)


@contextlib.contextmanager
def _through_torch_functions(model: nn.Module) -> Iterator[None]:
    """Inside the block, compiled modules run eagerly, and Hugging Face models on flash or flex attention use torch's function."""
    opaque = opaque_attention_configs(model)
    chosen = {key: config._attn_implementation for key, config in opaque.items()}
    try:
        for config in opaque.values():
            config._attn_implementation = "sdpa"
        with torch.compiler.set_stance("force_eager") if any(map(is_compiled, model.modules())) else contextlib.nullcontext():
            yield
    finally:
        for key, name in chosen.items():
            opaque[key]._attn_implementation = name
