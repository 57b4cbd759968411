"""Tuning: the concentration at which one stochastic pass strays from the plain output as far as the plain output errs.

    d0 = || y - f ||,  d = || f_nu - f ||,  nu* = argmin E[(d - d0)^2]

That is the default objective; the others are computed from the same passes and shown beside it. Everything here is computed on the
calibration part; what is reported as a result is from the test part.
# DIFFERS: the authors search with one pass at each of 40 concentrations (search="thompson" does); the default runs ten passes (four of maps)
with common random numbers at each of the points of a log grid that are nearest the crossing: smooth curves of every objective.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import Evaluation, evaluate, network_of
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting, TunedSetting
from stochattn_core.tuning.export import exported
from stochattn_core.tuning.found import Found
from stochattn_core.tuning.points import GRID, Budget
from stochattn_core.tuning.search import search_concentration, share_of
from stochattn_core.tuning.verdict import Verdict, judge


@dataclass(frozen=True, eq=False)
class Tuning(Found):
    """What was found, and what it is worth: before and after are of the test part."""

    judged: Verdict
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
        return self.law.slope


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
    attention_classes: Sequence[AttentionClass] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Tuning:
    """Tune the concentration of a model on dataset.calibration, and score it on dataset.test.

    objective: one of OBJECTIVES.   search: "grid", or "thompson" for single passes as the authors search (pooled dispersion only; the curves of
    the others come from a few grid points all the same).   n_member, seed, layers and correction ("" or "shared") are those of the ensembles that
    are scored; the search takes n_pass passes at each concentration of the grid, 10 when not given, 4 for the many outputs of maps.
    budget: what the search may cost at most.
    progress(done, total, what) may raise to stop; what was computed until then is kept and found again.
    Raises ValueError when the parts hold nothing to tune on.
    """
    setting = Setting(n_member=n_member, seed=seed, layers=layers, correction=correction)
    dataset.filled("test")
    network = network_of(model, dataset, device=device, progress=progress)
    found = search_concentration(
        model,
        dataset,
        setting,
        objective=objective,
        search=search,
        grid=grid,
        n_pass=n_pass,
        budget=budget or Budget(),
        attention_classes=attention_classes,
        device=device,
        progress=share_of(progress, 0, 3, 5),
    )
    best = replace(setting, concentration=found.concentration)
    target = model if isinstance(model, Model) else network
    common = {"attention_classes": attention_classes, "device": device}
    before = evaluate(target, dataset, Setting(math.inf, n_member, seed, layers), progress=share_of(progress, 3, 4, 5), **common)
    after = evaluate(target, dataset, best, progress=share_of(progress, 4, 5, 5), **common)
    judged = judge(after.ensemble, at_low=found.at_low, at_high=found.at_high)
    return Tuning(**vars(found), judged=judged, before=before, after=after, setting=exported(found, best, before, after, dataset, judged))
