"""The patch: a `with` block in which a model's attention is sampled, whoever wrote the model.

One TorchFunctionMode answers torch's attention functions wherever they are called from, and softmax inside classes that are known to
compute attention by hand (`manual_attention.py`). The model is not changed, so nothing has to be put back. The first block of a model also
watches every operation below torch's Python surface (`guard.py`): attention that was not answered is an error, never a silent plain layer.
"""

from __future__ import annotations

import contextlib
import fnmatch
import math
import re
import sys
import types
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from stochattn_core.attention import Observer, attend, sampled_rows
from stochattn_core.draw import Draw, check_concentration
from stochattn_core.guard import Guard, refuse_what_cannot_be_answered
from stochattn_core.manual_attention import AttentionClass, is_by_hand_class, is_by_hand_function
from stochattn_core.shared_prefix import compute_shared

SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax)
# What nn.MultiheadAttention computes, run as if no mode were active: an active mode is otherwise handed this whole function, and the
# attention inside it is never seen. Only the copy's globals differ; the code is torch's own.
_MULTI_HEAD = types.FunctionType(
    F.multi_head_attention_forward.__code__,
    {**vars(F), "has_torch_function": lambda *_: False},
    argdefs=F.multi_head_attention_forward.__defaults__,
)
_MULTI_HEAD.__kwdefaults__ = F.multi_head_attention_forward.__kwdefaults__

Layers = str | Callable[[str], bool]
_guarded: weakref.WeakKeyDictionary[nn.Module, set] = weakref.WeakKeyDictionary()


class NoAttentionError(ValueError):
    """The block ended without one attention call that could be answered."""


@dataclass
class Run:
    """What happened in a block. calls: answered calls by module name; plain: calls that `layers` left as they were."""

    calls: Counter[str] = field(default_factory=Counter)
    plain: Counter[str] = field(default_factory=Counter)

    @property
    def n_call(self) -> int:
        return self.calls.total() + self.plain.total()


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
    observe: Callable[[str, Tensor], None] | None = None,
) -> Iterator[Run]:
    """Sample the attention of `model` inside the block, in this thread: each row p becomes counts / concentration.

    The inputs given to the model must hold len(members) copies along dim 0, member-major, and so does its output. `layers` is a glob over
    module names, several with commas between, or a callable; the other layers stay plain. attention_classes: further classes whose softmax
    is attention computed by hand. n_case, first_case and shared: see Draw. math.inf is the plain model, untouched.

    >>> model = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    >>> x = torch.randn(1, 5, 8)
    >>> with torch.no_grad(), stochastic_attention(model, 16, members=range(3)) as run:
    ...     y, _ = model(*3 * [x.repeat(3, 1, 1)], need_weights=False)
    >>> y.shape, dict(run.calls)
    (torch.Size([3, 5, 8]), {'': 1})

    Raises NoAttentionError when no attention was met, UnansweredAttentionError when some was met that cannot be answered,
    ValueError for a concentration that is no positive whole number.
    """
    concentration = check_concentration(concentration)
    if concentration == math.inf:
        yield Run()
        return
    draw = Draw(concentration, tuple(members), seed, n_case=n_case, first_case=first_case, shared=shared)
    with answering(model, draw, layers, tuple(attention_classes), observe) as run:
        yield run


@contextlib.contextmanager
def answering(model: nn.Module, draw: Draw, layers: Layers, classes: tuple, observe: Callable[[str, Tensor], None] | None) -> Iterator[Run]:
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a torch.nn.Module, got {type(model).__name__}; wrap the function in a module whose forward calls it")
    refuse_what_cannot_be_answered(model)
    if any(isinstance(mode, _Mode) and mode.model() is model for mode in _get_current_function_mode_stack()):
        raise ValueError(
            f"a block of this {type(model).__name__} is open in this thread already, and would be left unanswered; leave it first"
        )
    mode = _Mode(model, draw, layers, classes, observe)
    signature = (classes, torch.is_grad_enabled())
    with contextlib.ExitStack() as stack:
        stack.enter_context(_through_torch_functions(model))
        if signature not in _guarded.get(model, ()):
            mode.watch = stack.enter_context(Guard(model, mode.where))
        stack.enter_context(mode)
        yield mode.run
    if not mode.run.n_call:
        raise NoAttentionError(
            f"no attention was met in {type(model).__name__}: expected scaled_dot_product_attention, nn.MultiheadAttention or a softmax "
            f"inside a class registered in attention_classes; seen instead: {mode.seen_instead()}"
        )
    if not mode.run.calls:
        raise NoAttentionError(
            f"no attention layer of {type(model).__name__} matches layers={layers!r}; its attention layers are: {', '.join(mode.run.plain)}"
        )
    _guarded.setdefault(model, set()).add(signature)


def sampled_by(layers: Layers) -> Callable[[str], bool]:
    """Whether the layer of a name is sampled. layers: as in stochastic_attention; a comma in brackets is a part of its glob.

    >>> [name for name in ("query", "key", "value") if sampled_by("quer[x,y], k*")(name)]
    ['query', 'key']
    """
    if callable(layers):
        return layers
    patterns = [pattern.strip() for pattern in re.split(r",(?![^\[]*\])", layers)]
    return lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class _Mode(TorchFunctionMode):
    """Answers attention calls of one model; everything else passes."""

    def __init__(self, model: nn.Module, draw: Draw, layers: Layers, classes: tuple, observe: Callable[[str, Tensor], None] | None):
        super().__init__()
        self.model = weakref.ref(model)
        self.names = {id(module): name.replace("_orig_mod.", "").replace("_orig_mod", "") for name, module in model.named_modules()}
        self.draw, self.classes, self.observe = draw, classes, observe
        self.is_sampled = sampled_by(layers)
        self.run = Run()
        self.watch: Guard | None = None
        self.other_softmax: Counter[str] = Counter()
        self.n_function = 0

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        self.n_function += 1
        if func is F.multi_head_attention_forward:
            with self:
                return _MULTI_HEAD(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            name, _ = self.where()
            return self._plain(func, args, kwargs) if name is None else self._answer(name, func, _attend, args, kwargs)
        if func in SOFTMAX:
            name, by_hand = self.where()
            if name is not None and by_hand:
                return self._answer(name, func, _softmax, args, kwargs)
            self.other_softmax[name or "outside the model"] += 1
        return self._plain(func, args, kwargs)

    def _plain(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        """The function itself. Before the first sampled attention of the block it may be computed for one member only."""
        output = None if self.run.calls else compute_shared(func, args, kwargs, len(self.draw.members))
        return func(*args, **kwargs) if output is None else output

    def _answer(self, name: str, func: Callable, answer: Callable, args: tuple, kwargs: dict) -> Any:
        call = self.run.n_call
        pause = self.watch.pause() if self.watch else contextlib.nullcontext()
        with pause:
            if not self.is_sampled(name):
                self.run.plain[name] += 1
                return self._plain(func, args, kwargs)
            self.run.calls[name] += 1
            draw = replace(self.draw, call=call, is_first=self.run.calls.total() == 1)
            observe = None if self.observe is None else lambda rows: self.observe(name, rows)
            output = answer(draw, observe, *args, **kwargs)
        if self.watch:
            self.watch.answered(output)
        return output

    def where(self) -> tuple[str | None, bool]:
        """The name of the innermost module of the model that is running, and whether a softmax here is attention by hand."""
        by_hand = False
        frame = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            by_hand = by_hand or code is _MULTI_HEAD.__code__ or is_by_hand_function(code.co_name, frame.f_globals.get("__name__", ""))
            if code.co_argcount and code.co_varnames[0] == "self":
                owner = frame.f_locals.get("self")
                if isinstance(owner, nn.Module) and id(owner) in self.names and not isinstance(owner, nn.Softmax):
                    return self.names[id(owner)], by_hand or is_by_hand_class(type(owner), self.classes)
            frame = frame.f_back
        return None, False

    def seen_instead(self) -> str:
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
    if dim is None:
        raise ValueError("softmax without a dim cannot be taken for attention: its rows are ambiguous; give it dim=-1")
    if dtype is None:
        # Under autocast torch's softmax returns float32, as it is listed among the functions that need the range.
        dtype = torch.float32 if torch.is_autocast_enabled(input.device.type) and input.dtype != torch.float64 else input.dtype
    return sampled_rows(input.movedim(dim, -1), draw, observe=observe).movedim(-1, dim).to(dtype)


@contextlib.contextmanager
def _through_torch_functions(model: nn.Module) -> Iterator[None]:
    """For the time of the block, compiled modules run eagerly and Hugging Face models on flash or flex attention use sdpa."""
    configs = {id(config): config for module in model.modules() if (config := getattr(module, "config", None)) is not None}
    chosen = {key: getattr(config, "_attn_implementation", None) for key, config in configs.items()}
    switched = {key: name for key, name in chosen.items() if isinstance(name, str) and name.startswith(("flash", "flex", "kernels"))}
    compiled = any(type(m).__name__ == "OptimizedModule" or getattr(m, "_compiled_call_impl", None) is not None for m in model.modules())
    try:
        for key in switched:
            configs[key]._attn_implementation = "sdpa"
        with torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext():
            yield
    finally:
        for key, name in switched.items():
            configs[key]._attn_implementation = name
