"""The audit: one pass with sampling off, to see which attention a model has and that it is what we take it for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.attention import Draw
from stochattn_core.by_hand import AttentionClass
from stochattn_core.patching import answering
from stochattn_core.watch import UnansweredAttentionError


@dataclass(frozen=True)
class Audit:
    """One pass with sampling off. calls: attention calls by module name; entropy: mean row entropy over log(keys), 0 one key, 1 even."""

    calls: Mapping[str, int]
    entropy: Mapping[str, float]
    relative_error: float


def audit(
    model: nn.Module, *inputs: Any, attention_classes: Sequence[AttentionClass] = (), tolerance: float = 1e-4, **kwargs: Any
) -> Audit:
    """Run the model plainly and with every attention answered by its exact rows, and compare the outputs.

    Raises what `stochastic_attention` raises, and UnansweredAttentionError when the two outputs differ by more than `tolerance` of the
    largest output: then some attention here means something else than we take it for.
    """
    sums: dict[str, list[float]] = {}

    def observe(name: str, rows: Tensor) -> None:
        entropy = torch.special.entr(rows.double()).sum(-1) / max(math.log(rows.shape[-1]), 1e-12)
        total = sums.setdefault(name, [0.0, 0.0])
        total[0] += float(entropy.nan_to_num(0.0).sum())
        total[1] += entropy.numel()

    with torch.no_grad():
        plain = model(*inputs, **kwargs)
        with answering(model, Draw(math.inf), "*", tuple(attention_classes), observe) as run:
            answered = model(*inputs, **kwargs)
    pairs = list(zip(_tensors(plain), _tensors(answered), strict=True))
    errors = [float((a - b).abs().nan_to_num(0.0).max() / b.abs().nan_to_num(0.0).max().clamp_min(1e-30)) for b, a in pairs if b.numel()]
    error = max(errors, default=0.0)
    if error > tolerance:
        raise UnansweredAttentionError(
            f"{type(model).__name__} gives other outputs when its attention is recomputed (relative difference {error:.1e}, at most "
            f"{tolerance:.0e} expected): one of its softmax calls is not plain attention; drop it from attention_classes or sample fewer layers"
        )
    return Audit(dict(run.calls), {name: total / count for name, (total, count) in sums.items()}, error)


def _tensors(output: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(output) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
