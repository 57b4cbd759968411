"""Fractional concentrations: between 1 and 4 whole numbers are coarse, where the spread that is wanted lies in between."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from stochattn_core.corrections.base import Correction, Fitted, Recipe, Request, Sampler, Workbench, number_text, one_number
from stochattn_core.draw import LARGEST
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.sampling import stream

COARSE_BELOW = 16  # larger concentrations are fine enough as whole numbers


@dataclass(frozen=True)
class Fractional(Recipe):
    """Member i is member i of the ensemble at ceil(nu) with probability pi, else of that at floor(nu): a mixture of both laws.

    (1 - pi) / floor + pi / ceil = 1 / nu, so that each row's weights have the covariance (diag p - p p^T) / nu. A setting with this correction
    has the concentration floor(nu), whatever it was given, so that it never names two concentrations. math.inf stays the plain model.
    """

    nu: float
    example = "fractional 5.4"
    own_objective = "ratio"

    def __post_init__(self) -> None:
        if not 1 <= self.nu <= LARGEST:
            raise ValueError(f"expected a fractional concentration from 1 to {LARGEST:,}, got {self.nu:g}; try {self.example!r}")

    @classmethod
    def of(cls, values: list[str], text: str) -> Fractional:
        return cls(one_number(values, text, cls.example))

    @property
    def text(self) -> str:
        return f"fractional {number_text(self.nu)}"

    @property
    def value(self) -> str:
        return number_text(self.nu)

    @property
    def probability(self) -> float:
        """pi, of the larger concentration.

        >>> round(Fractional(1.5).probability, 4)  # (1 - 2/3) / 1 + (2/3) / 2 = 1 / 1.5
        0.6667
        """
        low = math.floor(self.nu)
        return (low + 1) * (1 - low / self.nu)

    def concentration(self, asked: int | float) -> int | float:
        return asked if asked == math.inf else math.floor(self.nu)

    def ensemble(self, sample: Sampler, request: Request) -> Ensemble:
        low = math.floor(self.nu)
        at_floor = sample(replace(request, concentration=low))
        upper = takes_larger(request.seed, request.n_member, self.probability)
        if not upper.any():
            return at_floor
        at_ceil = sample(replace(request, concentration=low + 1))
        members = np.array(at_floor.members)
        members[upper] = at_ceil.members[upper]
        return replace(at_floor, members=members)


def takes_larger(seed: int, n_member: int, probability: float) -> np.ndarray:
    """Which members take the larger concentration: (member,) bool. A function of seed and member alone, the same for every case."""
    keys = stream.row_keys(seed, range(n_member), 0, 0, 1, torch.device("cpu"))
    chance = stream.uniforms(stream.purpose_keys(keys, stream.MIXTURE), 1)[:, 0, 0]
    return (chance < probability).numpy()


def fit(workbench: Workbench, variant: str) -> Fitted | None:
    """The concentration at which spread equals error, to three digits; None where the whole numbers beside it are fine enough."""
    searched = workbench.search()
    nu = float(f"{searched.matching:.3g}")
    if not 1 < nu < COARSE_BELOW or nu == int(nu):
        return None
    return Fitted(math.floor(nu), searched.passes, recipe=Fractional(nu))


CORRECTION = Correction(
    key="fractional",
    title="Fractional concentration",
    description=(
        "Each member takes one of the two whole concentrations beside the optimum, with the probability that makes the variance that of "
        "the optimum itself."
    ),
    cost="two ensembles in place of one",
    source="this project",
    fit=fit,
    recipe=Fractional,
)
