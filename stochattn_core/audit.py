"""The audit: one pass with sampling off, to see which attention a model has and that it is what we take it for."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.draw import Draw
from stochattn_core.guard import UnansweredAttentionError
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.patching import answering

# The largest relative difference of two passes that round differently.
TOLERANCE = {torch.bfloat16: 1e-1, torch.float16: 2e-2}


@dataclass(frozen=True)
class Audit:
    """One pass with sampling off. calls: attention calls by module name; entropy: mean row entropy over log(keys), 0 one key, 1 even."""

    calls: Mapping[str, int]
    entropy: Mapping[str, float]
    relative_error: float


def audit(
    model: nn.Module, *inputs: Any, attention_classes: Sequence[AttentionClass] = (), tolerance: float | None = None, **kwargs: Any
) -> Audit:
    """Run the model plainly and with every attention answered by its exact rows, and compare the outputs.

    Raises what `stochastic_attention` raises, and UnansweredAttentionError when the two outputs differ by more than `tolerance` of the
    largest output: then some attention here means something else than we take it for.
    """
    sums: dict[str, list[float]] = {}

    def observe(name: str, rows: Tensor) -> None:
        entropy = torch.special.entr(rows.float()).sum(-1) / max(math.log(rows.shape[-1]), 1e-12)
        total = sums.setdefault(name, [0.0, 0.0])
        total[0] += float(entropy.nan_to_num(0.0).sum())
        total[1] += entropy.numel()

    with torch.no_grad(), _without_fast_path():
        plain = model(*inputs, **kwargs)
        with answering(model, Draw(math.inf), "*", tuple(attention_classes), observe) as run:
            answered = model(*inputs, **kwargs)
    tolerance = TOLERANCE.get(_narrowest(model, plain, answered), 1e-4) if tolerance is None else tolerance
    pairs = list(zip(_tensors(plain), _tensors(answered), strict=True))
    errors = [float((a - b).abs().nan_to_num(0.0).max() / b.abs().nan_to_num(0.0).max().clamp_min(1e-30)) for b, a in pairs if b.numel()]
    error = max(errors, default=0.0)
    if error > tolerance:
        if any(module.training for module in model.modules()):
            raise ValueError(f"{type(model).__name__} is in training mode and gives another output each time; call .eval() on it first")
        raise UnansweredAttentionError(
            f"{type(model).__name__} gives other outputs when its attention is recomputed (relative difference {error:.1e}, at most "
            f"{tolerance:.0e} expected): one of its softmax calls is not plain attention; leave its class out of attention_classes"
        )
    return Audit(dict(run.calls), {name: total / count for name, (total, count) in sums.items()}, error)


@contextlib.contextmanager
def _without_fast_path() -> Iterator[None]:
    """torch's fused encoder gives zeros at padded positions, where its own slow path, and so any answered pass, gives numbers."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _narrowest(model: nn.Module, *outputs: Any) -> torch.dtype:
    """The least precise type that the pass has used: of the weights, of the outputs, or of autocast."""
    found = {leaf.dtype for output in outputs for leaf in _tensors(output)} | {x.dtype for x in model.parameters() if x.is_floating_point()}
    kinds = {x.device.type for x in model.parameters()} or {"cpu"}
    found |= {torch.get_autocast_dtype(kind) for kind in kinds if torch.is_autocast_enabled(kind)}
    return max(found, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float32)


def _tensors(output: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(output) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
