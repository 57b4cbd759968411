"""The energy score, which treats the event as one vector, and counts."""

from __future__ import annotations

import torch

from stochattn_core.metrics.scores.score import Score

energy_score = Score(
    "energy_score",
    "Energy score",
    "energy score",
    "The fair CRPS of the whole event as one vector (all lead times, all cells): it sees the joint structure.",
    "target",
    "smaller",
    lambda sums: sums.energy / sums.n_case,
    of_event=False,
)
n_member = Score(
    "n_member",
    "Members",
    "members",
    "How many members the ensemble has.",
    "count",
    "neither",
    lambda sums: torch.full_like(sums.n_case, sums.n_member),
    of_event=False,
)
n_case = Score("n_case", "Cases", "cases", "How many cases have a target.", "count", "neither", lambda sums: sums.n_case, of_event=False)
n = Score("n", "Values", "values", "How many single values have a target.", "count", "neither", lambda sums: sums.n)
