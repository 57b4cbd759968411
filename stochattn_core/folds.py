"""Passes over several members at once, and the check that such a pass gives what one pass for each member gives."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from stochattn_core.arguments import Arguments
from stochattn_core.clearance import Call
from stochattn_core.outputs import Pick, folded_dim, forecast_in, unfolded
from stochattn_core.own_randomness import without_own_randomness
from stochattn_core.patching import Plan, answering

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
        alone, calls = zip(*(self._alone(member) for member in ends), strict=True)
        if not alone[0].ndim:
            self.call.folds[n] = None
        else:
            try:
                together, calls_together = self._pass(members)
                dim = folded_dim(together, alone[0], n, self.arguments.batch_dim)
                by_member = None if dim is None else unfolded(together, n, dim)
            except torch.OutOfMemoryError:
                raise
            except (ValueError, RuntimeError, IndexError):
                together, calls_together, by_member, dim = alone[0].new_empty(0), Counter(), None, None
            if by_member is not None and calls_together == calls[0] == calls[1] and are_close(by_member[[0, -1]], torch.stack(alone)):
                self.call.folds[n] = dim
                return by_member
            self.call.folds[n] = None
            if together.shape != alone[0].shape:  # it has an axis of cases, or failed
                warnings.warn(
                    f"{type(self.model).__name__} mixes the rows of a batch: members are run one by one, which is slower", stacklevel=5
                )
        between = [self._alone(member)[0] for member in members[1:-1]]
        return torch.stack([alone[0], *between, alone[1]])

    def _alone(self, member: int) -> tuple[Tensor, Counter[str]]:
        return self._pass(range(member, member + 1))

    def _pass(self, members: range) -> tuple[Tensor, Counter[str]]:
        """Return the folded output of one pass, and the attention calls that it answered."""
        n_case = self.arguments.n_case * len(members)

        def run() -> tuple[Tensor, Counter[str]]:
            folded = self.arguments.for_members(len(members))
            with answering(self.model, self._plan.for_members(members)) as run:
                output = self.model(*folded.positional, **folded.named)
            return forecast_in(output, self.pick, n_case, self.arguments.batch_dim), run.calls

        return without_own_randomness(self.model, run)

    @cached_property
    def _plan(self) -> Plan:
        return replace(self.plan, draw=replace(self.plan.draw, n_case=self.arguments.n_case))


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
    return signature, pick, plan.attention_classes
