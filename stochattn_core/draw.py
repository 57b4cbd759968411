"""A draw: how many numbers are drawn for an attention row, and which numbers of the random stream they are."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stochattn_core.sampling import stream

OTHER_ROWS = 1 << 31  # marks a part of the random stream that is named after the rows of a case, and not after a first case
LARGEST = 10**9  # above this concentration, sampling changes the plain model by less than rounding does


def check_concentration(concentration: int | float) -> int | float:
    """Return the concentration as an int, or math.inf for the plain model. Raises ValueError for anything else."""
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


def check_place(name: str, value: int) -> None:
    """Raise ValueError for the number of a case or a step that is not a whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 <= value < OTHER_ROWS:
        raise ValueError(f"{name} must be a whole number, 0 or more, got {value!r}")


@dataclass(frozen=True)
class Draw:
    """What the attention calls of one pass draw, and the place of one call in the random stream.

    The public functions check their arguments and then pass this on; nothing below them checks it again. See `checked_draw`.

    concentration: draws per attention row; math.inf gives the exact row.
    members: the members that are folded, member-major, into dim 0.
    call: the index of the attention call in one pass of the model.   step: of a rollout; different steps share no numbers.
    n_case, first_case: how many cases a fold holds, and the number of its first case among all cases, so that splitting the cases into
    chunks changes no number. n_case None: not known.
    rows_in_case: rows of a case by call, as the first batch had them, which row_keys writes and reads; None outside a block of batches.
    shared: all rows and heads of one case use the same numbers in one call; each row keeps its exact law. Where n_case is not known,
    each entry of dim 0 counts as a case.
    is_first: no attention of this pass was sampled before, so the members' tensors may still be equal.
    """

    concentration: int | float
    members: Sequence[int] = (0,)
    seed: int = 0
    call: int = 0
    n_case: int | None = None
    first_case: int = 0
    shared: bool = False
    is_first: bool = True
    step: int = 0
    rows_in_case: dict[int, int] | None = field(default=None, compare=False)

    @property
    def is_exact(self) -> bool:
        """Are rows left as they are, without sampling?"""
        return self.concentration == math.inf

    @property
    def n_draw(self) -> int:
        """Draws per row of a finite concentration."""
        return int(self.concentration)

    def row_keys(self, lead: Sequence[int], n_row: int, device: torch.device) -> Tensor:
        """Return the keys of all rows of a call, (*lead, n_row) flattened; lead[0] holds the folds.

        The rows of a case are numbered from (number of the case) * (rows in a case) on, so chunks of cases that are alike have the rows of
        all cases at once, and share none. Where that does not hold, the chunk draws from a part of the stream that no other chunk has:
        where dim 0 is not made of the cases, and where a batch of the same block had another number of rows in a case.
        """
        n_fold = len(self.members)
        batch = lead[0] if lead else 1
        if batch % n_fold:
            raise ValueError(
                f"dim 0 of an attention call holds {batch} entries, which {n_fold} members do not divide; "
                f"repeat the inputs {n_fold} times along dim 0 (member-major), or let sample_ensemble do it"
            )
        rows_in_fold = math.prod(lead) // n_fold * n_row
        entries_in_fold = batch // n_fold
        n_case, first_case, part = entries_in_fold, 0, self.first_case
        if self.n_case and entries_in_fold % self.n_case == 0:
            n_case, first_case, part = self.n_case, self.first_case, 0
        rows_in_case = rows_in_fold // max(n_case, 1)
        if self.n_case and self.rows_in_case is not None and self.rows_in_case.setdefault(self.call, rows_in_case) != rows_in_case:
            part = part or OTHER_ROWS | rows_in_case
        first, n_number = (first_case, n_case) if self.shared else (first_case * rows_in_case, rows_in_fold)
        keys = stream.row_keys(self.seed, self.members, self.call, first, n_number, device, part=part, step=self.step)
        return (keys.repeat_interleave(rows_in_case, 1) if self.shared else keys).flatten()


def checked_draw(
    concentration: int | float,
    members: Sequence[int],
    seed: int,
    *,
    call: int = 0,
    n_case: int | None = None,
    first_case: int = 0,
    shared: bool = False,
) -> Draw:
    """Return the Draw for arguments that come from outside. Raises ValueError for a bad concentration or for no member."""
    concentration = check_concentration(concentration)
    if not len(members):
        raise ValueError("expected at least one member, got none; pass members=(0,)")
    check_place("first_case", first_case)
    return Draw(concentration, tuple(members), seed, call, n_case, first_case, shared)
