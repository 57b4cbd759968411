"""The energy score, which treats the event as one vector, and counts."""

from __future__ import annotations

import torch

from stochattn_core.metrics.scores.score import Score

energy_score = Score(
    "energy_score",
    "Energy score",
    "energy score",
    "The fair CRPS of the event as one vector (all lead times, all cells): it depends on the joint structure.",
    "target",
    "smaller",
    lambda sums: sums.energy / sums.n_case,
    scale="log",
    of_event=False,
)
n_member = Score(
    "n_member",
    "Members",
    "members",
    "The number of members of the ensemble.",
    "count",
    "neither",
    lambda sums: torch.full_like(sums.n_case, sums.n_member),
    of_event=False,
)
n_case = Score(
    "n_case", "Cases", "cases", "The number of cases with a target.", "count", "neither", lambda sums: sums.n_case, of_event=False
)
n = Score("n", "Values", "values", "The number of single values with a target.", "count", "neither", lambda sums: sums.n)
