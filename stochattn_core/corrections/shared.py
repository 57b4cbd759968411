"""Shared draws: all rows and heads of a layer take the same random numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stochattn_core.corrections.base import Correction, Fitted, Recipe, Request, Sampler, Workbench
from stochattn_core.ensemble_data import Ensemble


@dataclass(frozen=True)
class Shared(Recipe):
    """Each row keeps its exact law, but rows no longer average their noise away: the output spreads further at the same concentration.

    Layers, cases and members stay independent. With draws shared over layers too, the law of each row would be lost after the first layer.
    """

    example = "shared"
    searches_concentration = True

    @classmethod
    def of(cls, values: list[str], text: str) -> Shared:
        if values:
            raise ValueError(f"expected the correction {cls.example!r} alone, without a number, got {text!r}")
        return cls()

    @property
    def text(self) -> str:
        return "shared"

    def ensemble(self, sample: Sampler, request: Request) -> Ensemble:
        return sample(replace(request, shared=True))


def fit(workbench: Workbench, variant: str) -> Fitted:
    """The concentration that a search with shared draws finds."""
    recipe = Shared()
    searched = workbench.search(correction=recipe.text)
    return Fitted(searched.whole, searched.passes, recipe=recipe)


CORRECTION = Correction(
    key="shared",
    title="Shared draws",
    description=(
        "All rows and heads of a layer take the same random numbers; each row keeps its exact law, and the spread of the output grows."
    ),
    cost="one search of the concentration",
    source="this project",
    fit=fit,
    recipe=Shared,
)
