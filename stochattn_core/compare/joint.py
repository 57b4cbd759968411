"""The rivals of an ensemble where the joint behaviour is compared: dressing, and split conformal with the Schaake shuffle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.baselines import BASELINES, ConformalSchaake, GaussianDressing, ResidualDressing
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.aggregates import Aggregate, over_groups, over_lead_times, over_regions

ATTENTION = "attention"
BY_ERRORS = f"{ConformalSchaake.name}-errors"
Fitted = GaussianDressing | ResidualDressing | ConformalSchaake
FITS: dict[str, Callable[[Tensor, Tensor], Fitted]] = {  # plain, target of the calibration part -> what gives members
    ResidualDressing.name: ResidualDressing.fit,
    GaussianDressing.name: GaussianDressing.fit,
    ConformalSchaake.name: ConformalSchaake.fit,
    BY_ERRORS: partial(ConformalSchaake.fit, ranks_of="errors"),
}


class Rival(NamedTuple):
    """key: "attention" or a key of BASELINES.   members: (member, case, *event), as many of each method."""

    key: str
    members: np.ndarray

    @property
    def title(self) -> str:
        return "This ensemble" if self.key == ATTENTION else BASELINES[self.key].title


def rivals(ensemble: Ensemble, calibration: Ensemble | None, *, seed: int = 0) -> Iterator[Rival]:
    """Yield the ensemble itself, and then its rivals; the ensemble alone where calibration is None.

    calibration: plain forecasts and targets of the calibration part, on which the rivals are fitted.
    """
    yield Rival(ATTENTION, np.asarray(ensemble.members))
    if calibration is None:
        return
    plain, target = (torch.tensor(np.asarray(values)) for values in (calibration.plain, calibration.target))
    at = torch.tensor(np.asarray(ensemble.plain))
    for key, fit in FITS.items():
        yield Rival(key, fit(plain, target).members(at, ensemble.n_member, seed).numpy())


def aggregates_of(ensemble: Ensemble) -> list[Aggregate]:
    """Return the aggregates of the cases of an ensemble: over lead times, regions, or rows of a table. Empty where there is nothing to add up."""
    block = np.asarray(ensemble.block, dtype=np.int64)
    if ensemble.latitude and ensemble.longitude:
        seen = np.isfinite(ensemble.target).any(0)
        return over_regions(block, ensemble.latitude, ensemble.longitude, seen)
    if ensemble.target.ndim == 1:
        return over_groups(np.asarray(ensemble.plain), is_in_time=ensemble.valid_time is not None)
    if len(ensemble.lead_time) > 1:
        return over_lead_times(block)
    return []
