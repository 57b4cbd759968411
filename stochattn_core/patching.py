"""The patch: a `with` block in which the attention of a model is sampled, without any change to the model.

One TorchFunctionMode answers torch's attention functions wherever they are called from, and every other place where a look has recognised
attention (`recognition/`). A call of the model whose signature is new is looked at first, in a plain pass of its own: attention that cannot be
sampled is an error, never a silent plain layer.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core.arguments import is_simple
from stochattn_core.attention import Observer, attend, sampled_rows, sampled_weights
from stochattn_core.clearance import clearance_of
from stochattn_core.draw import Draw, checked_draw
from stochattn_core.guard import (
    NoAttentionError,
    OtherPathError,
    UnansweredAttentionError,
    refuse_unanswered,
    refuse_what_cannot_be_answered,
    sentence_of,
)
from stochattn_core.implementations import through_torch_functions
from stochattn_core.own_randomness import held_fixed
from stochattn_core.recognise import recognised_call
from stochattn_core.recognition.findings import Finding, Recognition, State
from stochattn_core.recognition.look import SOFTMAX, LookMode
from stochattn_core.recognition.sources import Place
from stochattn_core.recognition.trace import Trace
from stochattn_core.run import Batch, Run
from stochattn_core.running_module import RunningModule
from stochattn_core.shared_prefix import compute_shared
from stochattn_core.torch_private import causal_mask, function_modes, multi_head_attention_forward

Layers = str | Callable[[str], bool]
ModuleObserver = Callable[[str, Tensor], None]  # is called with a module's name and its (row, key) attention rows


@dataclass(frozen=True)
class Plan:
    """What a block is to do, checked: the draw of its calls, the layers that are sampled, those that stay plain whatever they are, an observer."""

    draw: Draw
    layers: Layers = "*"
    ignore: Layers = ""
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
    ignore: Layers = "",
    n_case: int | None = None,
    first_case: int = 0,
    shared: bool = False,
    observe: ModuleObserver | None = None,
) -> Iterator[Run]:
    """Sample the attention of `model` inside the block, in this thread: each row p becomes counts / concentration.

    The inputs given to the model must hold len(members) copies along dim 0, member-major; its output then does as well.
    layers: a glob over module names, several with commas between them, or a callable; the other layers stay plain.
    ignore: modules that stay plain on purpose, chosen in the same way, also where they compute attention that cannot be sampled;
    run.ignored records them. n_case, first_case and shared: see Draw.
    The first call of each signature (structure, shapes up to the batch size, values that are no tensors, module modes) is looked at in a pass
    of its own over two cases. Calls of the model inside the block are answered; calls of its parts alone are answered where they use torch's
    own attention, and are an error where they compute attention in another way.
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
    with answering(model, Plan(draw, layers, ignore, observe)) as run:
        yield run


@contextlib.contextmanager
def answering(model: nn.Module, plan: Plan, recognition: Recognition | None = None) -> Iterator[Run]:
    """Answer the attention of `model` inside the block as the plan says; a draw of inf answers with the exact rows.

    recognition: what a look at the one kind of call that the block holds has found; None looks at every new kind of call.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a torch.nn.Module, got {type(model).__name__}; wrap the function in a module whose forward calls it")
    if recognition is None:
        refuse_what_cannot_be_answered(model)
    if any(isinstance(mode, _Mode) and mode.model is model for mode in function_modes()):
        raise ValueError(
            f"a block of this {type(model).__name__} is open in this thread already, and would be left unanswered; leave it first"
        )
    mode = _Mode(model, plan, recognition)
    with mode.watching_calls(), through_torch_functions(model, is_fused=recognition is None or recognition.is_fused), mode:
        yield mode.run
    mode.check_run()


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
    """Answers the attention of one model; every other function is called as it is."""

    def __init__(self, model: nn.Module, plan: Plan, recognition: Recognition | None):
        super().__init__()
        self.model, self.plan, self.given = model, plan, recognition
        self.thread = threading.get_ident()
        self.running = RunningModule(model) if recognition is None else clearance_of(model).running(recognition.signature, model)
        self.is_sampled, self.is_ignored = sampled_by(plan.layers), sampled_by(plan.ignore) if plan.ignore else lambda _: False
        self.run = Run(batch=Batch.of(plan.draw))
        self.is_looking = False
        self.depth = 0  # calls of the model that are running, one inside the other
        self.recognition: Recognition | None = None  # of the call that is running
        self.watched: frozenset[Callable[..., Any]] = frozenset(SOFTMAX)
        self.count: Counter[tuple[str, Callable[..., Any]]] = Counter()
        self.answered: set[Place] = set()
        self.attention: Counter[str] = Counter()
        self.outside: LookMode | None = None
        self.n_function = 0
        self.left: dict[str, None] = {}
        self.is_other_path = False
        self.call: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self.before = self.run.state()
        self.generators = contextlib.ExitStack()  # holds torch's generators while a model runs that draws from them

    @contextlib.contextmanager
    def watching_calls(self) -> Iterator[None]:
        """Take note, inside the block, of when a call of the model begins and ends."""
        hooks = (
            self.model.register_forward_pre_hook(lambda _, args, kwargs: self._begin(args, kwargs), with_kwargs=True),
            self.model.register_forward_hook(lambda _, __, output: self._end(output), always_call=True),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() != self.thread or self.is_looking:
            return
        self.depth += 1
        if self.depth > 1:
            return
        self.run.batch.begin_call(args, kwargs)
        self.call, self.before = (args, kwargs), self.run.state()
        try:
            self._take_up(self._recognised(args, kwargs))
        except BaseException:
            self.depth = 0
            raise

    def _recognised(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recognition:
        if self.given is not None and self.given.signature not in clearance_of(self.model).by_size:
            return self.given
        self.is_looking = True
        try:
            return recognised_call(self.model, args, kwargs)
        finally:
            self.is_looking = False

    def _take_up(self, recognition: Recognition) -> None:
        """Answer the call that begins by what a look has found."""
        refuse_unanswered(recognition, self.is_ignored)
        if recognition is not self.recognition:
            self.watched = frozenset(SOFTMAX) | recognition.functions
            self.recognition = recognition
        self.left.update({f"{finding.how} in {finding.module or 'the model itself'}": None for finding in recognition.findings})
        self.run.note(recognition, self.is_ignored)
        self.count.clear()
        self.answered.clear()
        self.attention.clear()
        self.is_other_path = False
        if recognition.random:
            self.generators.enter_context(held_fixed())

    def _end(self, output: Any) -> Any:
        """Check the call that ends. One whose attention is other than that of two of its cases is made once more, after a look at all cases."""
        if threading.get_ident() != self.thread or self.is_looking or not self.depth:
            return None
        self.depth -= 1
        if self.depth:
            return None
        self.generators.close()
        args, kwargs = self.call
        self.call = ((), {})  # a block must not keep what the model was called with
        if output is None or self._is_complete():  # an error in forward ends a call without an output
            return None
        recognition = self.recognition
        by_size = clearance_of(self.model).by_size
        if recognition is None or recognition.signature is None or recognition.signature in by_size or not is_simple((args, kwargs)):
            self._refuse_path()
        else:
            by_size.add(recognition.signature)
        self.depth = 1
        try:
            self.run.restore(self.before)
            self._take_up(self._recognised(args, kwargs))
            output = self.model.forward(*args, **kwargs)
        finally:
            self.depth = 0
            self.generators.close()
        if not self._is_complete():
            self._refuse_path()
        return output

    def _is_complete(self) -> bool:
        """Did the call reach the attention that the look at its kind has found, and no other?"""
        found = self.recognition
        return found is not None and not self.is_other_path and self.answered == found.sampled.keys() and self.attention == found.attention

    def _refuse_path(self) -> None:
        raise OtherPathError(
            f"this call of {type(self.model).__name__} reached other attention than the call of its kind that was looked at: its path depends on "
            "the values in its inputs; call it with inputs that take one path, or keep the modules in question plain with ignore="
        )

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.is_looking:
            return func(*args, **kwargs)
        self.n_function += 1
        if func is F.multi_head_attention_forward:
            with self:
                return multi_head_attention_forward(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            name = self.running.name()
            if name is None:
                return self._plain(func, args, kwargs)
            self.attention[name] += 1
            return self._answer(name, func, _attend, args, kwargs)
        if not self.depth:
            return self._outside(func, types, args, kwargs)
        if func in self.watched:
            name = self.running.name()
            if name is not None:
                return self._at_place(name, func, args, kwargs)
        return self._plain(func, args, kwargs)

    def _at_place(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function at which attention may have been recognised."""
        assert self.recognition is not None
        place = Place(name, func, self.count[name, func])
        self.count[name, func] += 1
        finding = self.recognition.sampled.get(place)
        if finding is None:
            self.is_other_path |= func in SOFTMAX and place not in self.recognition.softmax
            return self._plain(func, args, kwargs)
        self.answered.add(place)
        return self._answer(name, func, _softmax if func in SOFTMAX else _weights_of(func, finding), args, kwargs)

    def _outside(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function that runs outside of a call of the model: in one of its parts, or in the code around it."""
        if self.running.name() is None:
            return self._plain(func, args, kwargs)
        if self.outside is None:
            self.outside = LookMode(self.running, Trace(self.model, self.running.name))
        with self.outside.trace:
            return self.outside.__torch_function__(func, types, args, kwargs)

    def _plain(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the function itself gives. Before the first sampled attention of a batch, one member may stand for all."""
        output = None if self.run.batch.n_answered else compute_shared(func, args, kwargs, len(self.plan.draw.members))
        return func(*args, **kwargs) if output is None else output

    def _answer(
        self, name: str, func: Callable[..., Any], answer: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        is_ignored = self.is_ignored(name)
        if is_ignored or not self.is_sampled(name):
            (self.run.ignored if is_ignored else self.run.plain)[name] += 1
            self.run.batch.call += 1
            return self._plain(func, args, kwargs)
        self.run.calls[name] += 1
        draw = self.run.batch.next_draw(self.plan.draw)
        return answer(draw, self._observer(name), *args, **kwargs)

    def _observer(self, name: str) -> Observer | None:
        observe = self.plan.observe
        return None if observe is None else lambda rows: observe(name, rows)

    def check_run(self) -> None:
        """Raise for a block that has ended without an answered call, or with attention outside of the model's calls that was not answered."""
        if self.outside is not None:
            for finding in self.outside.findings():
                if finding.state is not State.LEFT and not self.is_ignored(finding.module):
                    raise UnansweredAttentionError(
                        f"{sentence_of(finding)}. It ran outside of a call of {type(self.model).__name__} itself, where attention is answered only if "
                        "it uses scaled_dot_product_attention; call the model, or wrap the part in a module whose forward calls it"
                    )
        name = type(self.model).__name__
        if not self.run.n_call:
            raise NoAttentionError(
                f"no attention was met in {name}: expected scaled_dot_product_attention, nn.MultiheadAttention, or weights that sum to one and "
                f"weigh values that change with the input; seen instead: {self._seen_instead()}"
            )
        if not self.run.calls:
            which = f"matches layers={self.plan.layers!r}" if self.run.plain else "is sampled"
            layers = ", ".join({**self.run.plain, **self.run.ignored})
            raise NoAttentionError(f"no attention layer of {name} {which}; its attention layers are: {layers}")

    def _seen_instead(self) -> str:
        """Return in words what ran in a block in which no attention was met."""
        if not self.n_function:
            return "nothing; the model was not called in this block and thread"
        return "; ".join(self.left) or f"{self.n_function} torch functions, no softmax among them"


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
        attn_mask=mask if (mask := causal_mask(attn_mask, query.device)) is not None else attn_mask,
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
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Answer torch's softmax, whose signature follows draw and observe."""
    if dim is None:
        raise ValueError("softmax without a dim cannot be taken for attention: its rows are ambiguous; give it dim=-1")
    if dtype is None:
        # Under autocast torch's softmax returns float32, because it is on the list of functions that need the range.
        dtype = torch.float32 if torch.is_autocast_enabled(input.device.type) and input.dtype != torch.float64 else input.dtype
    rows = sampled_rows(input.movedim(dim, -1), draw, observe=observe).movedim(-1, dim).to(dtype)
    return rows if out is None else out.copy_(rows)


def _weights_of(func: Callable[..., Any], finding: Finding) -> Callable[..., Tensor]:
    """Return an answer for a function other than softmax, whose result holds weights that sum to one along the finding's dim."""

    def answer(draw: Draw, observe: Observer | None, *args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = func(*args, **kwargs)
        weights = sampled_weights(output.movedim(finding.dim, -1), draw, observe=observe).movedim(-1, finding.dim).to(output.dtype)
        return output.copy_(weights) if args and output is args[0] else weights

    return answer
