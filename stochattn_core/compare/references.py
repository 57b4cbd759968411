"""The reference methods of a comparison: dressing and split conformal, which need no stochastic pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from stochattn_core.baselines import conformal as split_conformal
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare.workbench import Outcome, Workbench, outcome_of, tensor
from stochattn_core.corrections.cross_fitting import cross_fitted
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.scores import SHOWN_LEVELS
from stochattn_core.settings import Setting

Dressing = type[GaussianDressing] | type[ResidualDressing]


def dressed(bench: Workbench, kind: Dressing) -> Outcome:
    """The plain forecast with calibration errors about it."""
    calibration, test = bench.plain
    plain, target = tensor(calibration.plain), tensor(calibration.target)

    def members_of(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        return kind.fit(plain[fitted], target[fitted]).members(plain, bench.n_member, bench.seed)[:, scored].numpy()

    dressed_test = dressed_ensemble(kind, calibration, test, bench.setting)
    return outcome_of(None, 0, cross_fitted(calibration, members_of), dressed_test, attention_share=0.0)


def dressed_ensemble(kind: Dressing, calibration: Ensemble, test: Ensemble, setting: Setting) -> Ensemble:
    """The cases of test dressed with the calibration errors of their plain forecasts. setting: n_member and seed of the ensemble."""
    dressing = kind.fit(tensor(calibration.plain), tensor(calibration.target))
    return replace(test, members=dressing.members(tensor(test.plain), setting.n_member, setting.seed).numpy())


def split(bench: Workbench) -> Outcome:
    """Split conformal, which has intervals and no members.

    Its CRPS is that of the step distribution that its intervals of all levels make, f plus and minus the sorted absolute calibration errors,
    so that it can stand beside the other methods. Scores that need members are left out.
    """
    calibration, test = bench.plain
    plain, target = tensor(calibration.plain), tensor(calibration.target)

    def steps(fitted: np.ndarray, at: Tensor) -> np.ndarray:
        return (at + split_conformal.steps(plain[fitted], target[fitted])[:, None]).numpy()

    crossed = cross_fitted(calibration, lambda fitted, scored: steps(fitted, plain[scored]))
    whole = replace(test, members=steps(np.ones(len(plain), dtype=bool), tensor(test.plain)))
    outcome = outcome_of(None, 0, crossed, whole, is_distribution=True, attention_share=0.0)
    of_intervals = split_conformal.fit_split_conformal(plain, target, SHOWN_LEVELS).scores(
        tensor(test.plain), tensor(test.target), test.weights
    )
    without_members = {name: outcome.scores[name] for name in ("rmse", "bias", "rmse_plain", "mae_plain", "n_case", "n")}
    return replace(outcome, scores={**without_members, "crps_fair": outcome.scores["crps"], **of_intervals})
