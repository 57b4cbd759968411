"""Estimates that rest on sums over the cases of one method, or of two methods on the same cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.compare.gain import ScoredPart
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.scores import Scale
from stochattn_core.metrics.significance import Estimate, infer

UNKNOWN = Estimate(math.nan, math.nan, math.nan)


class Sums(NamedTuple):
    """The sums of one method, for each entry of the leading axis.   crps: (entry,), fair where there are members."""

    statistics: Statistics
    crps: Tensor


class Jackknife(NamedTuple):
    """The sums of one method over all cases, and over all but those of each block that has a case."""

    whole: Sums
    rest: Sums

    @classmethod
    def of(cls, part: ScoredPart) -> Jackknife:
        used = part.statistics.n_case > 0
        whole = Sums(part.statistics.total(), part.crps.sum(0, keepdim=True))
        return cls(whole, Sums(part.statistics.without_each(), part.crps.sum() - part.crps[used]))


Value = Callable[..., Tensor]  # (Sums of each method, ...) -> (entry,)


def estimated(value: Value, *methods: Jackknife, level: float, scale: Scale = "linear") -> Estimate:
    """Return a smooth function of the sums of methods with its interval, which counts the dependence of neighbouring cases.

    methods: scored on the same cases.   level: of the interval; its ends are NaN where fewer than 2 blocks have a case.
    """
    whole, rest = (value(*sums).numpy() for sums in ([each.whole for each in methods], [each.rest for each in methods]))
    return infer(whole, rest[:, None], level=level, scale=scale).at(0)


def correlation(within: tuple[Tensor, Tensor, Tensor], level: float) -> Estimate:
    """Return the correlation that sums of products and of both squares give, with its interval.   within: (block,) each, as `within_by_block`."""
    used = (within[1] != 0) | (within[2] != 0)
    product, first, second = (torch.cat([part.sum()[None], part.sum() - part[used]]) for part in within)
    values = (product / (first * second).sqrt()).numpy()
    return infer(values[:1], values[1:, None], level=level).at(0)
