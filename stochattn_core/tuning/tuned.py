"""Tuning: the concentration at which a stochastic pass strays from the plain output as far as the plain output errs.

    d0 = || y - f ||,  d = || f_nu - f ||,  nu* = argmin E[(d - d0)^2]

That is the default objective; the others are computed from the same passes and shown beside it. The search uses the calibration part alone;
the scores that are reported as results are of the test part.
# DIFFERS: the authors search with one pass at each of 40 concentrations (search="thompson" does); the default runs ten passes (four of maps)
with common random numbers at each of the points of a log grid that are nearest the crossing: smooth curves of every objective.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace

from torch import nn

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import Evaluation, evaluation_of, experiment_of
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuned_setting import TunedSetting
from stochattn_core.tuning.concentration_search import SearchPlan, run_search, share_of
from stochattn_core.tuning.held_out import HeldOut, held_out
from stochattn_core.tuning.points import GRID, Budget
from stochattn_core.tuning.search_result import SearchResult
from stochattn_core.tuning.setting_export import tuned_setting_of
from stochattn_core.verdict import Verdict, judge


@dataclass(frozen=True, eq=False)
class Tuning(SearchResult):
    """The result of a search, with the verdict on it, and the evaluations of the test part before and after.

    held_out: one half of the test part judged, the other half reported, both ways.
    """

    judged: Verdict
    held_out: tuple[HeldOut, ...]
    before: Evaluation = field(repr=False)
    after: Evaluation = field(repr=False)
    setting: TunedSetting = field(repr=False)

    @property
    def verdict(self) -> str:
        return self.judged.word

    @property
    def sentence(self) -> str:
        return self.judged.sentence

    @property
    def slope(self) -> float:
        """The slope of the power law, about -1/2."""
        return self.law.slope

    @property
    def result(self) -> SearchResult:
        """What the calibration part alone says."""
        return SearchResult(**{entry.name: getattr(self, entry.name) for entry in fields(SearchResult)})


def tune(
    model: Model | nn.Module,
    dataset: Dataset,
    *,
    objective: str = "pooled",
    search: str = "grid",
    n_member: int = 49,
    seed: int = 0,
    layers: str = "",
    correction: str = "",
    grid: tuple[int, ...] = GRID,
    n_pass: int | None = None,
    budget: Budget | None = None,
    ignore: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> Tuning:
    """Tune the concentration of a model on dataset.calibration, and score it on dataset.test.

    objective: a key of OBJECTIVES.   search: "grid", or "thompson" for single passes as the authors search (pooled dispersion only; the curves
    of the other objectives still come from a few points of the grid).
    n_member, seed, layers, correction ("", or one that the search can use, such as "shared"): of the ensembles that are scored.
    n_pass: passes of the search at each concentration of the grid; 10 when not given, 4 for maps with many outputs.
    budget: the most that the search may cost.
    progress(done, total, what) may raise to stop; results that were computed until then are stored and found again.
    Raises ValueError when the parts hold nothing to tune on.
    """
    plan = SearchPlan(objective, search, grid, n_pass, budget or Budget())
    setting = Setting(n_member=n_member, seed=seed, layers=layers, correction=correction)
    plan.check_correction(setting.correction)
    dataset.filled("test")
    experiment = experiment_of(model, dataset, setting, part="calibration", ignore=ignore, device=device, progress=progress)
    result = run_search(experiment, plan, progress=share_of(progress, 0, 3, 5))
    plain = experiment.with_setting(Setting(math.inf, n_member, seed, layers), "test")
    tuned = experiment.with_setting(replace(setting, concentration=result.concentration), "test")
    before = evaluation_of(plain, progress=share_of(progress, 3, 4, 5))
    after = evaluation_of(tuned, progress=share_of(progress, 4, 5, 5))
    judged = judge(after.ensemble, at_low=result.at_low, at_high=result.at_high)
    halves = held_out(after.ensemble, at_low=result.at_low, at_high=result.at_high)
    exported = tuned_setting_of(result, before, after, dataset, judged, halves)
    return Tuning(**vars(result), judged=judged, held_out=halves, before=before, after=after, setting=exported)
