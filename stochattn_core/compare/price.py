"""The price of calibration: what a method gains in coverage over the concentration alone, and what it pays in CRPS."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from stochattn_core.compare.estimate import Jackknife, Sums, estimated
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

    def gained(of_alone: Sums, of_method: Sums) -> Tensor:
        return share_of_sums(of_method.statistics, JUDGED_LEVEL) - share_of_sums(of_alone.statistics, JUDGED_LEVEL)

    before, after = Jackknife.of(alone), Jackknife.of(method)
    gain = relative_gain(before, after, level)
    paid = Estimate(-gain.estimate, -gain.high, -gain.low, gain.n_effective)
    return Price(estimated(gained, before, after, level=level), paid)
