"""The workbench of a comparison: a network on both parts of a dataset, what was searched and scored on it, and the outcome of a method."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from stochattn_core.compare.estimate import correlation
from stochattn_core.compare.gain import ScoredPart
from stochattn_core.corrections import Fitted, Intervals, SearchedConcentration
from stochattn_core.datasets.base import Progress
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.evaluate import audited
from stochattn_core.forecasts import Experiment, ensemble_of
from stochattn_core.metrics import scores
from stochattn_core.metrics.association import within_by_block
from stochattn_core.metrics.significance import Estimate
from stochattn_core.settings import Setting
from stochattn_core.tuning.concentration_search import SearchPlan, run_search, share_of

ASSOCIATION_LEVEL = 0.9  # of its interval, which is shown and decides nothing

# Finds the concentration for a setting on the calibration part; it takes seed, layers and correction from the setting.
ConcentrationSearch = Callable[[Setting, Progress | None], SearchedConcentration]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The scores of one method.

    setting: None for a method without one.   passes: stochastic passes over the calibration part that the fit took.
    calibration: cross-fitted, each half of the blocks by what was fitted on the other half. Only concentrations are found on the whole part:
    every method with a search has that one number.   test: by what was fitted on the whole calibration part.   scores: of the test part.
    intervals: on top of the members, where the method gives them.   association: of the test part, None for a spread that never changes.
    attention_share: of the variance of the members that attention supplies, on the calibration part.   without_attention: as in Recipe.
    """

    setting: Setting | None
    passes: int
    calibration: ScoredPart
    test: ScoredPart
    scores: Mapping[str, float | int]
    intervals: Intervals | None = None
    association: Estimate | None = None
    attention_share: float = 1.0
    without_attention: str = ""


@dataclass(eq=False)
class Workbench:
    """A network on a dataset, the search for its concentration, and the setting without a correction that a comparison starts from.

    experiment: of the calibration part, with that setting.   progress: of the method at work.
    """

    experiment: Experiment
    find: ConcentrationSearch
    progress: Progress | None = None
    searches: dict[Setting, SearchedConcentration] = field(default_factory=dict)
    outcomes: dict[Setting, Outcome] = field(default_factory=dict)

    @property
    def setting(self) -> Setting:
        return self.experiment.setting

    @property
    def n_member(self) -> int:
        return self.setting.n_member

    @property
    def seed(self) -> int:
        """The seed of what a method draws for the calibration cases."""
        return self.experiment.case_seed

    @property
    def layers(self) -> str:
        """The pattern of the layers that are sampled without a correction."""
        return self.experiment.layers

    def search(self, *, correction: str = "", layers: str = "") -> SearchedConcentration:
        """The concentration for these layers ("": those of the workbench); searched once."""
        setting = replace(self.setting, correction=correction, layers=layers or self.setting.layers)
        if setting not in self.searches:
            self.searches[setting] = self.find(setting, share_of(self.progress, 0, 1, 3))
        return self.searches[setting]

    def ensemble(self, setting: Setting, part: str) -> Ensemble:
        step = share_of(self.progress, *((2, 3) if part == "test" else (1, 2)), 3)
        return ensemble_of(self.experiment.with_setting(setting, part), progress=step)

    def calibration(self, concentration: int | float) -> Ensemble:
        """The uncorrected ensemble of the calibration part at a concentration."""
        return self.ensemble(replace(self.setting, concentration=concentration), "calibration")

    def entropy(self) -> Mapping[str, float]:
        """Mean row entropy by name of the attention layer."""
        return audited(self.experiment).entropy

    def outcome(self, setting: Setting) -> Outcome:
        """The outcome of a setting in which nothing but the concentration was fitted; scored once."""
        if setting not in self.outcomes:
            self.outcomes[setting] = outcome_of(setting, 0, self.ensemble(setting, "calibration"), self.ensemble(setting, "test"))
        return self.outcomes[setting]

    def alone(self) -> Outcome:
        """The plain method, the concentration alone, with which all others are compared."""
        concentration, _, passes = self.search()
        return replace(self.outcome(replace(self.setting, concentration=concentration)), passes=passes)

    def corrected(self, fitted: Fitted) -> Outcome:
        """The outcome of a fitted correction."""
        setting = replace(
            self.setting,
            concentration=fitted.concentration,
            layers=fitted.layers or self.setting.layers,
            correction=fitted.recipe.text if fitted.recipe else "",
        )
        share, rest = fitted.attention_share, fitted.recipe.without_attention if fitted.recipe else ""
        if fitted.calibration is None:
            outcome = replace(self.outcome(setting), passes=fitted.passes, attention_share=share, without_attention=rest)
        else:
            test = self.ensemble(setting, "test")
            outcome = outcome_of(setting, fitted.passes, fitted.calibration, test, attention_share=share, without_attention=rest)
        if fitted.intervals is None:
            return outcome
        test = self.ensemble(setting, "test")
        of_intervals = fitted.intervals.scores(tensor(test.members), tensor(test.target), test.weights)
        return replace(outcome, scores={**outcome.scores, **of_intervals}, intervals=fitted.intervals)

    @cached_property
    def plain(self) -> tuple[Ensemble, Ensemble]:
        """The plain forecasts of the calibration and the test part, in ensembles of two equal members."""
        setting = replace(self.setting, concentration=math.inf, n_member=2)
        return self.ensemble(setting, "calibration"), self.ensemble(setting, "test")


def outcome_of(
    setting: Setting | None,
    passes: int,
    calibration: Ensemble,
    test: Ensemble,
    *,
    is_distribution: bool = False,
    attention_share: float = 1.0,
    without_attention: str = "",
) -> Outcome:
    """The outcome that two ensembles give. is_distribution: their members are a whole distribution, whose CRPS is not the fair one."""
    return Outcome(
        setting,
        passes,
        _scored(calibration, is_distribution),
        _scored(test, is_distribution),
        scores(test.pooled),
        association=association_of(test, ASSOCIATION_LEVEL) if attention_share > 0 else None,
        attention_share=attention_share,
        without_attention=without_attention,
    )


def association_of(ensemble: Ensemble, level: float) -> Estimate:
    """The correlation over cases of the spread with the error of the plain model, within each place, as in `within_by_block`."""
    return correlation(within_by_block(ensemble.members, ensemble.target, ensemble.plain, ensemble.block, ensemble.weights), level)


def _scored(ensemble: Ensemble, is_distribution: bool) -> ScoredPart:
    pooled = ensemble.pooled
    ensemble.forget_elements()
    return ScoredPart(pooled, pooled.crps if is_distribution else pooled.crps_fair)


def search_as_tune(experiment: Experiment, objective: str) -> ConcentrationSearch:
    """The search that `tune` makes, for settings of one experiment on the calibration part."""

    def find(setting: Setting, progress: Progress | None) -> SearchedConcentration:
        result = run_search(experiment.with_setting(setting), SearchPlan(objective), progress=progress)
        return SearchedConcentration(result.concentration, result.optima["ratio"].value, result.passes)

    return find


def tensor(values: np.ndarray) -> Tensor:
    """A copy as a tensor; a memory-mapped array becomes an array in memory."""
    return torch.tensor(np.asarray(values))
