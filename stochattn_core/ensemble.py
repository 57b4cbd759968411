"""Ensembles: repeated stochastic passes of one model, with the members folded into the batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from stochattn_core.audit import audit
from stochattn_core.clearance import clearance_of
from stochattn_core.draw import Draw, checked_draw
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.patching import Layers, Plan, answering
from stochattn_core.torch_private import tree_leaves, tree_map

# The size of one pass: cases x members, and the numbers in their inputs. It keeps a small model, or a GPU, busy; on the CPU it lets the
# intermediate results of a large model stay near a core's cache.
ROWS_PER_PASS = 1024
INPUTS_PER_PASS = {"cpu": 3 << 16}
INPUTS_PER_PASS_ELSEWHERE = 1 << 21

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]  # what a model is called with
Progress = Callable[[int, int, str], None]  # is called with (done, total, what)


def sample_ensemble(
    model: nn.Module,
    *inputs: Any,
    concentration: int | float,
    n_member: int,
    seed: int = 0,
    fold: int | None = None,
    layers: Layers = "*",
    attention_classes: Sequence[AttentionClass] = (),
    first_case: int = 0,
    first_member: int = 0,
    shared: bool = False,
    progress: Progress | None = None,
    **kwargs: Any,
) -> Shaped[Tensor, " {n_member} *output"]:
    """Return an ensemble of n_member forecasts, each from one stochastic pass of the model: (member, *output).

    inputs and kwargs are the arguments of the model. Tensors with as many entries along dim 0 as the first tensor are cases and are
    repeated for each member; everything else is passed on as it is.
    fold: how many members share a pass; None lets the function choose. It is halved when a GPU runs out of memory, but not on the CPU,
    where torch does not tell that error from others. Member i is the same for every fold, up to the rounding of larger matrix products.
    first_case: the number of the first case among all, for cases that come in parts. Two calls with one seed draw the same numbers; say in the
    second which cases follow, or take another seed for the same cases. Parts whose cases differ in length take a seed each, or the block of
    `stochastic_attention`, because rows are numbered by case and rows of a case. first_member: the number of the first member, for
    members first_member .. first_member + n_member - 1 of a larger ensemble.
    shared: all rows and heads of one case use the same random numbers in each layer; each row keeps its exact law.
    A concentration of math.inf gives n_member copies of the plain forecast.

    Raises NoAttentionError or UnansweredAttentionError if the model cannot be sampled, ValueError for a bad concentration, n_member,
    first_member or fold.
    """
    draw = checked_draw(concentration, (0,), seed, first_case=first_case, shared=shared)
    if isinstance(n_member, bool) or not isinstance(n_member, int) or n_member < 1:
        raise ValueError(f"n_member must be a positive whole number, got {n_member!r}; try 49")
    if isinstance(first_member, bool) or not isinstance(first_member, int) or first_member < 0:
        raise ValueError(f"first_member must be a whole number, 0 or more, got {first_member!r}")
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a torch.nn.Module, got {type(model).__name__}; wrap the function in a module whose forward calls it")
    if fold is not None and (isinstance(fold, bool) or not isinstance(fold, int) or fold < 1):
        raise ValueError(f"fold must be a positive whole number, or None to choose, got {fold!r}")
    members = range(first_member, first_member + n_member)
    return draw_members(model, (inputs, kwargs), Plan(draw, layers, tuple(attention_classes)), members, fold=fold, progress=progress)


def draw_members(
    model: nn.Module, arguments: Arguments, plan: Plan, members: range, *, fold: int | None = None, progress: Progress | None = None
) -> Tensor:
    """Return these members of the ensemble that a plan describes, (member, *output): `sample_ensemble` for arguments already checked.

    The plan's own members do not matter.
    """
    inputs, kwargs = arguments
    n_case = _n_case(arguments)
    if plan.draw.is_exact:
        # In the caller's own grad mode: without gradients torch picks other kernels, and this must be the plain output bit for bit.
        plain = _one_tensor(model(*inputs, **kwargs), model).detach()
        return plain.expand(len(members), *plain.shape).clone()
    with torch.no_grad():
        if not _folds_cleanly(model, arguments, n_case, plan.attention_classes):
            fold = 1
        first = _tensors(arguments)[0]
        fold = min(len(members), fold or max(1, rows_per_pass(first, first.device) // n_case))
        plan = _for_cases(plan, n_case)
        parts = []
        start = members.start
        while start < members.stop:
            folded = range(start, min(start + fold, members.stop))
            try:
                parts.append(_one_pass(model, arguments, plan.for_members(folded), n_case))
            except torch.OutOfMemoryError:
                if len(folded) == 1:
                    raise
                fold = len(folded) // 2
                continue
            start = folded.stop
            if progress:
                progress(start - members.start, len(members), "members")
    ensemble = torch.cat(parts)
    if len(members) > 1 and ensemble.numel() and bool((ensemble == ensemble[:1]).all()):
        warnings.warn(
            f"all {len(members)} members of {type(model).__name__} are equal: its attention is answered but does not reach the output "
            "(a gate initialised to zero, one-hot rows, or equal values)",
            stacklevel=3,
        )
    return ensemble


def rows_per_pass(inputs: Tensor, device: torch.device) -> int:
    """Return how many cases x members one pass on a device holds, for inputs (case, ...) of this size."""
    max_number = INPUTS_PER_PASS.get(device.type, INPUTS_PER_PASS_ELSEWHERE)
    return max(1, min(ROWS_PER_PASS, max_number * len(inputs) // max(inputs.numel(), 1)))


def _one_pass(model: nn.Module, arguments: Arguments, plan: Plan, n_case: int) -> Tensor:
    """Return the members of one pass, (member, *output)."""
    n_fold = len(plan.draw.members)
    inputs, kwargs = _each_case(arguments, n_case, lambda x: torch.cat([x] * n_fold) if n_fold > 1 else x)
    with answering(model, plan):
        output = _one_tensor(model(*inputs, **kwargs), model)
    if output.shape[0] % n_fold:
        raise ValueError(f"expected an output whose dim 0 holds {n_fold} members, got shape {tuple(output.shape)}; pass fold=1")
    return output.unflatten(0, (n_fold, -1))


def _folds_cleanly(model: nn.Module, arguments: Arguments, n_case: int, classes: tuple[AttentionClass, ...]) -> bool:
    """Does a pass over two members equal two passes? No for a model that mixes the rows of a batch. Audits the model the first time.

    Where memory does not hold two members the answer is no, for this call alone.
    """
    clearance = clearance_of(model)
    if clearance.folds_cleanly is not None:
        return clearance.folds_cleanly
    n_few = min(n_case, 2)
    try:
        few = _each_case(arguments, n_case, lambda x: x[:n_few])
        audit(model, *few[0], attention_classes=classes, **few[1])
    except torch.OutOfMemoryError:  # a RuntimeError, which more cases would not cure
        raise
    except (RuntimeError, IndexError):
        n_few, few = n_case, arguments  # a tensor with as many entries as there are cases does not hold cases
        audit(model, *few[0], attention_classes=classes, **few[1])
    twice = _each_case(arguments, n_case, lambda x: torch.cat([x[:n_few]] * 2))
    plan = _for_cases(Plan(Draw(4), attention_classes=classes), n_few)

    def sampled(members: tuple[int, ...], arguments: Arguments) -> Tensor:
        with answering(model, plan.for_members(members)):
            return _one_tensor(model(*arguments[0], **arguments[1]), model)

    alone = torch.cat([sampled((member,), few) for member in (0, 1)])
    try:
        together = sampled((0, 1), twice)
        close = torch.finfo(alone.dtype).eps ** 0.5 if alone.is_floating_point() else 0.0
        is_same = together.shape == alone.shape and torch.allclose(
            together, alone, rtol=close, atol=close * float(alone.abs().nan_to_num(0.0).max()), equal_nan=True
        )
    except torch.OutOfMemoryError:
        return False
    except (RuntimeError, ValueError, IndexError):
        is_same = False
    if not is_same:
        warnings.warn(f"{type(model).__name__} mixes the rows of a batch: members are run one by one, which is slower", stacklevel=4)
    clearance.folds_cleanly = is_same
    return is_same


def _for_cases(plan: Plan, n_case: int) -> Plan:
    return replace(plan, draw=replace(plan.draw, n_case=n_case))


def _tensors(arguments: Arguments) -> list[Tensor]:
    return [x for x in tree_leaves(arguments) if isinstance(x, Tensor) and x.ndim]


def _n_case(arguments: Arguments) -> int:
    tensors = _tensors(arguments)
    if not tensors or not len(tensors[0]):
        raise ValueError("expected at least one input tensor with cases along dim 0, got none; pass the model's inputs after the model")
    return len(tensors[0])


def _is_cases(x: object, n_case: int) -> bool:
    return isinstance(x, Tensor) and x.ndim > 0 and len(x) == n_case


def _each_case(arguments: Arguments, n_case: int, change: Callable[[Tensor], Tensor]) -> Arguments:
    """Return the arguments with every tensor of cases changed, and everything else as it is."""
    return tree_map(lambda x: change(x) if _is_cases(x, n_case) else x, arguments)


def _one_tensor(output: Any, model: nn.Module) -> Tensor:
    if isinstance(output, Tensor):
        return output
    raise ValueError(
        f"expected {type(model).__name__} to return one tensor, got {type(output).__name__}; wrap it in a module whose forward picks the forecast"
    )
