"""Recognition of a model's attention: one look for each signature of a call, kept with the model."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.arguments import Arguments, changed, explaining_mismatch, leaves_of
from stochattn_core.recognition.clearance import clearance_of
from stochattn_core.recognition.findings import Recognition
from stochattn_core.recognition.generators import held_fixed, kept_generators
from stochattn_core.recognition.implementations import through_torch_functions
from stochattn_core.recognition.look import LookMode, looking
from stochattn_core.recognition.refusals import UnansweredAttentionError, refuse_what_cannot_be_answered
from stochattn_core.recognition.running_module import RunningModule
from stochattn_core.recognition.signature import signature_of
from stochattn_core.torch_private import opaque_attention_configs

N_FEW = 2  # cases of the pass that looks at a new signature


@dataclass(frozen=True)
class Callee:
    """A call that is to be looked at: of a model, or of a part of it, and from where.

    part: the module that is called. root: the model whose modules name the places. is_inside: has the call begun, so that hooks before it have
    run already?
    """

    part: nn.Module
    root: nn.Module
    is_inside: bool = False

    @classmethod
    def of(cls, model: nn.Module) -> Callee:
        """Return a call of a whole model from outside."""
        return cls(model, model)


def recognised(call: Callee, arguments: Arguments, signature: Hashable) -> Recognition:
    """Return what is known of the attention in calls of this signature.

    The first such call costs a pass over two of its cases, or over all of them where two do not run or have shown other attention than all.
    """
    clearance = clearance_of(call.root)
    if signature in clearance.by_size:
        key: Hashable = (signature, arguments.n_case)
        if key not in clearance.recognitions:
            clearance.recognise(key, _kept(look_at(call, arguments.positional, arguments.named), call.root, signature))
        return clearance.recognitions[key]
    if signature not in clearance.recognitions:
        few = arguments.first_cases(min(arguments.n_case, N_FEW))
        try:
            recognition = look_at(call, few.positional, few.named)
        except (torch.OutOfMemoryError, UnansweredAttentionError):  # more cases would not cure it
            raise
        except (RuntimeError, IndexError, ValueError):  # a tensor with as many entries as there are cases does not hold cases
            recognition = look_at(call, arguments.positional, arguments.named)
        clearance.recognise(signature, _kept(recognition, call.root, signature))
    return clearance.recognitions[signature]


def _kept(recognition: Recognition, model: nn.Module, signature: Hashable) -> Recognition:
    return replace(recognition, signature=signature, is_fused=bool(opaque_attention_configs(model)))


def recognised_call(call: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, is_new: bool = False) -> Recognition:
    """Return what is known of the attention in a call of this kind; the entries along dim 0 of the first tensor count as cases.

    is_new: look at this very call, with all its cases, whatever is known of its kind.
    """
    n_case = next((len(x) for x in leaves_of((args, kwargs)) if x.ndim), 1)
    signature: Hashable = signature_of(call.part, args, kwargs)
    if call.part is not call.root:
        signature = (id(call.part), signature)
    if is_new:
        clearance = clearance_of(call.root)
        clearance.by_size.add(signature)
        clearance.recognitions.pop((signature, n_case), None)
    return recognised(call, Arguments(args, kwargs, n_case), signature)


def look_at(call: Callee, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Recognition:
    """Return what one plain pass over copies of the arguments shows; neither the model nor torch's generators change by it.

    A second pass, over changed inputs, is made where tensors came into the first from outside of this thread's torch functions: those that
    follow from the inputs were computed where nobody saw it.
    """
    refuse_what_cannot_be_answered(call.root)
    try:
        look = _look(call, positional, named)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, NotImplementedError) as error:
        _raise_where_plain_runs(call, positional, named, error)
        raise
    if look.foreign:
        other = _look(call, *changed((positional, named), _other_numbers))
        constants = look.same_in(other)
        if constants and look.trace.sources:
            look = _look(call, positional, named, constants)
        look.return_of(other)
    return look.recognition()


def _raise_where_plain_runs(call: Callee, positional: tuple[Any, ...], named: Mapping[str, Any], error: Exception) -> None:
    """Raise UnansweredAttentionError where the model itself runs, so that it is the look that failed; return where the model fails too."""
    model = call.root
    try:
        with held_fixed(), preserved(model), torch.no_grad():
            args, kwargs = changed((positional, named), Tensor.clone)
            (call.part.forward if call.is_inside else call.part)(*args, **kwargs)
    except Exception:
        return
    raise UnansweredAttentionError(
        f"the attention of {type(model).__name__} in module {(name := RunningModule(model).failed_in(error)) or '(root)'} of class "
        f"{type(model.get_submodule(name)).__qualname__} cannot be followed: torch cannot run it operation by operation ({str(error).splitlines()[0]}); "
        "expected scaled_dot_product_attention or softmax(scores) @ values on plain tensors"
    ) from error


def _look(call: Callee, positional: tuple[Any, ...], named: Mapping[str, Any], constants: Collection[int] = ()) -> LookMode:
    model = call.root
    with preserved(model), through_torch_functions(model), torch.inference_mode(False), torch.no_grad():
        args, kwargs = changed((positional, named), Tensor.clone)
        with (
            explaining_mismatch(model, positional, named),
            kept_generators((positional, named)),
            looking(model, (args, kwargs), constants) as look,
        ):
            (call.part.forward if call.is_inside else call.part)(*args, **kwargs)
        return look


def _other_numbers(x: Tensor) -> Tensor:
    """Return other inputs of the same kind: numbers that are a little larger, or whole numbers in another order."""
    return x * 1.01 + 0.01 if x.is_floating_point() else x.flatten().roll(1).view(x.shape)


@contextlib.contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Give every module the attributes back that it had before the block, and what its containers and objects held.

    Tensors that are written into are given back by the trace.
    """
    attributes: list[tuple[object, dict[str, Any]]] = [(module, dict(vars(module))) for module in model.modules()]
    held = [value for _, values in attributes for name, value in values.items() if "hooks" not in name]
    attributes += [(value, dict(vars(value))) for value in held if _has_a_state(value)]
    containers = [(value, value.copy()) for value in held if isinstance(value, list | dict | set | deque)]
    try:
        yield
    finally:
        for owner, values in attributes:
            if not _are_same(vars(owner), values):
                vars(owner).clear()
                vars(owner).update(values)
        for container, copy in containers:
            if not _are_same(container, copy):
                container.clear()
                container.extend(copy) if isinstance(container, list | deque) else container.update(copy)


def _has_a_state(value: object) -> bool:
    """Is this an object of the model's own, no module or tensor, that holds attributes?"""
    return hasattr(value, "__dict__") and not isinstance(value, nn.Module | Tensor | type) and not callable(value)


def _are_same(container: Any, copy: Any) -> bool:
    """Do two containers hold the same objects, under the same keys?"""
    if isinstance(container, dict) and isinstance(copy, dict):
        return container.keys() == copy.keys() and all(container[key] is copy[key] for key in copy)
    return len(container) == len(copy) and all(a is b for a, b in zip(container, copy, strict=True))
