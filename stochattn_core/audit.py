"""The audit: one pass with sampling off, which shows the attention of a model and that answering it changes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.arguments import changed, leaves_of
from stochattn_core.clearance import clearance_of
from stochattn_core.draw import Draw
from stochattn_core.guard import UnansweredAttentionError
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.own_randomness import check_repeats, without_own_randomness
from stochattn_core.patching import Plan, Run, answering
from stochattn_core.plain_forecast import plain_output

# The largest relative difference between two passes that round differently; 1e-4 for any other dtype.
TOLERANCE = {torch.bfloat16: 1e-1, torch.float16: 2e-2}


@dataclass(frozen=True)
class Audit:
    """What one pass with sampling off shows.

    calls: attention calls by module name. entropy: mean entropy of the rows over log(keys), 0 for a single key, 1 for even weights.
    relative_error: largest difference between the answered and the plain output, over the largest value of the plain one.
    """

    calls: Mapping[str, int]
    entropy: Mapping[str, float]
    relative_error: float


def audit(
    model: nn.Module, *inputs: Any, attention_classes: Sequence[AttentionClass] = (), tolerance: float | None = None, **kwargs: Any
) -> Audit:
    """Run the model plainly and with every attention answered by its exact rows, and compare the outputs.

    Raises what `stochastic_attention` raises, and UnansweredAttentionError if the two outputs differ by more than `tolerance` of the
    largest output: some softmax of this model is then not the attention that it was taken for.
    """
    sums: dict[str, list[float]] = {}

    def observe(name: str, rows: Tensor) -> None:
        entropy = torch.special.entr(rows.float()).sum(-1) / max(math.log(rows.shape[-1]), 1e-12)
        total = sums.setdefault(name, [0.0, 0.0])
        total[0] += float(entropy.nan_to_num(0.0).sum())
        total[1] += entropy.numel()

    plan = Plan(Draw(math.inf), "*", tuple(attention_classes), observe)

    def answer() -> tuple[Any, Run]:
        sums.clear()
        args, named = changed((inputs, kwargs), Tensor.clone)
        with answering(model, plan) as run:
            return model(*args, **named), run

    plain = plain_output(model, inputs, kwargs)
    with torch.no_grad():
        answered, run = without_own_randomness(model, answer)
    tolerance = TOLERANCE.get(_narrowest(model, plain, answered), 1e-4) if tolerance is None else tolerance
    pairs = list(zip(_float_tensors(plain), _float_tensors(answered), strict=True))
    errors = [float((a - b).abs().nan_to_num(0.0).max() / b.abs().nan_to_num(0.0).max().clamp_min(1e-30)) for b, a in pairs if b.numel()]
    error = max(errors, default=0.0)
    if error > tolerance:
        if any(module.training for module in model.modules()):
            raise ValueError(f"{type(model).__name__} is in training mode and gives another output each time; call .eval() on it first")
        check_repeats(model, lambda: plain_output(model, inputs, kwargs))
        if clearance_of(model).draws_random_numbers:
            raise UnansweredAttentionError(
                f"{type(model).__name__} gives other outputs when its attention is recomputed, and draws random numbers of its own: expected "
                "attention that drops no entries at inference; set the dropout of its attention to 0"
            )
        raise UnansweredAttentionError(
            f"{type(model).__name__} gives other outputs when its attention is recomputed (relative difference {error:.1e}, at most "
            f"{tolerance:.0e} expected): one of its softmax calls is not plain attention; leave its class out of attention_classes"
        )
    return Audit(dict(run.calls), {name: total / count for name, (total, count) in sums.items()}, error)


def _narrowest(model: nn.Module, *outputs: Any) -> torch.dtype:
    """Return the least precise dtype of the pass: of the weights, of the outputs, or of autocast."""
    dtypes = {leaf.dtype for output in outputs for leaf in _float_tensors(output)}
    dtypes |= {x.dtype for x in model.parameters() if x.is_floating_point()}
    devices = {x.device.type for x in model.parameters()} or {"cpu"}
    dtypes |= {torch.get_autocast_dtype(device) for device in devices if torch.is_autocast_enabled(device)}
    return max(dtypes, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float32)


def _float_tensors(output: Any) -> list[Tensor]:
    return [leaf for leaf in leaves_of(output) if leaf.is_floating_point()]
