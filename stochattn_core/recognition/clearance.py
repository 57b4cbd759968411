"""What has been established about a model: where its attention is, and which folds of members can share a pass, for each kind of call."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from stochattn_core.recognition.findings import Recognition
from stochattn_core.recognition.running_module import RunningModule

MAX_CALLS = 256  # signatures that are remembered for one model; a loop over growing inputs makes a new one in each step


@dataclass
class Call:
    """What is known of the calls of one signature.

    recognition: where its attention is. folds: for each number of members that was tried, the dim of the output that holds them, or None
    where a pass over that many members does not equal one pass for each.
    """

    folds: dict[int, int | None] = field(default_factory=dict)
    recognition: Recognition | None = None


@dataclass
class Clearance:
    """The results of the checks of one model, which are made once because they cost a pass or slow one down.

    recognitions: what a look has found, by the signature of the call. by_size: signatures whose attention depends on the number of cases; their
    looks are kept by (signature, entries along dim 0).
    calls: what is known of folds, by a key that holds the signature of the call.
    draws_random_numbers: does the model draw from torch's global generators? False until a pass did.
    """

    recognitions: dict[Hashable, Recognition] = field(default_factory=dict)
    by_size: set[Hashable] = field(default_factory=set)
    runnings: dict[Hashable, RunningModule] = field(default_factory=dict)
    calls: dict[Hashable, Call] = field(default_factory=dict)
    draws_random_numbers: bool = False

    def recognise(self, signature: Hashable, recognition: Recognition) -> None:
        """Keep what a look has found; the oldest is forgotten where there are too many."""
        _make_room(self.recognitions)
        self.recognitions[signature] = recognition

    def running(self, signature: Hashable, model: nn.Module) -> RunningModule:
        """Return the names of the running modules; a signature holds which modules there are."""
        if signature not in self.runnings:
            _make_room(self.runnings)
            self.runnings[signature] = RunningModule(model)
        return self.runnings[signature]

    def remember(self, key: Hashable) -> Call:
        """Return a new record for calls with this key; the oldest one is forgotten where there are too many."""
        _make_room(self.calls)
        return self.calls.setdefault(key, Call())


def _make_room(records: dict[Hashable, Any]) -> None:
    if len(records) >= MAX_CALLS:
        records.pop(next(iter(records)), None)


_clearances: weakref.WeakKeyDictionary[nn.Module, Clearance] = weakref.WeakKeyDictionary()


def clearance_of(model: nn.Module) -> Clearance:
    """Return the clearance of this model object, empty at first; it is forgotten together with the model."""
    clearance = _clearances.get(model)
    return _clearances.setdefault(model, Clearance()) if clearance is None else clearance
