"""The checklist of an audit: a line for each module with attention, and for each softmax that is none, as text and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from stochattn_core.recognition.findings import Finding, State
from stochattn_core.recognition.refusals import sentence_of

SINK = 0.5  # a larger mean weight on the first key, among SINK_KEYS keys or more, is told in words
SINK_KEYS = 8  # of fewer keys, the first has much of the attention under a causal mask alone
HEAD = ("module", "class", "calls", "heads", "rows x keys", "entropy", "first key", "state", "recognised by")
NUMBERS = range(2, 7)  # columns that are flush right
LEGEND = "rows: of all cases, heads and calls; entropy: 0 where one key has all weight, 1 for even weights; first key: mean weight on it"


@dataclass
class Rows:
    """Attention rows of one module, added up over its calls.

    n_row: rows of all cases, heads and calls. n_key: keys of the widest call. n_head: heads of a call, None where the shapes of the calls do not
    show one number. entropy: sum of the rows' entropies over log(keys). first: sum of the weights on the first key.
    """

    n_row: int = 0
    n_key: int = 0
    n_head: int | None = None
    entropy: float = 0.0
    first: float = 0.0

    def add(self, rows: Tensor) -> None:
        """rows: weights, (entry, head, row, key) or, where the number of heads is not known, (row, key)."""
        n_head = rows.shape[-3] if rows.ndim > 3 else None
        self.n_head = n_head if self.n_row == 0 or n_head == self.n_head else None
        rows = rows.flatten(0, -2).float()
        entropy = torch.special.entr(rows).sum(-1) / max(math.log(rows.shape[-1]), 1e-12)
        self.entropy += float(entropy.nan_to_num(0.0).sum())
        self.first += float(rows[:, 0].nan_to_num(0.0).sum())
        self.n_row += len(rows)
        self.n_key = max(self.n_key, rows.shape[-1])


@dataclass(frozen=True)
class Audit:
    """What one pass with sampling off shows. Printing it gives a checklist, a line for each module with attention.

    calls: answered attention calls by module name. entropy: mean entropy of the rows over log(keys), 0 for a single key, 1 for even weights.
    first_key: mean weight on the first key; draws that fall on such a sink move little. rows: rows of all cases, heads and calls, and keys.
    heads: the third axis from the end of the weights, (case, head, row, key); modules whose weights have fewer axes are left out.
    findings: everything that was looked at, in the order of the modules. relative_error: largest difference between the answered and the plain
    output, over the largest value of the plain one; NaN where some attention is refused, so that nothing was answered.
    ignored: calls that `ignore` kept plain, by module name. random: operations that draw random numbers of the model's own.
    """

    model: str
    findings: tuple[Finding, ...]
    calls: Mapping[str, int]
    entropy: Mapping[str, float]
    relative_error: float
    first_key: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    heads: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    random: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state is State.REFUSED and finding.module not in self.ignored)

    @property
    def sinks(self) -> tuple[str, ...]:
        """Modules whose rows have most of their weight on the first of many keys."""
        return tuple(name for name, share in self.first_key.items() if share > SINK and self.rows[name][1] >= SINK_KEYS)

    def document(self) -> dict[str, Any]:
        """Return the audit as a JSON document."""
        return {
            "model": self.model,
            "attention_calls": sum(self.calls.values()),
            "relative_error": self.relative_error if math.isfinite(self.relative_error) else None,
            "random_operations": list(self.random),
            "sinks": list(self.sinks),
            "modules": [self._line(findings) for findings in self._places()],
        }

    def _places(self) -> list[list[Finding]]:
        """The findings of each module, those that are sampled, refused and left alone apart."""
        places: dict[tuple[str, State], list[Finding]] = {}
        for finding in self.findings:
            places.setdefault((finding.module, State.ANSWERED if finding.is_sampled else finding.state), []).append(finding)
        return list(places.values())

    def _line(self, findings: Sequence[Finding]) -> dict[str, Any]:
        first = findings[0]
        name, state = first.module, State.CHANGED if any(finding.state is State.CHANGED for finding in findings) else first.state
        ways = Counter(finding.how for finding in findings)
        line: dict[str, Any] = {
            "module": name,
            "class": first.cls,
            "state": self._state(name, state),
            "recognised_by": "; ".join(f"{how} ({count} times)" if count > 1 and len(ways) > 1 else how for how, count in ways.items()),
            "calls": self.calls.get(name, len(findings)) if first.is_sampled else len(findings),
        }
        if name in self.rows and first.is_sampled:
            n_row, n_key = self.rows[name]
            line |= {"heads": self.heads.get(name), "rows": n_row, "keys": n_key}
            line |= {"entropy": self.entropy[name], "first_key": self.first_key[name]}
        return line

    def _state(self, module: str, state: State) -> str:
        if module in self.ignored and state is not State.LEFT:
            return "plain, ignored"
        if self.refused and state in (State.ANSWERED, State.CHANGED):
            return state.value.replace("answered", "answerable")
        return state.value

    def __str__(self) -> str:
        table = [HEAD, *(_cells(line) for line in self.document()["modules"])]
        widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
        lines = [
            "  ".join(cell.rjust(widths[i]) if i in NUMBERS else cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip()
            for row in table
        ]
        return "\n".join([*lines, "", *self._summary()])

    def _summary(self) -> list[str]:
        """Return sentences on the pass as a whole."""
        n_call, lines = sum(self.calls.values()), []
        if math.isfinite(self.relative_error):
            lines.append(
                f"{_counted(n_call, 'attention call')} in {_counted(len(self.calls), 'module')} answered in one pass of {self.model}; with sampling "
                f"off the output differs from the plain one by {self.relative_error:.1e} of its largest value"
            )
        if self.rows:
            lines.append(LEGEND)
        if self.sinks:
            lines.append(f"more than half of the attention is on the first key, where draws change little, in {_listed(self.sinks)}")
        if self.ignored:
            lines.append(f"kept plain by ignore: {_listed(self.ignored)}")
        n_left = sum(finding.state is State.LEFT for finding in self.findings)
        if n_left:
            lines.append(f"{_counted(n_left, 'place')} left alone, for the reason in the table")
        if self.random:
            lines.append(f"random numbers of the model's own, held fixed: {_listed(self.random)}")
        if self.refused:
            lines.append(f"nothing was answered in this pass of {self.model}, because some attention is refused:")
        return lines + list(dict.fromkeys(sentence_of(finding) for finding in self.refused))


def _cells(line: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = ("", "", "", "")
    if "rows" in line:
        heads = "" if line["heads"] is None else str(line["heads"])
        numbers = (heads, f"{line['rows']:,} x {line['keys']:,}", f"{line['entropy']:.2f}", f"{line['first_key']:.0%}")
    cls = line["class"].rsplit(".", 1)[-1]
    return (line["module"] or "(root)", cls, str(line["calls"]), *numbers, line["state"], line["recognised_by"])


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word if n == 1 else word + 's'}"


def _listed(names: Iterable[str], most: int = 5) -> str:
    names = [name or "(root)" for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
