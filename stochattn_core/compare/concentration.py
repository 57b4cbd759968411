"""The concentration for a setting, found on the calibration part: what every method of a comparison that has a concentration is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import nn

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.settings import Setting
from stochattn_core.tuning import search_concentration


class Searched(NamedTuple):
    """concentration: whole.   matching: where spread equals error, not rounded.   passes: over the calibration part."""

    concentration: int
    matching: float
    passes: int


Search = Callable[[Setting, Progress | None], Searched]


def search_of(
    network: nn.Module, dataset: Dataset, default_layers: str, attention_classes: Sequence[AttentionClass], objective: str = "pooled"
) -> Search:
    """The search that `tune` makes, for settings of one network; it takes their seed, layers and correction."""

    def search(setting: Setting, progress: Progress | None) -> Searched:
        found = search_concentration(
            network,
            dataset,
            replace(setting, layers=setting.layers or default_layers),
            objective=objective,
            attention_classes=attention_classes,
            progress=progress,
        )
        return Searched(found.concentration, found.optima["ratio"].value, found.passes)

    return search
