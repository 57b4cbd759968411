"""Findings: what a look says of every place where a model makes weights that sum to one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from stochattn_core.recognition.sources import Meeting, Place, Source


class State(Enum):
    """What is done at a place.

    ANSWERED: attention, sampled. CHANGED: sampled too, although its weights are scaled or mixed before they meet values, which keeps the mean.
    LEFT: not attention, left alone. REFUSED: attention that counts cannot stand in for.
    """

    ANSWERED = "answered"
    CHANGED = "answered, changed on the way"
    LEFT = "left alone"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """One place: the module and its class, what was found there (how, in words), the call that made it (None: no torch function), its axis."""

    module: str
    cls: str
    state: State
    how: str
    place: Place | None = None
    dim: int = -1

    @property
    def is_sampled(self) -> bool:
        return self.state in (State.ANSWERED, State.CHANGED)


@dataclass(frozen=True)
class Recognition:
    """What one look at a call of a model has found.

    findings: in the order of the pass. softmax: all calls of a softmax, also those of constants. attention: calls of torch's own attention, by
    module. random: operations that drew from torch's global generators, and their modules. signature: of the call.
    is_fused: is the model set to flex or flash attention? is_checkpointed: does attention run under torch.utils.checkpoint?
    """

    findings: tuple[Finding, ...]
    softmax: frozenset[Place] = frozenset()
    attention: Mapping[str, int] = field(default_factory=dict)
    random: tuple[tuple[str, str], ...] = ()
    signature: Hashable = None
    is_fused: bool = True
    is_checkpointed: bool = False

    @cached_property
    def sampled(self) -> Mapping[Place, Finding]:
        """The places where weights are sampled."""
        return {finding.place: finding for finding in self.findings if finding.is_sampled and finding.place is not None}

    @cached_property
    def functions(self) -> frozenset[Callable[..., Any]]:
        """The torch functions whose calls have to be counted to find these places again."""
        return frozenset(place.function for place in self.sampled)

    @property
    def refused(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state is State.REFUSED)


def finding_of(source: Source, *, comes_back: bool) -> Finding:
    """Return what a source is, from what happened to its weights in a whole pass. comes_back: did numbers come back from outside of torch?"""
    meetings = _meetings_as_attention(source)
    if source.next_source is not None and _is_attention(source.next_source):
        meetings = [meeting for meeting in meetings if not meeting.is_sum]  # a sum over keys may have been their normaliser
    kind = "softmax" if source.is_softmax else "weights that sum to one"

    def finding(state: State, how: str) -> Finding:
        return Finding(source.module, source.cls, state, how, source.place, source.dim)

    nonlinear = [meeting for meeting in meetings if not meeting.is_linear]
    if nonlinear:
        return finding(State.REFUSED, f"{kind} whose weights pass {nonlinear[0].how} before they meet values")
    if source.lost and source.is_keyed is not False:
        return finding(State.REFUSED, f"{kind} whose weights pass {source.lost}, through which they cannot be followed")
    if source.has_left_torch and source.is_keyed is not False and comes_back:
        return finding(State.REFUSED, f"{kind} whose weights leave torch for NumPy or Python, where they meet values")
    if meetings and source.place is None:
        return finding(State.REFUSED, f"{kind} and values by hand, past torch's Python functions")
    if meetings:
        changed = [meeting for meeting in meetings if not meeting.is_unchanged]
        how = f"{kind}, {changed[0].how}" if changed else f"{kind} and values"
        return finding(State.CHANGED if changed else State.ANSWERED, how)
    return finding(State.LEFT, f"{kind}: {_reason(source)}")


def _meetings_as_attention(source: Source) -> list[Meeting]:
    """Return the meetings in which scores of an activation, or else scores predicted from features, weigh entries of one activation."""
    if source.is_keyed:
        return source.meetings
    is_entries = (True,) if source.is_keyed is False else (True, None)
    return [meeting for meeting in source.meetings if meeting.has_entries in is_entries and not meeting.is_window]


def _is_attention(source: Source) -> bool:
    return bool(_meetings_as_attention(source)) or (source.next_source is not None and _is_attention(source.next_source))


def _reason(source: Source) -> str:
    """Why are these weights no attention?"""
    if any(meeting.is_window for meeting in source.meetings):
        return "weights predicted from features, over windows: a dynamic convolution"
    if source.meetings:
        return "a gate, each of whose weights comes from parameters of its own"
    if source.next_source is not None:
        return "made into other weights, which are looked at instead"
    if source.is_squared:
        return "enters a product with itself"
    if source.is_fixed:
        return "the same weights for all inputs"
    if source.is_met_by_fixed:
        return "weighs fixed values"
    if source.is_across:
        return "weighs along another axis than its own"
    return "meets no values"
