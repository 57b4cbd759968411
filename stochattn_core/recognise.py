"""Recognition of a model's attention: one look for each signature of a call, kept with the model."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.arguments import Arguments, changed, explaining_mismatch, leaves_of
from stochattn_core.clearance import clearance_of
from stochattn_core.guard import UnansweredAttentionError
from stochattn_core.implementations import through_torch_functions
from stochattn_core.own_randomness import held_fixed
from stochattn_core.recognition.findings import Recognition
from stochattn_core.recognition.look import LookMode, looking
from stochattn_core.running_module import RunningModule
from stochattn_core.signature import signature_of
from stochattn_core.torch_private import opaque_attention_configs

N_FEW = 2  # cases of the pass that looks at a new signature


def recognised(model: nn.Module, arguments: Arguments, signature: Hashable) -> Recognition:
    """Return what is known of the attention in calls of this signature.

    The first such call costs a pass over two of its cases, or over all of them where two do not run or have shown other attention than all.
    """
    clearance = clearance_of(model)
    if signature in clearance.by_size:
        key: Hashable = (signature, arguments.n_case)
        if key not in clearance.recognitions:
            clearance.recognise(key, _kept(look_at(model, arguments.positional, arguments.named), model, signature))
        return clearance.recognitions[key]
    if signature not in clearance.recognitions:
        few = arguments.first_cases(min(arguments.n_case, N_FEW))
        try:
            recognition = look_at(model, few.positional, few.named)
        except torch.OutOfMemoryError:  # a RuntimeError, which more cases would not cure
            raise
        except (RuntimeError, IndexError, ValueError):  # a tensor with as many entries as there are cases does not hold cases
            recognition = look_at(model, arguments.positional, arguments.named)
        clearance.recognise(signature, _kept(recognition, model, signature))
    return clearance.recognitions[signature]


def _kept(recognition: Recognition, model: nn.Module, signature: Hashable) -> Recognition:
    return replace(recognition, signature=signature, is_fused=bool(opaque_attention_configs(model)))


def recognised_call(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Recognition:
    """Return what is known of the attention in a call of this kind; the entries along dim 0 of the first tensor count as cases."""
    n_case = next((len(x) for x in leaves_of((args, kwargs)) if x.ndim), 1)
    return recognised(model, Arguments(args, kwargs, n_case), signature_of(model, args, kwargs))


def look_at(model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Recognition:
    """Return what one plain pass over copies of the arguments shows; neither the model nor torch's generators change by it.

    A second pass, over changed inputs, is made where tensors came into the first from outside of this thread's torch functions: those that
    follow from the inputs were computed where nobody saw it.
    """
    try:
        look = _look(model, positional, named)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, NotImplementedError) as error:
        _raise_where_plain_runs(model, positional, named, error)
        raise
    if look.foreign:
        other = _look(model, *changed((positional, named), _other_numbers))
        look.return_of(other)
    return look.recognition()


def _raise_where_plain_runs(model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any], error: Exception) -> None:
    """Raise UnansweredAttentionError where the model itself runs, so that it is the look that failed; return where the model fails too."""
    try:
        with held_fixed(), preserved(model), torch.no_grad():
            args, kwargs = changed((positional, named), Tensor.clone)
            model(*args, **kwargs)
    except Exception:
        return
    raise UnansweredAttentionError(
        f"the attention of {type(model).__name__} in module {(name := RunningModule(model).failed_in(error)) or '(root)'} of class "
        f"{type(model.get_submodule(name)).__qualname__} cannot be followed: torch cannot run it operation by operation ({str(error).splitlines()[0]}); "
        "expected scaled_dot_product_attention or softmax(scores) @ values on plain tensors"
    ) from error


def _look(model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> LookMode:
    with held_fixed(), preserved(model), through_torch_functions(model), torch.inference_mode(False), torch.no_grad():
        args, kwargs = changed((positional, named), Tensor.clone)
        with explaining_mismatch(model, positional, named), looking(model, (args, kwargs)) as look:
            model(*args, **kwargs)
        return look


def _other_numbers(x: Tensor) -> Tensor:
    """Return other inputs of the same kind: numbers that are a little larger, or whole numbers in another order."""
    return x * 1.01 + 0.01 if x.is_floating_point() else x.flatten().roll(1).view(x.shape)


@contextlib.contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Give every module the attributes and buffers back that it had before the block, except for objects that change in themselves."""
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    held = [value for _, values in attributes for value in values.values() if type(value) in (list, dict, set)]
    containers = [(value, value.copy()) for value in held]
    buffers = [(x, x._version, x.clone()) for x in model.buffers()]
    try:
        yield
    finally:
        for module, values in attributes:
            if not _are_same(vars(module), values):
                vars(module).clear()
                vars(module).update(values)
        for container, copy in containers:
            if not _are_same(container, copy):
                container.clear()
                container.extend(copy) if isinstance(container, list) else container.update(copy)
        with torch.no_grad():
            for buffer, version, numbers in buffers:
                if buffer._version != version:
                    buffer.copy_(numbers)


def _are_same(container: list[Any] | dict[Any, Any] | set[Any], copy: list[Any] | dict[Any, Any] | set[Any]) -> bool:
    """Do two containers hold the same objects, under the same keys?"""
    if isinstance(container, dict) and isinstance(copy, dict):
        return container.keys() == copy.keys() and all(container[key] is copy[key] for key in copy)
    return len(container) == len(copy) and all(a is b for a, b in zip(container, copy, strict=True))
