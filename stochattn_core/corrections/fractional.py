"""Fractional concentrations: between 1 and 4 whole numbers are coarse where the spread is wanted in between."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from stochattn_core.corrections.base import Ensembles, Recipe, number_text, one_number
from stochattn_core.draw import LARGEST
from stochattn_core.sampling import stream

if TYPE_CHECKING:
    from stochattn_core.forecasts import Ensemble
    from stochattn_core.settings import Setting


@dataclass(frozen=True)
class Fractional(Recipe):
    """Member i is member i of the ensemble at ceil(nu) with probability pi, else of that at floor(nu): a mixture of both laws.

    (1 - pi) / floor + pi / ceil = 1 / nu, so that each row's weights have the covariance (diag p - p p^T) / nu. A setting with this correction has
    the concentration floor(nu), whatever it was given: no setting says two things. math.inf stays the plain model.
    """

    value: float
    example = "fractional 5.4"

    def __post_init__(self) -> None:
        if not 1 <= self.value <= LARGEST:
            raise ValueError(f"expected a fractional concentration from 1 to {LARGEST:,}, got {self.value:g}; try {self.example!r}")

    @classmethod
    def of(cls, values: list[str], text: str) -> Fractional:
        return cls(one_number(values, text, cls.example))

    @property
    def text(self) -> str:
        return f"fractional {number_text(self.value)}"

    @property
    def probability(self) -> float:
        """pi, of the larger concentration.

        >>> round(Fractional(1.5).probability, 4)  # (1 - 2/3) / 1 + (2/3) / 2 = 1 / 1.5
        0.6667
        """
        low = math.floor(self.value)
        return (low + 1) * (1 - low / self.value)

    def concentration(self, asked: int | float) -> int | float:
        return asked if asked == math.inf else math.floor(self.value)

    def ensemble(self, of: Ensembles, setting: Setting) -> Ensemble:
        low = math.floor(self.value)
        few = of(replace(setting, correction="", concentration=low))
        upper = takes_larger(setting.seed, setting.n_member, self.probability)
        if not upper.any():
            return few
        many = of(replace(setting, correction="", concentration=low + 1))
        members = np.array(few.members)
        members[upper] = many.members[upper]
        return replace(few, members=members)


def takes_larger(seed: int, n_member: int, probability: float) -> np.ndarray:
    """Which members take the larger concentration: (member,) bool. A function of seed and member alone, the same for every case."""
    keys = stream.row_keys(seed, range(n_member), 0, 0, 1, torch.device("cpu"))
    chance = stream.uniforms(stream.purpose_keys(keys, stream.MIXTURE), 1)[:, 0, 0]
    return (chance < probability).numpy()
