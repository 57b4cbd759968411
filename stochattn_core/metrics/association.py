"""Is the spread large where the error is large? And is that more than the climate would say?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.statistics import Statistics


class Association(NamedTuple):
    """Correlations over the elements of the event (cells, lead times), between -1 and 1; larger is better."""

    spread: float  # of root-mean member variance with RMSE
    climatology: float  # of the climatological standard deviation with RMSE: what no forecast is needed for
    n: int  # elements compared


def association(statistics: Statistics, weights: Tensor | None = None) -> Association:
    """Correlation over cells of RMSE with spread, beside the one that the climatological standard deviation alone reaches.

    Both maps are roots of means over cases. A spread correlation that does not exceed the trivial one shows nothing about
    the forecast: places differ in how variable they are, and any spread that follows them correlates.

    weights: broadcasts to *event (cell areas).   NaN with fewer than 3 elements, one member, or no clim_sd in the statistics.

    >>> members = torch.tensor([[[0.0, 0.0, 0.0]], [[1.0, 2.0, 3.0]]])
    >>> found = association(Statistics.of(members, torch.zeros(1, 3), torch.zeros(1, 3), [0], 1, clim_sd=torch.tensor([1.0, 1.0, 2.0])))
    >>> round(found.spread, 3), round(found.climatology, 3)
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
    """Pearson's correlation, weighted.   left, right: (element,).   Returns (); NaN with fewer than 3 elements or no variation.

    >>> correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0]))
    tensor(1.)
    """
    if len(left) < 3:
        return left.new_tensor(torch.nan)
    weights = torch.ones_like(left) if weights is None else weights
    weights = weights / weights.sum()
    left, right = left - (weights * left).sum(), right - (weights * right).sum()
    return (weights * left * right).sum() / ((weights * left**2).sum() * (weights * right**2).sum()).sqrt()


def within_by_block(members, target, plain, block, weights=None) -> tuple[Tensor, Tensor, Tensor]:
    """Sums from which the correlation of spread and error over cases follows, at each element by itself: is the spread large when the error is?

    The mean over cases of spread and of |error| is taken away at every element (cell, lead time) first, so that a spread that never changes, however
    well it knows the climate, scores 0: the trivial reference. The error is the plain model's: the mean of a few members errs more where
    they spread more, by chance alone, and a spread that knows nothing would score above 0.
    members: (member, case, *event).   target, plain: (case, *event), NaN targets left out.   block: (case,) ints.   weights: broadcasts to *event.
    Returns three (block,) float64 sums, of the products and of the two squares: correlation = sum ab / sqrt(sum aa * sum bb).

    >>> members, target = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), torch.tensor([1.5, 3.0, 4.5])
    >>> ab, aa, bb = within_by_block(members, target, torch.zeros(3), [0, 1, 2])
    >>> round(float(ab.sum() / (aa.sum() * bb.sum()).sqrt()), 6)
    1.0
    """
    target, plain = (torch.tensor(np.asarray(x)) for x in (target, plain))
    block = torch.as_tensor(np.asarray(block), dtype=torch.int64)
    seen = ~torch.isnan(target)
    count = seen.sum(0).clamp(min=1)
    scale = seen.double() if weights is None else seen * torch.as_tensor(weights, dtype=torch.float64)

    def centred(values: Tensor) -> Tensor:
        values = torch.where(seen, values.double(), 0.0)
        return torch.where(seen, values - values.sum(0) / count, 0.0)

    spread, error = centred(_standard_deviation(members)), centred((plain - target).abs())

    def total(values: Tensor) -> Tensor:
        values = (values * scale).flatten(1).sum(1) if values.ndim > 1 else values * scale
        return torch.zeros(int(block.max()) + 1, dtype=torch.float64).index_add_(0, block, values)

    return total(spread * error), total(spread.square()), total(error.square())


def _standard_deviation(members) -> Tensor:
    """(case, *event) float64 of members (member, case, *event), ddof = 1. One member at a time: all of them may be larger than memory.

    Source: Welford (1962), Technometrics 4, 419.
    """
    mean, squares = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for count, member in enumerate(members, 1):
        off = torch.tensor(np.asarray(member), dtype=torch.float64) - mean
        mean = mean + off / count
        squares = squares + off.square() * ((count - 1) / count)
    return (squares / (len(members) - 1)).sqrt()
