"""Ensembles: repeated stochastic passes of one model, members folded into the batch."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.audit import audit
from stochattn_core.draw import check_concentration
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.patching import Layers, stochastic_attention

# Cases x members of one pass, and numbers among their inputs: enough to keep a small model busy, and few enough for what a large one
# computes to stay near a core's cache, or to keep a GPU busy.
ROWS_PER_PASS = 1024
INPUTS_PER_PASS = {"cpu": 3 << 16}
INPUTS_PER_PASS_ELSEWHERE = 1 << 21
_folds: weakref.WeakKeyDictionary[nn.Module, bool] = weakref.WeakKeyDictionary()


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
    progress: Callable[[int, int, str], None] | None = None,
    **kwargs: Any,
) -> Tensor:
    """An ensemble of n_member forecasts, each one stochastic pass: (member, *output).

    inputs and kwargs are what the model takes; tensors whose dim 0 is that of the first one are cases and are repeated for each member,
    everything else is passed on. fold is how many members share a pass (None: chosen); it is halved where a device's memory does not
    hold it, but not on the CPU, where torch does not tell that error from others. Member i is the same whatever fold is, up to the
    rounding of larger matrix products. first_case: the number of the first case among all, when cases come in parts. first_member: the
    number of the first member, when members come in parts: members first_member .. first_member + n_member - 1 of a larger ensemble.
    shared: all rows and heads of one case take the same random numbers in each layer; each row keeps its exact law.
    math.inf gives n_member copies of the plain forecast.

    Raises NoAttentionError or UnansweredAttentionError where the model cannot be sampled, ValueError for a bad concentration, n_member or first_member.
    """
    concentration = check_concentration(concentration)
    if isinstance(n_member, bool) or not isinstance(n_member, int) or n_member < 1:
        raise ValueError(f"n_member must be a positive whole number, got {n_member!r}; try 49")
    if isinstance(first_member, bool) or not isinstance(first_member, int) or first_member < 0:
        raise ValueError(f"first_member must be a whole number, 0 or more, got {first_member!r}")
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a torch.nn.Module, got {type(model).__name__}; wrap the function in a module whose forward calls it")
    if fold is not None and (isinstance(fold, bool) or not isinstance(fold, int) or fold < 1):
        raise ValueError(f"fold must be a positive whole number, or None to choose, got {fold!r}")
    n_case = _n_case(inputs, kwargs)
    if concentration == math.inf:
        # In the caller's own grad mode: torch picks other kernels without it, and this must be the plain output bit for bit.
        plain = _one_tensor(model(*inputs, **kwargs), model).detach()
        return plain.expand(n_member, *plain.shape).clone()
    with torch.no_grad():
        if not _folds_cleanly(model, inputs, kwargs, n_case, tuple(attention_classes)):
            fold = 1
        first = _tensors(inputs, kwargs)[0]
        fold = min(n_member, fold or max(1, rows_per_pass(first, first.device) // n_case))

        def one_pass(members: range) -> Tensor:
            n = len(members)
            repeated, repeated_kwargs = _each_case((inputs, kwargs), n_case, lambda x: torch.cat([x] * n) if n > 1 else x)
            with stochastic_attention(
                model,
                concentration,
                members=members,
                seed=seed,
                layers=layers,
                attention_classes=attention_classes,
                n_case=n_case,
                first_case=first_case,
                shared=shared,
            ):
                output = _one_tensor(model(*repeated, **repeated_kwargs), model)
            if output.shape[0] % n:
                raise ValueError(f"expected an output whose dim 0 holds {n} members, got shape {tuple(output.shape)}; pass fold=1")
            return output.unflatten(0, (n, -1))

        parts = []
        start, end = first_member, first_member + n_member
        while start < end:
            members = range(start, min(start + fold, end))
            try:
                parts.append(one_pass(members))
            except torch.OutOfMemoryError:
                if len(members) == 1:
                    raise
                fold = len(members) // 2
                continue
            start = members.stop
            if progress:
                progress(start - first_member, n_member, "members")
    ensemble = torch.cat(parts)
    if n_member > 1 and ensemble.numel() and bool((ensemble == ensemble[:1]).all()):
        warnings.warn(
            f"all {n_member} members of {type(model).__name__} are equal: its attention is answered but does not reach the output "
            "(a gate initialised to zero, one-hot rows, or equal values)",
            stacklevel=2,
        )
    return ensemble


def _folds_cleanly(model: nn.Module, inputs: tuple, kwargs: dict, n_case: int, classes: tuple) -> bool:
    """Audit a model once, and find whether a pass over two members equals two passes. A model that mixes the rows of a batch fails.

    Where memory does not hold two members the answer is no, for this call alone.
    """
    if model not in _folds:
        few = min(n_case, 2)
        try:
            part = _each_case((inputs, kwargs), n_case, lambda x: x[:few])
            audit(model, *part[0], attention_classes=classes, **part[1])
        except torch.OutOfMemoryError:  # a RuntimeError, which more cases would not correction
            raise
        except (RuntimeError, IndexError):
            few, part = n_case, (inputs, kwargs)  # a tensor of as many entries as there are cases is no tensor of cases
            audit(model, *inputs, attention_classes=classes, **kwargs)
        twice = _each_case((inputs, kwargs), n_case, lambda x: torch.cat([x[:few]] * 2))

        def sampled(members: tuple[int, ...], arguments: tuple) -> Tensor:
            with stochastic_attention(model, 4, members=members, attention_classes=classes, n_case=few):
                return _one_tensor(model(*arguments[0], **arguments[1]), model)

        alone = torch.cat([sampled((member,), part) for member in (0, 1)])
        try:
            together = sampled((0, 1), twice)
            close = torch.finfo(alone.dtype).eps ** 0.5 if alone.is_floating_point() else 0.0
            same = together.shape == alone.shape and torch.allclose(
                together, alone, rtol=close, atol=close * float(alone.abs().nan_to_num(0.0).max()), equal_nan=True
            )
        except torch.OutOfMemoryError:
            return False
        except (RuntimeError, ValueError, IndexError):
            same = False
        if not same:
            warnings.warn(f"{type(model).__name__} mixes the rows of a batch: members are run one by one, which is slower", stacklevel=3)
        _folds[model] = same
    return _folds[model]


def rows_per_pass(inputs: Tensor, device: torch.device) -> int:
    """How many cases x members a pass on a device holds, for inputs (case, ...) of this size."""
    most = INPUTS_PER_PASS.get(device.type, INPUTS_PER_PASS_ELSEWHERE)
    return max(1, min(ROWS_PER_PASS, most * len(inputs) // max(inputs.numel(), 1)))


def _tensors(inputs: tuple, kwargs: dict) -> list[Tensor]:
    return [x for x in torch.utils._pytree.tree_leaves((inputs, kwargs)) if isinstance(x, Tensor) and x.ndim]


def _n_case(inputs: tuple, kwargs: dict) -> int:
    tensors = _tensors(inputs, kwargs)
    if not tensors or not len(tensors[0]):
        raise ValueError("expected at least one input tensor with cases along dim 0, got none; pass the model's inputs after the model")
    return len(tensors[0])


def _is_cases(x: Any, n_case: int) -> bool:
    return isinstance(x, Tensor) and x.ndim > 0 and len(x) == n_case


def _each_case(tree: Any, n_case: int, change: Callable[[Tensor], Tensor]) -> Any:
    """Change every tensor of cases, and pass everything else on."""
    return torch.utils._pytree.tree_map(lambda x: change(x) if _is_cases(x, n_case) else x, tree)


def _one_tensor(output: Any, model: nn.Module) -> Tensor:
    if isinstance(output, Tensor):
        return output
    raise ValueError(
        f"expected {type(model).__name__} to return one tensor, got {type(output).__name__}; wrap it in a module whose forward picks the forecast"
    )
