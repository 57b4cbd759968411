"""What has been established about a model: which of its passes the guard has watched, and which folds of members can share a pass."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field

from torch import nn

from stochattn_core.manual_attention import AttentionClass

# The conditions of a watched pass: the attention classes that were registered, and whether gradients were recorded.
Conditions = tuple[tuple[AttentionClass, ...], bool]


MAX_CALLS = 256  # signatures that are remembered for one model; a loop over growing inputs makes a new one in each step


@dataclass
class Call:
    """What is known of the calls of one signature.

    folds: for each number of members that was tried, the dim of the output that holds them, or None where a pass over that many members
    does not equal one pass for each.
    """

    folds: dict[int, int | None] = field(default_factory=dict)


@dataclass
class Clearance:
    """The results of the checks of one model, which are made once because they cost a pass or slow one down.

    watched: conditions under which a whole pass ran under the guard without unanswered attention.
    calls: what is known of calls, by a key that holds their signature.
    draws_random_numbers: does the model draw from torch's global generators? False until a pass did.
    """

    watched: set[Conditions] = field(default_factory=set)
    calls: dict[Hashable, Call] = field(default_factory=dict)
    draws_random_numbers: bool = False

    def remember(self, key: Hashable) -> Call:
        """Return a new record for calls with this key; the oldest one is forgotten where there are too many."""
        if len(self.calls) >= MAX_CALLS:
            self.calls.pop(next(iter(self.calls)), None)
        return self.calls.setdefault(key, Call())


_clearances: weakref.WeakKeyDictionary[nn.Module, Clearance] = weakref.WeakKeyDictionary()


def clearance_of(model: nn.Module) -> Clearance:
    """Return the clearance of this model object, empty at first; it is forgotten together with the model."""
    clearance = _clearances.get(model)
    return _clearances.setdefault(model, Clearance()) if clearance is None else clearance
