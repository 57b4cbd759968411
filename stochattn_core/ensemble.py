"""Ensembles: repeated stochastic passes of one model, with the members folded into the batch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from stochattn_core.arguments import Arguments, merged
from stochattn_core.audit import check
from stochattn_core.draw import checked_draw
from stochattn_core.folds import Passes, Progress, in_folds, key_of
from stochattn_core.outputs import Pick, forecast_in
from stochattn_core.plain_forecast import plain_output
from stochattn_core.plan import Layers, Plan
from stochattn_core.recognition.clearance import Call, clearance_of
from stochattn_core.recognition.recognise import N_FEW, Callee, recognised
from stochattn_core.recognition.refusals import OtherPathError
from stochattn_core.recognition.signature import signature_of

# The size of one pass: cases x members, and the numbers in their inputs. It keeps a small model, or a GPU, busy; on the CPU it lets the
# intermediate results of a large model stay near a core's cache.
ROWS_PER_PASS = 1024
INPUTS_PER_PASS = {"cpu": 3 << 16}
INPUTS_PER_PASS_ELSEWHERE = 1 << 21


def sample_ensemble(
    model: nn.Module,
    *inputs: Any,
    concentration: int | float,
    n_member: int,
    seed: int = 0,
    fold: int | None = None,
    layers: Layers = "*",
    ignore: Layers = "",
    pick: Pick | None = None,
    first_case: int = 0,
    batch_dim: int = 0,
    shared: bool = False,
    first_member: int = 0,
    progress: Progress | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Shaped[Tensor, " {n_member} *output"]:
    """Return an ensemble of n_member forecasts, each from one stochastic pass of the model: (member, *output).

    inputs and kwargs are the arguments of the model, in any nesting of lists, tuples, mappings and dataclasses. Tensors with as many entries
    along batch_dim as the first tensor are cases and are repeated for each member; everything else is passed on as it is. NumPy arrays become
    tensors, and float64 values get the dtype of the weights. Each pass works on copies, so a cache of keys and values stays as it is.
    model_kwargs: further named arguments of the model, for names that this function uses itself, such as seed, fold or layers.
    pick: the field of the output that is the forecast: a key, an attribute, an index, or a function of the output that returns a tensor. None
    finds the only floating tensor with an axis of cases, or the forecast of a Hugging Face output. A scalar output gives (member,).
    batch_dim: the dim that holds the cases; 1 for torch's layers with batch_first=False.
    fold: how many members share a pass; None lets the function choose. It is halved when a GPU runs out of memory, but not on the CPU,
    where torch does not tell that error from others. Member i is the same for every fold, up to the rounding of larger matrix products.
    first_case: the number of the first case among all, for cases that come in parts. Two calls with one seed draw the same numbers; say in the
    second which cases follow, or take another seed for the same cases. Parts whose cases differ in length take a seed each, or the block of
    `stochastic_attention`, because rows are numbered by case and rows of a case. first_member: the number of the first member, for
    members first_member .. first_member + n_member - 1 of a larger ensemble.
    layers, ignore: the layers that are sampled, and modules that stay plain on purpose, as in `stochastic_attention`.
    shared: all rows and heads of one case use the same random numbers in each layer; each row keeps its exact law.
    A concentration of math.inf gives n_member copies of the plain forecast, see `plain_forecast`.

    The first call of a signature costs up to three passes over two cases, and for each new fold two passes over all cases: members run alone
    must equal those of the fold, else members are run one by one. Random numbers that the model draws by itself are held fixed.
    Raises NoAttentionError or UnansweredAttentionError if the model cannot be sampled, ValueError for a bad concentration, n_member,
    first_member or fold, and for arguments without cases or outputs without one forecast.

    >>> class Scaled(nn.TransformerEncoderLayer):
    ...     def forward(self, src, seed):
    ...         return {"forecast": super().forward(src) * seed}
    >>> x = torch.randn(3, 5, 8)
    >>> sample_ensemble(Scaled(8, 2, batch_first=True).eval(), x, concentration=16, n_member=4, model_kwargs={"seed": 2}).shape
    torch.Size([4, 3, 5, 8])
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
    arguments = Arguments.of(model, inputs, merged(kwargs, model_kwargs), batch_dim)
    members = range(first_member, first_member + n_member)
    return draw_members(model, arguments, Plan(draw, layers, ignore), members, pick=pick, fold=fold, progress=progress)


def draw_members(
    model: nn.Module,
    arguments: Arguments,
    plan: Plan,
    members: range,
    *,
    pick: Pick | None = None,
    fold: int | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Return these members of the ensemble that a plan describes, (member, *output): `sample_ensemble` for arguments already checked.

    The plan's own members do not matter.
    """
    n_case = arguments.n_case
    if plan.draw.is_exact:
        plain = forecast_in(plain_output(model, arguments.positional, arguments.named), pick, n_case, arguments.batch_dim)
        return plain.expand(len(members), *plain.shape).clone()
    with torch.no_grad():
        passes = Passes(model, arguments, plan, pick, _looked_at(model, arguments, plan, pick))
        fold = min(len(members), fold or _members_per_pass(arguments))
        parts: list[Tensor] = []
        in_folds(members, fold, lambda folded: parts.append(passes.of(folded)), progress)
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


def _members_per_pass(arguments: Arguments) -> int:
    first = arguments.first_tensor
    return max(1, rows_per_pass(first.movedim(arguments.batch_dim, 0), first.device) // arguments.n_case)


def _looked_at(model: nn.Module, arguments: Arguments, plan: Plan, pick: Pick | None) -> Call:
    """Return what is known of this call; a new signature is looked at and checked first, on two of its cases where it runs on two."""
    signature = signature_of(model, arguments.positional, arguments.named, arguments.n_case, arguments.batch_dim)
    key, clearance = key_of(signature, pick, plan), clearance_of(model)
    if key in clearance.calls and signature in clearance.recognitions:
        return clearance.calls[key]
    recognition = recognised(Callee.of(model), arguments, signature)
    few = arguments.first_cases(min(arguments.n_case, N_FEW))
    try:
        check(model, few, recognition, plan.ignore)
    except torch.OutOfMemoryError:  # a RuntimeError, which more cases would not cure
        raise
    except (RuntimeError, IndexError, OtherPathError):
        check(model, arguments, recognition, plan.ignore)  # a tensor with as many entries as there are cases does not hold cases
    call = clearance.remember(key)
    call.recognition = recognition
    return call
