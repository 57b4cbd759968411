"""What has been established about a model: which of its passes the guard has watched, and whether members can share a pass."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

from torch import nn

from stochattn_core.manual_attention import AttentionClass

# The conditions of a watched pass: the attention classes that were registered, and whether gradients were recorded.
Conditions = tuple[tuple[AttentionClass, ...], bool]


@dataclass
class Clearance:
    """The results of the checks of one model, which are made once because they cost a pass or slow one down.

    watched: conditions under which a whole pass ran under the guard without unanswered attention.
    folds_cleanly: does a pass over several members equal one pass for each? None until it was tried.
    """

    watched: set[Conditions] = field(default_factory=set)
    folds_cleanly: bool | None = None


_clearances: weakref.WeakKeyDictionary[nn.Module, Clearance] = weakref.WeakKeyDictionary()


def clearance_of(model: nn.Module) -> Clearance:
    """Return the clearance of this model object, empty at first; it is forgotten together with the model."""
    return _clearances.setdefault(model, Clearance())
