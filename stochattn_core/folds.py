"""Passes over several members at once, and the check that such a pass gives what one pass for each member gives."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from stochattn_core.arguments import Arguments
from stochattn_core.outputs import Pick, folded_dim, forecast_in, unfolded
from stochattn_core.own_randomness import without_own_randomness
from stochattn_core.patching import answering
from stochattn_core.plan import Plan
from stochattn_core.recognition.clearance import Call, clearance_of

Progress = Callable[[int, int, str], None]  # is called with (done, total, what)

# How far a member of a fold may be from the same member alone, relative to the spread between members (RMS). Matrix products of another size
# round differently, and a rounding error sometimes moves one draw of many to the next key. Narrow dtypes round so coarsely that it often does.
CLOSE = {torch.float64: 0.01, torch.float32: 0.01}
CLOSE_IN_NARROW_DTYPES = 0.5


@dataclass(frozen=True)
class Passes:
    """The stochastic passes of one model with one set of arguments. `plan` is for any member, and `call` holds what is known of its folds."""

    model: nn.Module
    arguments: Arguments
    plan: Plan
    pick: Pick | None
    call: Call

    def of(self, members: range) -> Tensor:
        """Return these members (member, *output): from one pass, or from one pass for each where the first such fold showed that it must be.

        The first pass over n members of a signature is compared with single passes of the first and the last of them, which costs these
        two passes.
        """
        n = len(members)
        if n == 1:
            return self._alone(members[0])[0][None]
        if n in self.call.folds and self.call.folds[n] is None:
            return torch.stack([self._alone(member)[0] for member in members])
        return self._known(members) if n in self.call.folds else self._checked(members)

    def _known(self, members: range) -> Tensor:
        dim = self.call.folds[len(members)]
        assert dim is not None
        try:
            forecast, _ = self._pass(members)
            return unfolded(forecast, len(members), dim)
        except torch.OutOfMemoryError:
            raise
        except (ValueError, RuntimeError, IndexError):  # with another batch size this fold fails after all
            return self._checked(members)

    def _checked(self, members: range) -> Tensor:
        """Return these members, and find out whether they can share a pass."""
        n, ends = len(members), (members[0], members[-1])
        (first, calls), (last, calls_of_last) = (self._alone(member) for member in ends)
        has_cases = first.ndim > 0
        if has_cases:
            try:
                together, calls_together = self._pass(members)
                has_cases = together.shape != first.shape
                dim = folded_dim(together, first, n, self.arguments.batch_dim)
                if dim is not None and calls_together == calls == calls_of_last:
                    by_member = unfolded(together, n, dim)
                    if are_close(by_member[[0, -1]], torch.stack([first, last])):
                        self.call.folds[n] = dim
                        return by_member
            except torch.OutOfMemoryError:
                raise
            except (ValueError, RuntimeError, IndexError):  # each member alone went through, so it is the fold that fails
                pass
        if has_cases and None not in self.call.folds.values():
            draws = clearance_of(self.model).draws_random_numbers
            why = "draws other random numbers for a larger batch" if draws else "mixes the rows of a batch"
            warnings.warn(f"{type(self.model).__name__} {why}: members are run one by one, which is slower", stacklevel=5)
        self.call.folds[n] = None
        return torch.stack([first, *(self._alone(member)[0] for member in members[1:-1]), last])

    def _alone(self, member: int) -> tuple[Tensor, Counter[str]]:
        return self._pass(range(member, member + 1))

    def _pass(self, members: range) -> tuple[Tensor, Counter[str]]:
        """Return the folded output of one pass, and the attention calls that it answered."""
        n_case = self.arguments.n_case * len(members)

        def run() -> tuple[Tensor, Counter[str]]:
            folded = self.arguments.for_members(len(members))
            with answering(self.model, self._plan.for_members(members), self.call.recognition) as run:
                output = self.model(*folded.positional, **folded.named)
            return forecast_in(output, self.pick, n_case, self.arguments.batch_dim), run.calls

        return without_own_randomness(self.model, run)

    @cached_property
    def _plan(self) -> Plan:
        return replace(self.plan, draw=replace(self.plan.draw, n_case=self.arguments.n_case))


def in_folds(members: range, fold: int, run: Callable[[range], None], progress: Progress | None) -> None:
    """Call run for `fold` members after others; the fold is halved when a GPU runs out of memory."""
    start = members.start
    while start < members.stop:
        folded = range(start, min(start + fold, members.stop))
        try:
            run(folded)
        except torch.OutOfMemoryError:
            if len(folded) == 1:
                raise
            fold = len(folded) // 2
            continue
        start = folded.stop
        if progress:
            progress(start - members.start, len(members), "members")


def are_close(together: Tensor, alone: Tensor) -> bool:
    """Are two members from a fold the same as alone, (2, *output), up to rounding and the few draws that rounding moves?"""
    if together.shape != alone.shape or together.dtype != alone.dtype:
        return False
    if not alone.is_floating_point():
        return torch.equal(together, alone)
    close = torch.finfo(alone.dtype).eps ** 0.5
    scale = float(alone.abs().nan_to_num(0.0, 0.0, 0.0).max()) if alone.numel() else 0.0
    if torch.allclose(together, alone, rtol=close, atol=close * scale, equal_nan=True):
        return True
    difference, spread = (together - alone).double(), (alone[1] - alone[0]).double()
    largest = CLOSE.get(alone.dtype, CLOSE_IN_NARROW_DTYPES)
    return bool(torch.equal(together.isfinite(), alone.isfinite()) and _rms(difference) <= largest * _rms(spread))


def _rms(x: Tensor) -> Tensor:
    return x.nan_to_num(0.0, 0.0, 0.0).square().mean().sqrt()


def key_of(signature: Hashable, pick: Pick | None, plan: Plan) -> Hashable:
    """Return the key under which a call is remembered: its signature, which output is picked, and which attention is answered."""
    return signature, pick, plan.ignore
