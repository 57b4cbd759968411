"""Is the spread large where the error is large, and larger there than the climate alone predicts?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.arrays import Array, Members
from stochattn_core.metrics.statistics import Statistics


class Association(NamedTuple):
    """Correlations over the elements of the event (cells, lead times), between -1 and 1; larger is better."""

    spread: float  # of root-mean member variance with RMSE
    climatology: float  # of the climatological standard deviation with RMSE: known without any forecast
    n: int  # elements compared


def association(statistics: Statistics, weights: Tensor | None = None) -> Association:
    """Return the correlation over cells of RMSE with spread, and that of RMSE with the climatological standard deviation alone.

    All maps are roots of means over cases. A correlation with the spread that does not exceed the one with climatology shows nothing about
    the forecast: some places are more variable than others, and any spread that follows this pattern correlates with the error.

    weights: broadcasts to *event (cell areas).   NaN with fewer than 3 elements, with one member, or without clim_sd in the statistics.

    >>> members = torch.tensor([[[0.0, 0.0, 0.0]], [[1.0, 2.0, 3.0]]])
    >>> sums = Statistics.of(members, torch.zeros(1, 3), torch.zeros(1, 3), [0], 1, clim_sd=torch.tensor([1.0, 1.0, 2.0]))
    >>> spread, climatology, n = association(sums)
    >>> round(spread, 3), round(climatology, 3)
    (1.0, 0.866)
    """
    total = statistics.total()
    seen = (total.n[0] > 0).flatten()
    error, spread, climatology = (
        (values[0] / total.n[0]).sqrt().flatten()[seen] for values in (total.error_sq, total.variance, total.climatology_variance)
    )
    area = torch.ones(statistics.event, dtype=torch.float64)
    if weights is not None:
        area = area * torch.as_tensor(weights, dtype=torch.float64).cpu()
    area = area.flatten()[seen]
    return Association(float(correlation(error, spread, area)), float(correlation(error, climatology, area)), len(error))


def correlation(left: Tensor, right: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return Pearson's correlation, weighted, as a tensor ().

    left, right, weights: (element,).   NaN with fewer than 3 elements, and where one side does not vary.

    >>> correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0]))
    tensor(1.)
    """
    if len(left) < 3:
        return left.new_tensor(torch.nan)
    weights = torch.ones_like(left) if weights is None else weights
    weights = weights / weights.sum()
    left, right = left - (weights * left).sum(), right - (weights * right).sum()
    return (weights * left * right).sum() / ((weights * left**2).sum() * (weights * right**2).sum()).sqrt()


def within_by_block(
    members: Members, target: Array, plain: Array, block: Array | Sequence[int], weights: Array | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return sums that give the correlation over cases of spread and error within each element: is the spread large when the error is?

    First the means over cases of spread and |error| are subtracted at every element (cell, lead time). A spread that never changes therefore
    scores 0, the trivial reference, however well it knows the climate. The error is that of the plain model: the mean of a few members errs
    more where they spread more, by chance alone, and with its error a spread without information would score above 0.
    members: (member, case, *event).   target, plain: (case, *event); elements with a NaN target are left out.   block: (case,) ints.
    weights: broadcasts to *event.
    Returns three sums, (block,) float64, of the products ab and of the squares aa and bb: correlation = sum ab / sqrt(sum aa * sum bb).

    >>> members, target = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), torch.tensor([1.5, 3.0, 4.5])
    >>> ab, aa, bb = within_by_block(members, target, torch.zeros(3), [0, 1, 2])
    >>> round(float(ab.sum() / (aa.sum() * bb.sum()).sqrt()), 6)
    1.0
    """
    y, f = (torch.tensor(np.asarray(values)) for values in (target, plain))
    blocks = torch.as_tensor(np.asarray(block), dtype=torch.int64)
    seen = ~torch.isnan(y)
    count = seen.sum(0).clamp(min=1)
    scale = seen.double() if weights is None else seen * torch.as_tensor(weights, dtype=torch.float64)

    def centred(values: Tensor) -> Tensor:
        values = torch.where(seen, values.double(), 0.0)
        return torch.where(seen, values - values.sum(0) / count, 0.0)

    spread, error = centred(_standard_deviation(members)), centred((f - y).abs())

    def total(values: Tensor) -> Tensor:
        values = (values * scale).flatten(1).sum(1) if values.ndim > 1 else values * scale
        return torch.zeros(int(blocks.max()) + 1, dtype=torch.float64).index_add_(0, blocks, values)

    return total(spread * error), total(spread.square()), total(error.square())


def _standard_deviation(members: Members) -> Tensor:
    """Return the standard deviation over members, ddof = 1: (member, case, *event) -> (case, *event) float64.

    It reads one member at a time, because all members together may be larger than memory.

    Source: Welford (1962), Technometrics 4, 419.
    """
    mean, squares = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for count, member in enumerate(members, 1):
        deviation = torch.tensor(np.asarray(member), dtype=torch.float64) - mean
        mean = mean + deviation / count
        squares = squares + deviation.square() * ((count - 1) / count)
    return (squares / (len(members) - 1)).sqrt()
