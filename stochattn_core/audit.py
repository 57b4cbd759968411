"""The audit: where a model computes attention, what is done there, and a check that answering it changes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.arguments import Arguments, changed, leaves_of, merged
from stochattn_core.checklist import Audit, Rows
from stochattn_core.draw import Draw
from stochattn_core.own_randomness import check_repeats, without_own_randomness
from stochattn_core.patching import answering
from stochattn_core.plain_forecast import plain_output
from stochattn_core.plan import Layers, Plan, ignored_by
from stochattn_core.recognition.clearance import clearance_of
from stochattn_core.recognition.findings import Recognition
from stochattn_core.recognition.recognise import Callee, recognised_call
from stochattn_core.recognition.refusals import UnansweredAttentionError, refuse_unanswered
from stochattn_core.recognition.running_module import RunningModule
from stochattn_core.run import Run

# The largest relative difference between two passes that round differently; 1e-4 for any other dtype.
TOLERANCE = {torch.bfloat16: 1e-1, torch.float16: 2e-2}


def audit(
    model: nn.Module,
    *inputs: Any,
    ignore: Layers = "",
    tolerance: float | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Audit:
    """Return a checklist of the attention in one call of a model, answered with its exact rows and compared with the plain pass.

    Attention that cannot be sampled is listed as refused, it raises nothing here. ignore: as in `stochastic_attention`. inputs, model_kwargs:
    as in `sample_ensemble`. tolerance: the largest relative difference allowed, 1e-4 for a pass in float32 without it.
    Raises NoAttentionError where there is no attention at all, and UnansweredAttentionError if the outputs of the plain and the answered pass
    differ by more than `tolerance` of the largest output.

    >>> model = nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()
    >>> checklist = audit(model, torch.zeros(1, 5, 8))
    >>> dict(checklist.calls), checklist.relative_error < 1e-5
    ({'self_attn': 1}, True)
    """
    arguments = Arguments.of(model, inputs, merged(kwargs, model_kwargs))
    recognition = recognised_call(Callee.of(model), arguments.positional, arguments.named)
    is_ignored = ignored_by(ignore)
    if any(not is_ignored(finding.module) for finding in recognition.refused):
        return _checklist(model, recognition, Run(), {}, math.nan)
    return answered_exactly(model, arguments.positional, arguments.named, recognition, ignore=ignore, tolerance=tolerance)


def check(model: nn.Module, arguments: Arguments, recognition: Recognition, ignore: Layers) -> None:
    """Raise what `audit` raises, and UnansweredAttentionError for the first attention that is refused."""
    refuse_unanswered(recognition, ignored_by(ignore))
    answered_exactly(model, arguments.positional, arguments.named, recognition, ignore=ignore)


def answered_exactly(
    model: nn.Module,
    positional: tuple[Any, ...],
    named: Mapping[str, Any],
    recognition: Recognition,
    *,
    ignore: Layers = "",
    tolerance: float | None = None,
) -> Audit:
    """Return the audit of a call in which nothing is refused. Errors as in `audit`."""
    seen: dict[str, Rows] = {}
    plan = Plan(Draw(math.inf), "*", ignore, lambda module, rows: seen.setdefault(module, Rows()).add(rows))

    def answer() -> tuple[Any, Run]:
        seen.clear()
        args, named_copies = changed((positional, named), Tensor.clone)
        with answering(model, plan, recognition) as run:
            return model(*args, **named_copies), run

    plain = plain_output(model, positional, named)
    with torch.no_grad():
        answered, run = without_own_randomness(model, answer)
    error = relative_error(plain, answered)
    tolerance = TOLERANCE.get(_narrowest(model, plain, answered), 1e-4) if tolerance is None else tolerance
    if error > tolerance:
        check_repeats(model, lambda: plain_output(model, positional, named))
        if clearance_of(model).draws_random_numbers:
            raise UnansweredAttentionError(
                f"{type(model).__name__} gives other outputs when its attention is recomputed, and draws random numbers of its own: expected "
                "attention that drops no entries at inference; set the dropout of its attention to 0"
            )
        raise UnansweredAttentionError(
            f"{type(model).__name__} gives other outputs when its attention is recomputed (relative difference {error:.1e}, at most "
            f"{tolerance:.0e} expected): its attention is not what it was taken for; keep the module in question plain with ignore="
        )
    return _checklist(model, recognition, run, seen, error)


def _checklist(model: nn.Module, recognition: Recognition, run: Run, seen: Mapping[str, Rows], error: float) -> Audit:
    order = {name: place for place, name in enumerate(RunningModule(model).names.values())}
    return Audit(
        model=type(model).__name__,
        findings=tuple(sorted(recognition.findings, key=lambda finding: order.get(finding.module, -1))),
        calls=dict(run.calls),
        entropy={name: rows.entropy / max(rows.n_row, 1) for name, rows in seen.items()},
        relative_error=error,
        first_key={name: rows.first / max(rows.n_row, 1) for name, rows in seen.items()},
        rows={name: (rows.n_row, rows.n_key) for name, rows in seen.items()},
        heads={name: rows.n_head for name, rows in seen.items() if rows.n_head is not None},
        ignored=dict(run.ignored),
        random=tuple(dict.fromkeys(f"{what} in {module or '(root)'}" for what, module in recognition.random)),
    )


def relative_error(plain: Any, answered: Any) -> float:
    """Return the largest difference between the floating tensors of two outputs, over the largest value of the plain one."""
    pairs = list(zip(_float_tensors(plain), _float_tensors(answered), strict=True))
    errors = [float((a - b).abs().nan_to_num(0.0).max() / b.abs().nan_to_num(0.0).max().clamp_min(1e-30)) for b, a in pairs if b.numel()]
    return max(errors, default=0.0)


def _narrowest(model: nn.Module, *outputs: Any) -> torch.dtype:
    """Return the least precise dtype of the pass: of the weights, of the outputs, or of autocast."""
    dtypes = {leaf.dtype for output in outputs for leaf in _float_tensors(output)}
    dtypes |= {x.dtype for x in model.parameters() if x.is_floating_point()}
    devices = {x.device.type for x in model.parameters()} or {"cpu"}
    dtypes |= {torch.get_autocast_dtype(device) for device in devices if torch.is_autocast_enabled(device)}
    return max(dtypes, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float32)


def _float_tensors(output: Any) -> list[Tensor]:
    return [leaf for leaf in leaves_of(output) if leaf.is_floating_point()]
