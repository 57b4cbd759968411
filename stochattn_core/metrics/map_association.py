"""Does the spread map show where the error is? Three correlations, because the first alone proves nothing."""

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

    spread: float  # of the spread
    zonal_removed: (
        float  # of the spread, after subtracting the zonal mean from both maps: the place along a latitude circle, not the latitude
    )
    climatology: float  # of the climatological standard deviation alone, known without any forecast
    climatology_zonal_removed: float
    n: int  # cells compared


def map_association(rmse: Tensor, spread: Tensor, climatology: Tensor | None, latitude: Sequence[float]) -> MapAssociation:
    """Return the correlations of the RMSE map with the maps of the spread and of climatology, with and without their zonal means.

    Storm tracks have the same latitudes in every map, so that any spread that depends on latitude correlates with the error. A spread that
    follows the weather still correlates after subtraction of the zonal means, and more than climatology does.

    rmse, spread, climatology: (latitude, longitude), roots of means over cases, same units; cells with a NaN are left out. Without
    climatology its correlations are NaN.   latitude: (latitude,) degrees.   ValueError for maps of different shapes.

    >>> column = torch.tensor([[1.0], [3.0]])
    >>> maps = map_association(column + torch.tensor([0.0, 0.1, 0.2]), column + torch.tensor([0.2, 0.1, 0.0]), None, [-45.0, 45.0])
    >>> round(maps.spread, 2), round(maps.zonal_removed, 2)
    (0.99, -1.0)
    """
    maps = [torch.as_tensor(field).to(torch.float64) for field in (rmse, spread)]
    maps.append(torch.full_like(maps[0], torch.nan) if climatology is None else torch.as_tensor(climatology).to(torch.float64))
    if any(field.shape != maps[0].shape or field.ndim != 2 for field in maps):
        raise ValueError(f"expected maps (latitude, longitude) on one grid, got {', '.join(str(tuple(field.shape)) for field in maps)}")
    area = latitude_weights(latitude)[:, None].expand(maps[0].shape)
    seen = maps[0].isfinite() & maps[1].isfinite() & (maps[2].isfinite() if climatology is not None else True)
    if seen.all():
        deviations = [without_zonal_mean(field) for field in maps]
    else:
        deviations = [field - torch.where(seen, field, torch.nan).nanmean(dim=-1, keepdim=True) for field in maps]

    def with_rmse(fields: list[Tensor], which: int) -> float:
        return float(correlation(fields[0][seen], fields[which][seen], area[seen]))

    return MapAssociation(with_rmse(maps, 1), with_rmse(deviations, 1), with_rmse(maps, 2), with_rmse(deviations, 2), int(seen.sum()))
