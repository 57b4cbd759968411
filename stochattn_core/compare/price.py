"""The price of calibration: what a method gains in coverage over the concentration alone, and what it pays in CRPS."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from stochattn_core.compare.estimate import Sums, estimated
from stochattn_core.compare.gain import ScoredPart
from stochattn_core.compare.recommendation import relative_gain
from stochattn_core.metrics.scores.coverage import JUDGED_LEVEL, share_of_sums
from stochattn_core.metrics.significance import Estimate


class Price(NamedTuple):
    """coverage: of the method minus that of the concentration alone, a share between -1 and 1.   crps: relative, above 0 where it is higher."""

    coverage: Estimate
    crps: Estimate


def price_of(alone: ScoredPart, method: ScoredPart, level: float) -> Price:
    """Return the price of a method on one part, each with a paired interval of this level. The coverage is that of the central 90%."""

    def gained(before: Sums, after: Sums) -> Tensor:
        return share_of_sums(after.statistics, JUDGED_LEVEL) - share_of_sums(before.statistics, JUDGED_LEVEL)

    gain = relative_gain(alone, method, level)
    paid = Estimate(-gain.estimate, -gain.high, -gain.low, gain.n_effective)
    return Price(estimated(gained, alone, method, level=level), paid)
