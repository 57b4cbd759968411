"""Does the spread map say where the error is? The correlation three ways, because the first number alone proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics.association import correlation
from stochattn_core.metrics.regions import latitude_weights
from stochattn_core.metrics.spectra import without_zonal_mean


class MapAssociation(NamedTuple):
    """Correlations over cells with the RMSE map, -1 to 1, weighted by area."""

    spread: float  # of the spread, as it is
    zonal_removed: float  # of the spread, both maps without their zonal means: where along a latitude circle, not which latitude
    climatology: float  # of the climatological standard deviation alone, which no forecast is needed for
    climatology_zonal_removed: float
    n: int  # cells compared


def map_association(rmse: Tensor, spread: Tensor, climatology: Tensor | None, latitude: Sequence[float]) -> MapAssociation:
    """rmse, spread, climatology: (latitude, longitude), roots of means over cases, same units; NaN cells are left out.

    Storm tracks lie at the same latitudes in every map, so any spread that knows the latitude correlates; a spread that
    follows the weather still correlates when the zonal means are gone, and more than climatology does.

    >>> column = torch.tensor([[1.0], [3.0]])
    >>> found = map_association(column + torch.tensor([0.0, 0.1, 0.2]), column + torch.tensor([0.2, 0.1, 0.0]), None, [-45.0, 45.0])
    >>> round(found.spread, 2), round(found.zonal_removed, 2)
    (0.99, -1.0)
    """
    maps = [torch.as_tensor(one).to(torch.float64) for one in (rmse, spread)]
    maps.append(torch.full_like(maps[0], torch.nan) if climatology is None else torch.as_tensor(climatology).to(torch.float64))
    if any(one.shape != maps[0].shape or one.ndim != 2 for one in maps):
        raise ValueError(f"expected maps (latitude, longitude) on one grid, got {', '.join(str(tuple(one.shape)) for one in maps)}")
    area = latitude_weights(latitude)[:, None].expand(maps[0].shape)
    seen = maps[0].isfinite() & maps[1].isfinite() & (maps[2].isfinite() if climatology is not None else True)
    if seen.all():
        deviations = [without_zonal_mean(one) for one in maps]
    else:
        deviations = [one - torch.where(seen, one, torch.nan).nanmean(dim=-1, keepdim=True) for one in maps]

    def with_rmse(found: list[Tensor], which: int) -> float:
        return float(correlation(found[0][seen], found[which][seen], area[seen]))

    return MapAssociation(with_rmse(maps, 1), with_rmse(deviations, 1), with_rmse(maps, 2), with_rmse(deviations, 2), int(seen.sum()))
