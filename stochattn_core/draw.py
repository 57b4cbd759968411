"""A draw: how many numbers a row takes, and which of the random stream."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stochattn_core.sampling import stream

LARGEST = 10**9  # concentrations beyond it differ from the plain model by less than rounding does


def check_concentration(concentration: int | float) -> int | float:
    """The concentration as an int, or math.inf for the plain model. ValueError for anything else."""
    if isinstance(concentration, str | bool) or not isinstance(concentration, numbers.Real):
        message = f"concentration must be a positive whole number or inf, got {concentration!r}; try 64"
        raise ValueError(message)
    if concentration == math.inf:
        return math.inf
    if concentration != concentration or concentration < 1 or concentration != int(concentration):
        raise ValueError(f"concentration must be a positive whole number or inf, got {concentration!r}; try 64")
    if concentration > LARGEST:
        raise ValueError(f"concentration must be at most {LARGEST:,}, got {concentration:g}; inf is the plain model")
    return int(concentration)


@dataclass(frozen=True)
class Draw:
    """One attention call's place in the random stream.

    members: the members folded, member-major, into dim 0. call: the index of the attention call in one pass of the model.
    n_case and first_case place the fold's cases among all cases, so that chunking over cases changes no number; n_case None: unknown.
    shared: all rows and heads of one case in one call take the same numbers; each row's own law stays exact. Where n_case is unknown,
    dim 0 of the call is the case.
    is_first: no attention of the pass was sampled before, so the members may still be the same numbers.
    """

    concentration: int | float
    members: Sequence[int] = (0,)
    seed: int = 0
    call: int = 0
    n_case: int | None = None
    first_case: int = 0
    shared: bool = False
    is_first: bool = True

    def row_keys(self, lead: Sequence[int], n_row: int, device: torch.device) -> Tensor:
        """Keys of all rows of a call: (*lead, n_row) flattened, lead[0] holding the folds."""
        n_fold = len(self.members)
        if not n_fold:
            raise ValueError("expected at least one member, got none; pass members=(0,)")
        batch = lead[0] if lead else 1
        if batch % n_fold:
            raise ValueError(
                f"dim 0 of an attention call holds {batch} entries, which {n_fold} members do not divide; "
                f"repeat the inputs {n_fold} times along dim 0 (member-major), or let sample_ensemble do it"
            )
        rows_in_fold = math.prod(lead) // n_fold * n_row
        is_known = bool(self.n_case) and (batch // n_fold) % self.n_case == 0
        n_case, first_case = (self.n_case, self.first_case) if is_known else (batch // n_fold, 0)
        row_per_case = rows_in_fold // max(n_case, 1)
        if self.shared:
            keys = stream.row_keys(self.seed, self.members, self.call, first_case, n_case, device)
            return keys.repeat_interleave(row_per_case, 1).flatten()
        return stream.row_keys(self.seed, self.members, self.call, first_case * row_per_case, rows_in_fold, device).flatten()
