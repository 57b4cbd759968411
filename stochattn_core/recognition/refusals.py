"""Refusals: attention that the patch cannot sample is an error that names it, never a silent plain layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from stochattn_core.recognition.findings import Finding, Recognition
from stochattn_core.torch_private import modules_of


class NoAttentionError(ValueError):
    """The block ended without one attention call that could be answered."""


class UnansweredAttentionError(ValueError):
    """Attention was computed in a way that the patch cannot sample."""


class OtherPathError(UnansweredAttentionError):
    """A call of a model took another path than the call of the same signature that was looked at."""


def refuse_what_cannot_be_answered(model: nn.Module) -> None:
    """Raise UnansweredAttentionError for modules whose code runs where no Python mode sees it."""
    if not any(isinstance(module, (torch.jit.ScriptModule, nn.DataParallel)) for module in modules_of(model)):
        return
    for name, module in model.named_modules():
        what = "a TorchScript module" if isinstance(module, torch.jit.ScriptModule) else None
        what = "DataParallel, which runs its copies in other threads" if isinstance(module, nn.DataParallel) else what
        if what:
            raise UnansweredAttentionError(
                f"{type(model).__name__} holds {what} at {name or 'its root'}, whose attention cannot be sampled; give the plain Python module instead"
            )


def refuse_unanswered(recognition: Recognition, is_ignored: Callable[[str], bool]) -> None:
    """Raise UnansweredAttentionError for the first attention that cannot be sampled, outside of the modules that are to stay plain."""
    for finding in recognition.refused:
        if not is_ignored(finding.module):
            raise UnansweredAttentionError(sentence_of(finding))


def sentence_of(finding: Finding) -> str:
    """Return the refusal of a finding: what, where, and what to do."""
    keep = f"keep it plain with ignore={finding.module!r}" if finding.module else "keep it plain with ignore=lambda name: name == ''"
    return (
        f"attention in module {finding.module or '(root)'} of class {finding.cls} cannot be sampled: {finding.how}; let the model compute it as "
        f"softmax(scores) @ values or with torch.nn.functional.scaled_dot_product_attention, or {keep}"
    )
