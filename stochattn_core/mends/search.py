"""The concentration for a setting, found on the calibration part: what every method of a comparison that has a concentration is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from torch import nn

from stochattn_core import tuning
from stochattn_core.by_hand import AttentionClass
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import ensemble_of
from stochattn_core.mends.progress import share
from stochattn_core.metrics import Statistics
from stochattn_core.settings import Setting


class Found(NamedTuple):
    """concentration: whole.   optimum: before it was rounded.   passes: over the calibration part."""

    concentration: int
    optimum: float
    passes: int


Search = Callable[[Setting, Progress | None], Found]


def search_of(network: nn.Module, dataset: Dataset, default_layers: str, attention_classes: Sequence[AttentionClass]) -> Search:
    """The search that `tune` makes, for settings of one network; it takes their seed, layers and mend."""
    n_pass = tuning.N_PASS if dataset.calibration.target.numel() <= tuning.MANY else tuning.N_PASS_OF_MANY

    def search(setting: Setting, progress: Progress | None) -> Found:
        def passes_at(concentration: int, n_done: int) -> Statistics:
            return ensemble_of(
                network,
                dataset,
                replace(setting, concentration=concentration, n_member=n_pass),
                part="calibration",
                layers=setting.layers or default_layers,
                attention_classes=attention_classes,
                progress=share(progress, min(n_done, tuning.N_NEAR - 1), tuning.N_NEAR),
            ).pooled

        points = tuning._points_about_the_crossing(np.array(tuning.GRID), passes_at, tuning.N_NEAR)
        found = tuning._search(np.array(list(points)), list(points.values()), setting.seed)
        return Found(found["concentration"], found["optimum"], len(points) * n_pass)

    return search
