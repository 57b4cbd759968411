"""The methods of a comparison: how each is fitted on calibration cases, and what it gives on both parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from stochattn_core.baselines import conformal as split_conformal
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare.concentration import Search, Searched
from stochattn_core.compare.gain import Scored, halves
from stochattn_core.corrections import conformal, inflation, noise
from stochattn_core.corrections.fractional import Fractional
from stochattn_core.corrections.inflation import Inflation
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.forecasts import Ensemble, ensemble_of
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.metrics import scores
from stochattn_core.metrics.scores import SHOWN_LEVELS
from stochattn_core.settings import Setting
from stochattn_core.tuning.search import share_of

COARSE_BELOW = 16  # concentrations above are fine enough as whole numbers


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method gives. calibration: cross-fitted, each half of the blocks by what was fitted on the other; concentrations, one number
    that every method with a search has, on all of it.   test: by what was fitted on the whole calibration part.   scores: of the test part.
    """

    setting: Setting | None
    passes: int
    calibration: Scored
    test: Scored
    scores: dict[str, float | int]


@dataclass(eq=False)
class Workbench:
    """A network on a dataset, the search for its concentration, and the setting that a comparison starts from, without a correction.

    known: what was searched.   progress: of the method at work.
    """

    network: nn.Module
    dataset: Dataset
    setting: Setting
    default_layers: str
    search: Search
    attention_classes: Sequence[AttentionClass] = ()
    progress: Progress | None = None
    known: dict[Setting, Searched] = field(default_factory=dict)

    def found(self, setting: Setting) -> Searched:
        if setting not in self.known:
            self.known[setting] = self.search(setting, share_of(self.progress, 0, 1, 3))
        return self.known[setting]

    def ensemble(self, setting: Setting, part: str) -> Ensemble:
        return ensemble_of(
            self.network,
            self.dataset,
            setting,
            part=part,
            layers=setting.layers or self.default_layers,
            attention_classes=self.attention_classes,
            progress=share_of(self.progress, *((2, 3) if part == "test" else (1, 2)), 3),
        )

    @cached_property
    def alone(self) -> Outcome:
        """The plain method, with its concentration: what all others are compared with."""
        return sampled(self, self.setting)

    @cached_property
    def plain(self) -> tuple[Ensemble, Ensemble]:
        """Both parts with the plain forecast, and no members to speak of."""
        plain = replace(self.setting, concentration=math.inf, n_member=2)
        return self.ensemble(plain, "calibration"), self.ensemble(plain, "test")


def sampled(bench: Workbench, setting: Setting) -> Outcome:
    """An ensemble at the concentration that its own search finds."""
    found = bench.found(setting)
    return _members(bench, replace(setting, concentration=found.concentration), found.passes)


def fractional(bench: Workbench) -> Outcome | None:
    """A mixture of the two whole concentrations beside the one at which spread equals error; None where whole numbers are fine enough."""
    found = bench.found(bench.setting)
    value = float(f"{found.matching:.3g}")
    if not 1 < value < COARSE_BELOW or value == int(value):
        return None
    return _members(bench, replace(bench.setting, correction=Fractional(value).text), found.passes)


def inflated(bench: Workbench) -> Outcome:
    """Inflation at its own concentration, the factor fitted to four digits."""
    narrow = replace(bench.setting, concentration=inflation.CONCENTRATION)
    calibration = bench.ensemble(narrow, "calibration")
    setting = replace(narrow, correction=Inflation(_digits(inflation.fit(calibration.pooled))).text)

    def on(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        of_half = inflation.fit(calibration.pooled.resampled(_indicator(calibration, fitted)))
        return inflation.inflated(calibration.members[:, scored], calibration.plain[scored], of_half)

    return _outcome(
        setting, bench.setting.n_member, replace(calibration, members=_crossed(calibration, on)), bench.ensemble(setting, "test")
    )


def inflated_with_noise(bench: Workbench) -> Outcome | None:
    """Inflation and noise at the concentration of inflation; None for more outputs a case, whose errors hang together as noise does not."""
    if bench.dataset.task != "table":
        return None
    narrow, seed = replace(bench.setting, concentration=inflation.CONCENTRATION), bench.setting.seed
    calibration = bench.ensemble(narrow, "calibration")
    parts = calibration.members, calibration.target, calibration.plain

    def on(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        of_half = noise.fit(parts[0][:, fitted], parts[1][fitted], parts[2][fitted], seed)
        return of_half.members(calibration.members, calibration.plain, seed)[:, scored]

    setting = replace(narrow, correction=noise.fit(*parts, seed).text)
    crossed = replace(calibration, members=_crossed(calibration, on))
    return _outcome(setting, bench.setting.n_member, crossed, bench.ensemble(setting, "test"))


def on_top(bench: Workbench) -> Outcome:
    """Conformal intervals on top of the plain method: other coverage and width, the same members."""
    beneath = bench.alone
    calibration, test = (bench.ensemble(beneath.setting, part) for part in ("calibration", "test"))
    fitted = conformal.fit(_tensor(calibration.members), _tensor(calibration.target), weights=calibration.weights)
    held = fitted.scores(_tensor(test.members), _tensor(test.target), test.weights)
    return replace(beneath, passes=beneath.passes + bench.setting.n_member, scores={**beneath.scores, **held})


def dressed(bench: Workbench, kind: type[GaussianDressing] | type[ResidualDressing]) -> Outcome:
    """The plain forecast with calibration errors about it."""
    calibration, test = bench.plain
    plain, target, m, seed = _tensor(calibration.plain), _tensor(calibration.target), bench.setting.n_member, bench.setting.seed

    def on(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        return kind.fit(plain[fitted], target[fitted]).members(plain, m, seed)[:, scored].numpy()

    crossed = replace(calibration, members=_crossed(calibration, on))
    return _outcome(None, 0, crossed, with_errors(kind, calibration, test, bench.setting))


def with_errors(kind: type[GaussianDressing] | type[ResidualDressing], calibration: Ensemble, test: Ensemble, setting: Setting) -> Ensemble:
    """The cases of test dressed with the calibration errors of their plain forecasts; of setting, n_member and seed are taken."""
    fitted = kind.fit(_tensor(calibration.plain), _tensor(calibration.target))
    return replace(test, members=fitted.members(_tensor(test.plain), setting.n_member, setting.seed).numpy())


def split(bench: Workbench) -> Outcome:
    """Split conformal. It has no members: its CRPS is that of the step distribution that its intervals of all levels make, f + signs times
    sorted absolute calibration errors, so that it can stand beside the others; what needs members is left out.
    """
    calibration, test = bench.plain
    plain, target = _tensor(calibration.plain), _tensor(calibration.target)

    def of(fitted: np.ndarray, at: Tensor) -> np.ndarray:
        return (at + split_conformal.steps(plain[fitted], target[fitted])[:, None]).numpy()

    crossed = replace(calibration, members=_crossed(calibration, lambda fitted, scored: of(fitted, plain[scored])))
    whole = replace(test, members=of(np.ones(len(plain), dtype=bool), _tensor(test.plain)))
    found = _outcome(None, 0, crossed, whole, is_distribution=True)
    held = split_conformal.fit(plain, target, SHOWN_LEVELS).scores(_tensor(test.plain), _tensor(test.target), test.weights)
    kept = {name: found.scores[name] for name in ("rmse", "bias", "rmse_plain", "mae_plain", "n_case", "n")}
    return replace(found, scores={**kept, "crps_fair": found.scores["crps"], **held})


def _members(bench: Workbench, setting: Setting, passes: int) -> Outcome:
    return _outcome(setting, passes, bench.ensemble(setting, "calibration"), bench.ensemble(setting, "test"))


def _outcome(setting: Setting | None, passes: int, calibration: Ensemble, test: Ensemble, *, is_distribution: bool = False) -> Outcome:
    return Outcome(setting, passes, _scored(calibration, is_distribution), _scored(test, is_distribution), scores(test.pooled))


def _scored(ensemble: Ensemble, is_distribution: bool) -> Scored:
    pooled = ensemble.pooled
    ensemble.forget_elements()
    return Scored(pooled, pooled.crps if is_distribution else pooled.crps_fair)


def _crossed(calibration: Ensemble, on: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Members of every calibration case by on(fitted, scored), masks of cases: what was fitted on one half, in the other."""
    cases = [half.numpy()[calibration.block] for half in halves(calibration.pooled)]
    cases[1] |= ~cases[0]  # cases of blocks without a target are in no score, but in the shape
    members = None
    for fitted, scored in (cases, cases[::-1]):
        found = on(fitted, scored)
        members = np.empty((len(found), *calibration.target.shape), dtype=found.dtype) if members is None else members
        members[:, scored] = found
    return members


def _indicator(ensemble: Ensemble, cases: np.ndarray) -> Tensor:
    """(1, block), 1 for the blocks of these cases."""
    counts = torch.zeros(1, ensemble.pooled.n_block, dtype=torch.float64)
    counts[0, torch.tensor(np.unique(ensemble.block[cases]))] = 1
    return counts


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(np.asarray(values))
