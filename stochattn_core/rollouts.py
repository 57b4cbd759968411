"""Rollouts: a model is called again and again on what it made before, and each member of the ensemble goes its own way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.draw import check_place, checked_draw
from stochattn_core.ensemble import rows_per_pass
from stochattn_core.folds import Progress, in_folds
from stochattn_core.patching import answering
from stochattn_core.plan import Layers, Plan
from stochattn_core.torch_private import tree_leaves, tree_map

State = Any  # a tensor, or containers of tensors, with cases along dim 0
Step = Callable[[nn.Module, State], State]


def sample_rollout(
    model: nn.Module,
    state: State,
    step: Step,
    n_step: int,
    *,
    concentration: int | float,
    n_member: int,
    keep: Callable[[State], Any] | None = None,
    steps: slice = slice(None),
    first_step: int = 0,
    by_member: bool = False,
    seed: int = 0,
    fold: int | None = None,
    layers: Layers = "*",
    ignore: Layers = "",
    first_case: int = 0,
    first_member: int = 0,
    shared: bool = False,
    progress: Progress | None = None,
) -> Any:
    """Return n_member rollouts of n_step steps, (member, step, *output): state, step(model, state), step(model, step(model, state)), ...

    state: a tensor, or a tuple, list or dict of them. Tensors with as many entries along dim 0 as the first are cases, and are repeated for
    each member; everything else is passed on as it is. step returns a new state of the same structure; its tensors may grow in other dims.
    step runs once for each fold and step, and more often where folds are checked, so what changes with time belongs into the state.
    keep(state) is what is returned of the state after a step, with cases along dim 0: a tensor, or containers of them, each of which
    becomes (member, step, *output). Without it this is the whole state.   steps: of which steps; slice(-1, None) is the last alone.
    Memory holds one state of as many members as share a pass, and what is kept.

    The draws are fresh at each step. Member i is the same for every n_member and fold, up to rounding, which chaotic models amplify.
    To go on later, pass the last states as `state` with by_member=True, (member, case, ...), and the steps done as first_step.
    fold: members that share a pass; None lets the function choose. The first and the last member of the first fold are computed alone as
    well, for one step; where they differ, members are computed one by one, with a warning.
    seed, layers, ignore, first_case, first_member, shared: as in sample_ensemble. A concentration of math.inf gives
    n_member copies of the plain rollout.

    Warns where a member has values that are not finite, with the first such step. Raises ValueError for a bad argument and for a
    step that returns another structure, NoAttentionError or UnansweredAttentionError where a step cannot be sampled.

    >>> model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    >>> windows = torch.zeros(3, 5, 8)  # (case, token, feature)
    >>> sample_rollout(model, windows, lambda model, x: model(x), 4, concentration=16, n_member=2, keep=lambda x: x[:, -1]).shape
    torch.Size([2, 4, 3, 8])
    """
    draw = checked_draw(concentration, (0,), seed, first_case=first_case, shared=shared)
    for name, value, least in (("n_step", n_step, 1), ("n_member", n_member, 1), ("fold", 1 if fold is None else fold, 1)):
        check_place(name, value)
        if value < least:
            raise ValueError(f"{name} must be a positive whole number, got {value!r}")
    for name, value in (("first_step", first_step), ("first_member", first_member)):
        check_place(name, value)
    kept_steps = range(n_step)[steps]
    if not len(kept_steps):
        raise ValueError(f"expected steps that hold at least one of {n_step} steps, got {steps}; slice(None) is all of them")
    states = _States.of(state, n_member if by_member else None)
    plan = Plan(replace(draw, n_case=states.n_case, step=first_step), layers, ignore)
    rollout = _Rollout(model, step, n_step, plan, states, keep or _cases_of(states), kept_steps)
    with torch.no_grad():
        if draw.is_exact and not by_member:
            rollout.run(range(1), range(1))
            outputs = tree_map(lambda x: x.expand(n_member, *x.shape[1:]).clone(), rollout.outputs)
        else:
            _run_in_folds(rollout, range(first_member, first_member + n_member), 1 if draw.is_exact else fold, progress)
            outputs = rollout.outputs
    rollout.warn_of_non_finite(first_step)
    return outputs


@dataclass(frozen=True)
class _States:
    """The states that members start from. is_case: of each leaf of the state, is it a tensor of cases?   n_member: None where all start alike."""

    state: State
    n_case: int
    is_case: tuple[bool, ...]
    n_member: int | None

    @classmethod
    def of(cls, state: State, n_member: int | None) -> _States:
        leaves = tree_leaves(state)
        n_lead = 1 if n_member is None else 2
        first = next((x for x in leaves if isinstance(x, Tensor) and x.ndim >= n_lead), None)
        if first is None or not first.shape[n_lead - 1]:
            cases = "members along dim 0 and cases along dim 1" if n_member is not None else "cases along dim 0"
            raise ValueError(f"expected a state with at least one tensor with {cases}, got none; give each case one entry")
        if n_member is not None and len(first) != n_member:
            raise ValueError(f"expected the states of {n_member} members along dim 0, got {len(first)}; pass by_member=False for one state")
        lead = first.shape[:n_lead]
        return cls(state, lead[-1], tuple(isinstance(x, Tensor) and x.shape[:n_lead] == lead for x in leaves), n_member)

    def of_members(self, places: range) -> State:
        """Return the state of the members at these places, folded into dim 0, member-major."""
        n_fold = len(places)
        if self.n_member is None:
            return self.map(lambda x: torch.cat([x] * n_fold), self.state)
        return self.map(lambda x: x[places.start : places.stop].flatten(0, 1).clone(), self.state)

    def map(self, change: Callable[[Tensor], Any], state: State) -> State:
        """Return a state of this structure with its tensors of cases changed."""
        is_case = iter(self.is_case)
        return tree_map(lambda x: change(x) if next(is_case) else x, state)

    def check(self, state: State, n_fold: int) -> None:
        """Raise ValueError where a state is not of the structure that it began with."""
        wanted = "expected step to return a state of the structure that it was given"
        try:
            for pair in ((state, self.state), (self.state, state)):  # a tensor in place of a container shows in one order only
                tree_map(lambda a, b: None, *pair)
        except (ValueError, TypeError):
            raise ValueError(
                f"{wanted}, {type(self.state).__name__} of {len(self.is_case)}, got {type(state).__name__} of {len(tree_leaves(state))}; "
                "return every part of the state"
            ) from None
        n_entry = n_fold * self.n_case
        for x, is_case in zip(tree_leaves(state), self.is_case, strict=True):
            if is_case and (not isinstance(x, Tensor) or not x.ndim or len(x) != n_entry):
                came = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
                raise ValueError(f"{wanted}, with {n_entry} entries along dim 0 ({n_fold} members of {self.n_case} cases), got {came}")


def _cases_of(states: _States) -> Callable[[State], Any]:
    """Return what is kept of a state without `keep`: the state itself, which must hold nothing but tensors of cases."""
    if not all(states.is_case):
        raise ValueError(
            "expected keep for a state with parts that are not tensors of cases; pass keep=lambda state: ... with what to return"
        )
    return lambda state: state


class _Rollout:
    """The rollout of some members after others, with what is kept of all of them."""

    def __init__(
        self, model: nn.Module, step: Step, n_step: int, plan: Plan, states: _States, keep: Callable[[State], Any], kept_steps: range
    ) -> None:
        self.model, self.step, self.n_step, self.plan, self.states, self.keep = model, step, n_step, plan, states, keep
        self.place = {k: place for place, k in enumerate(kept_steps)}  # of a step among those that are kept
        self.outputs: Any = None  # as keep returns it, each tensor (member, step, *output)
        self.n_member = 0
        self.non_finite: dict[int, int] = {}  # the first step with a new value that is not finite, by member

    def advance(self, state: State, members: range, k: int) -> State:
        """Return the state of these members, folded, after step k."""
        if self.plan.draw.is_exact:
            state = self.step(self.model, state)
        else:
            draw = replace(self.plan.draw, members=tuple(members), step=self.plan.draw.step + k)
            with answering(self.model, replace(self.plan, draw=draw)):
                state = self.step(self.model, state)
        self.states.check(state, len(members))
        return state

    def run(self, members: range, places: range) -> None:
        """Compute these members, which are at these places among all of them, and keep what is wanted of them."""
        state = self.states.of_members(places)
        at_first = self._n_non_finite(state, len(members))
        for k in range(self.n_step):
            state = self.advance(state, members, k)
            for member in (self._n_non_finite(state, len(members)) > at_first).nonzero().flatten().tolist():
                self.non_finite.setdefault(members[member], k)
            if k in self.place:
                self._keep(self.keep(state), places, k)

    def _keep(self, output: Any, places: range, k: int) -> None:
        n_fold = len(places)
        for x in tree_leaves(output):
            if not isinstance(x, Tensor) or not x.ndim or len(x) % n_fold:
                came = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
                raise ValueError(f"expected keep to return tensors with {n_fold} members along dim 0, got {came}; keep the axis of cases")
        if self.outputs is None:
            n_output = len(self.place)
            self.outputs = tree_map(lambda x: x.new_empty(self.n_member or n_fold, n_output, len(x) // n_fold, *x.shape[1:]), output)
        for x, rows in zip(tree_leaves(output), tree_leaves(self.outputs), strict=True):
            x = x.unflatten(0, (n_fold, -1))
            if x.shape[1:] != rows.shape[2:]:
                raise ValueError(
                    f"expected keep to return the same shape at each step, got {tuple(rows.shape[2:])} and at step {k} {tuple(x.shape[1:])}; "
                    "keep what is new, or one step"
                )
            rows[places.start : places.stop, self.place[k]] = x

    def _n_non_finite(self, state: State, n_fold: int) -> Tensor:
        """Count the values that are not finite, (member,)."""
        total = torch.zeros(n_fold, dtype=torch.int64)
        for x, is_case in zip(tree_leaves(state), self.states.is_case, strict=True):
            # A finite sum proves that every value is finite, and costs far less than testing each.
            if is_case and x.is_floating_point() and not bool(x.sum().isfinite()):
                total += (~x.isfinite()).unflatten(0, (n_fold, -1)).flatten(1).sum(1).cpu()
        return total

    def warn_of_non_finite(self, first_step: int) -> None:
        if not self.non_finite:
            return
        member, k = min(self.non_finite.items(), key=lambda item: (item[1], item[0]))
        others = len(self.non_finite) - 1
        who = "the plain rollout" if self.plan.draw.is_exact else f"member {member}"
        more = f", and {others} further member{'s' * (others > 1)} later or at once" if others else ""
        warnings.warn(
            f"the rollout of {type(self.model).__name__} diverges: {who} has values that are not finite from step {first_step + k} on{more}",
            stacklevel=3,
        )


def _run_in_folds(rollout: _Rollout, members: range, fold: int | None, progress: Progress | None) -> None:
    """Compute all members, as many at once as share a pass; the fold is halved when a GPU runs out of memory."""
    rollout.n_member = len(members)
    leaves = tree_leaves(rollout.states.of_members(range(1)))
    first = next(x for x, is_case in zip(leaves, rollout.states.is_case, strict=True) if is_case)
    fold = min(len(members), fold or max(1, rows_per_pass(first, first.device) // len(first)))
    if fold > 1 and not _folds_cleanly(rollout, members[:fold]):
        fold = 1
    in_folds(range(len(members)), fold, lambda places: rollout.run(members[places.start : places.stop], places), progress)


def _folds_cleanly(rollout: _Rollout, members: range) -> bool:
    """Are the first and the last of these members the same alone as together, after one step?"""
    n_fold, states = len(members), rollout.states

    def alone(place: int) -> list[Tensor]:
        state = rollout.advance(states.of_members(range(place, place + 1)), members[place : place + 1], 0)
        return [x for x, is_case in zip(tree_leaves(state), states.is_case, strict=True) if is_case]

    singles = {place: alone(place) for place in (0, n_fold - 1)}  # outside the `try`: what fails for one member is an error
    try:
        together = rollout.advance(states.of_members(range(n_fold)), members, 0)
    except torch.OutOfMemoryError:
        return False
    except (RuntimeError, ValueError, IndexError):
        is_same = False
    else:
        folded = [x.unflatten(0, (n_fold, -1)) for x, is_case in zip(tree_leaves(together), states.is_case, strict=True) if is_case]
        pairs = [(x[place], single) for place, of_place in singles.items() for x, single in zip(folded, of_place, strict=True)]
        is_same = all(x.shape == single.shape and _close(x, single) for x, single in pairs)
    if not is_same:
        warnings.warn(
            f"{type(rollout.model).__name__} mixes the rows of a batch: members are run one by one, which is slower", stacklevel=4
        )
    return is_same


def _close(x: Tensor, single: Tensor) -> bool:
    if not x.is_floating_point():
        return torch.equal(x, single)
    tolerance = torch.finfo(x.dtype).eps ** 0.5
    largest = float(single.abs().nan_to_num(0.0, 0.0, 0.0).max()) if single.numel() else 0.0
    return torch.allclose(x, single, rtol=tolerance, atol=tolerance * largest, equal_nan=True)
