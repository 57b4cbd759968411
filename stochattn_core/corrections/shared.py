"""Shared draws: all rows and heads of a layer take the same random numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stochattn_core.corrections.base import Ensembles, Recipe

if TYPE_CHECKING:
    from stochattn_core.forecasts import Ensemble
    from stochattn_core.settings import Setting


@dataclass(frozen=True)
class Shared(Recipe):
    """Each row keeps its exact law, but rows no longer average their noise away: the output spreads further at the same concentration.

    Layers, cases and members stay independent: shared over layers too, the law of each row would be lost after the first.
    """

    example = "shared"

    @classmethod
    def of(cls, values: list[str], text: str) -> Shared:
        if values:
            raise ValueError(f"expected the correction {cls.example!r} alone, without a number, got {text!r}")
        return cls()

    @property
    def text(self) -> str:
        return "shared"

    def ensemble(self, of: Ensembles, setting: Setting) -> Ensemble:
        return of(replace(setting, correction=""), shared=True)
