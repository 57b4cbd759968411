"""The run of a block: the attention calls it answered, and the batch of cases it is at, which decides what numbers they draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from stochattn_core.draw import Draw, check_place
from stochattn_core.recognition.findings import Recognition, State
from stochattn_core.torch_private import tree_leaves


@dataclass
class Batch:
    """The place of the batch at hand.

    first_case, n_case, step: as in Draw.   n_member: members that are folded into it.
    call: attention calls of this batch so far, over all calls of the model.   n_answered: those that were sampled.
    n_entry: entries along dim 0 of the model's first tensor in its latest call; None where there is none.
    is_placed: was it said which cases the batch holds?   rows_in_case: rows of a case by attention call, of the first batch of the block.
    """

    first_case: int = 0
    n_case: int | None = None
    step: int = 0
    n_member: int = 1
    call: int = 0
    n_answered: int = 0
    n_entry: int | None = None
    is_placed: bool = False
    rows_in_case: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, draw: Draw) -> Batch:
        """Return the place at which a block begins."""
        return cls(draw.first_case, draw.n_case, draw.step, len(draw.members), is_placed=draw.first_case > 0)

    def begin(self, first_case: int, *, n_case: int | None = None, step: int = 0) -> None:
        """Go to the first attention call of the batch that begins with this case."""
        check_place("first_case", first_case)
        check_place("step", step)
        if n_case is not None:
            check_place("n_case", n_case)
        self.first_case, self.n_case, self.step = first_case, n_case, step
        self.call, self.n_answered, self.n_entry, self.is_placed = 0, 0, None, True

    def begin_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Set n_entry for a call of the model with these arguments; it is not looked for where no address needs it."""
        if not self.is_placed or self.n_case is not None:
            return
        self.n_entry = next((len(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.ndim), None)

    def next_draw(self, draw: Draw) -> Draw:
        """Return the draw of the next attention call, which is sampled."""
        n_case = self.n_case
        if n_case is None and self.n_entry is not None and self.n_entry % self.n_member == 0:
            n_case = self.n_entry // self.n_member
        place = replace(
            draw,
            call=self.call,
            n_case=n_case,
            first_case=self.first_case,
            step=self.step,
            is_first=self.n_answered == 0,
            rows_in_case=self.rows_in_case,
        )
        self.call += 1
        self.n_answered += 1
        return place


@dataclass
class Run:
    """What happened in a block. calls: answered calls by module name; plain: calls that `layers` left as they were.

    ignored: calls that `ignore` kept plain, and attention there that could not have been sampled. changed: modules whose weights are scaled or
    mixed before they meet values, and how; they are sampled, which keeps the mean. left: weights that are no attention, by module, and why.
    batch: where the batch at hand lies in the random stream, see `begin_batch`.
    """

    calls: Counter[str] = field(default_factory=Counter)
    plain: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    changed: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    batch: Batch = field(default_factory=Batch)

    @property
    def n_call(self) -> int:
        return self.calls.total() + self.plain.total() + self.ignored.total()

    def note(self, recognition: Recognition, is_ignored: Callable[[str], bool]) -> None:
        """Record what a look has found besides plain attention."""
        for finding in recognition.findings:
            if finding.state is State.CHANGED:
                self.changed[finding.module] = finding.how
            elif finding.state is State.LEFT:
                self.left[finding.module] = finding.how
            elif finding.state is State.REFUSED and is_ignored(finding.module):
                self.ignored[finding.module] += 1

    def state(self) -> tuple[dict[str, Any], ...]:
        """Return what `restore` needs to forget what happens from here on."""
        batch = {**vars(self.batch), "rows_in_case": dict(self.batch.rows_in_case)}
        return dict(self.calls), dict(self.plain), dict(self.ignored), batch

    def restore(self, state: tuple[dict[str, Any], ...]) -> None:
        """Forget what happened since the state was asked for."""
        for counter, before in zip((self.calls, self.plain, self.ignored), state, strict=False):
            counter.clear()
            counter.update(before)
        vars(self.batch).update(state[-1])

    def begin_batch(self, first_case: int, *, n_case: int | None = None, step: int = 0) -> None:
        """Say that the calls of the model from here on are about the cases from first_case on.

        A loop over batches that says so gives the members that one call with all cases gives. Without it, each call of the model in a
        block draws fresh numbers: it may be about the same cases again, as each token of `generate` is.
        n_case: cases of the batch; without it, the entries along dim 0 of the model's first tensor over the number of members.
        step: of a rollout; the same cases at another step draw fresh numbers.
        """
        self.batch.begin(first_case, n_case=n_case, step=step)
