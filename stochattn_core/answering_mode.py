"""The mode that answers: inside a block it sees every function of torch that a model calls, and answers those at which attention was recognised."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core.answers import OtherWeightsError, answer_attention, answer_functional_softmax, answer_softmax, answer_weights_of
from stochattn_core.arguments import is_simple
from stochattn_core.attention import Observer
from stochattn_core.plan import Plan, ignored_by, sampled_by
from stochattn_core.recognition.clearance import clearance_of
from stochattn_core.recognition.findings import Recognition, State
from stochattn_core.recognition.generators import held_fixed
from stochattn_core.recognition.look import SOFTMAX, LookMode
from stochattn_core.recognition.recognise import Callee, recognised_call
from stochattn_core.recognition.refusals import NoAttentionError, OtherPathError, UnansweredAttentionError, refuse_unanswered, sentence_of
from stochattn_core.recognition.running_module import RunningModule
from stochattn_core.recognition.sources import Place
from stochattn_core.recognition.trace import Trace
from stochattn_core.run import Batch, Run
from stochattn_core.shared_prefix import compute_shared
from stochattn_core.torch_private import multi_head_attention_forward

MAX_PATHS = 8  # after so many numbers of functions with the same attention, a model that routes its inputs is not looked at again


def parts_of(model: nn.Module) -> list[nn.Module]:
    """Return a model and its larger parts: `generate` and other methods call an encoder or a decoder by itself."""
    names = {module: name for name, module in model.named_modules()}
    return [
        module for module, name in names.items() if name.count(".") < 2 and not any(map(str.isdigit, name)) and any(module.children())
    ] or [model]


class AnsweringMode(TorchFunctionMode):
    """Answers the attention of one model; every other function is called as it is."""

    def __init__(self, model: nn.Module, plan: Plan, recognition: Recognition | None):
        super().__init__()
        self.model, self.plan, self.given = model, plan, recognition
        self.thread = threading.get_ident()
        self.running = RunningModule(model) if recognition is None else clearance_of(model).running(recognition.signature, model)
        self.is_sampled, self.is_ignored = sampled_by(plan.layers), ignored_by(plan.ignore)
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
        self.call: tuple[nn.Module, tuple[Any, ...], dict[str, Any]] = (model, (), {})
        self.before = self.run.state()
        self.generators = contextlib.ExitStack()  # holds torch's generators while a model runs that draws from them

    @contextlib.contextmanager
    def watching_calls(self) -> Iterator[None]:
        """Take note, inside the block, of when a call of the model begins and ends."""
        hooks = []
        for part in parts_of(self.model):
            hooks.append(part.register_forward_pre_hook(lambda module, args, kwargs: self._begin(module, args, kwargs), with_kwargs=True))
            # Before the user's hooks: a call that is made again then passes through them too.
            hooks.append(part.register_forward_hook(lambda module, _, output: self._end(module, output), always_call=True, prepend=True))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _is_concerned(self, module: nn.Module) -> bool:
        """Is this a call of the model or of its part, not of a copy, in the thread of the block and not in a look?"""
        return id(module) in self.running.names and threading.get_ident() == self.thread and not self.is_looking

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._is_concerned(module):
            return
        self.depth += 1
        if self.depth > 1:
            return
        self.run.batch.begin_call(args, kwargs)
        self.call, self.before = (module, args, kwargs), self.run.state()
        try:
            self._take_up(self._recognised(module, args, kwargs))
        except BaseException:
            self.depth = 0
            raise

    def _recognised(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_new: bool = False) -> Recognition:
        if self.given is not None and not is_new and self.given.signature not in clearance_of(self.model).by_size:
            return self.given
        self.is_looking = True
        try:
            return recognised_call(Callee(module, self.model, is_inside=True), args, kwargs, is_new=is_new)
        finally:
            self.is_looking = False

    def _take_up(self, recognition: Recognition) -> None:
        """Answer the call that begins by what a look has found."""
        refuse_unanswered(recognition, self.is_ignored)
        if recognition.is_checkpointed and torch.is_grad_enabled() and any(x.requires_grad for x in self.model.parameters()):
            raise UnansweredAttentionError(
                f"{type(self.model).__name__} computes attention under torch.utils.checkpoint, which runs it again in the backward pass, where it is "
                "not sampled; switch checkpointing off, or run under torch.no_grad()"
            )
        if recognition is not self.recognition:
            self.watched = frozenset(SOFTMAX) | recognition.functions
            self.recognition = recognition
        self.left.update({f"{finding.how} in {finding.module or 'the model itself'}": None for finding in recognition.findings})
        self.run.note(recognition, self.is_ignored)
        self.count.clear()
        self.answered.clear()
        self.attention.clear()
        self.is_other_path, self.n_function = False, 0
        if recognition.random:
            self.generators.enter_context(held_fixed())

    def _end(self, module: nn.Module, output: Any) -> Any:
        """Check the call that ends. One that took another path than the call that was looked at is looked at itself, and made once more."""
        if not self._is_concerned(module) or not self.depth:
            return None
        self.depth -= 1
        if self.depth:
            return None
        self.generators.close()
        part, args, kwargs = self.call
        self.call = (self.model, (), {})  # a block must not keep what the model was called with
        before = self.recognition
        if output is None or before is None or self._is_complete():  # an error in forward ends a call without an output
            return None
        if not is_simple((args, kwargs)):
            return self._refuse_path() if self._is_elsewhere() else None
        recognition = self._recognised(part, args, kwargs, is_new=True)
        if not self._is_elsewhere() and recognition.finds_what(before):
            before.others.add(self.n_function)
            clearance_of(self.model).by_size.discard(recognition.signature)
            return None
        self.depth = 1
        try:
            self.run.restore(self.before)
            self._take_up(recognition)
            output = part.forward(*args, **kwargs)
        finally:
            self.depth = 0
            self.generators.close()
        if self._is_elsewhere():
            self._refuse_path()
        return output

    def _is_elsewhere(self) -> bool:
        """Did the call reach other attention than the look at its kind has found?"""
        found = self.recognition
        return found is None or self.is_other_path or self.answered != found.sampled.keys() or self.attention != found.attention

    def _is_complete(self) -> bool:
        """Did the call take the path of the one that was looked at, as far as the number of its functions tells?"""
        found = self.recognition
        if found is None or self._is_elsewhere():
            return False
        return self.n_function == found.n_function or self.n_function in found.others or len(found.others) >= MAX_PATHS

    def _refuse_path(self) -> NoReturn:
        raise OtherPathError(
            f"this call of {type(self.model).__name__} reached other attention than the call of its kind that was looked at: its path depends on "
            "the values in its inputs, or something else changes it inside the block; call it with inputs that take one path, or keep the "
            "modules in question plain with ignore="
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
            return self._answer(name, func, answer_attention, args, kwargs)
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
        if func in SOFTMAX:
            return self._answer(name, func, answer_functional_softmax if func is F.softmax else answer_softmax, args, kwargs)
        before = self.run.state()
        try:
            return self._answer(name, func, answer_weights_of(func, finding), args, kwargs)
        except OtherWeightsError:
            self.run.restore(before)
            self.is_other_path = True
            return self._plain(func, args, kwargs)

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
        if not self.n_function and not self.left:
            return "nothing; the model was not called in this block and thread"
        return "; ".join(self.left) or f"{self.n_function} torch functions, no softmax among them"
