"""Errors of the ensemble mean and of the plain model: RMSE, bias, drift, MAE."""

from __future__ import annotations

from torch import Tensor

from stochattn_core.metrics.scores.rule import Rule
from stochattn_core.metrics.scores.score import Curve, Score
from stochattn_core.metrics.statistics import Statistics

COST_LIMIT = 1.05  # RMSE of the mean over that of the plain model, above which the mean has drifted
BIAS_LIMIT = 0.15  # of the RMSE: 2% of the squared error


def rmse_of_sums(sums: Statistics) -> Tensor:
    """Return the RMSE of the ensemble mean, (block, *event), in the units of the target."""
    return (sums.error_sq / sums.n).sqrt()


def rmse_plain_of_sums(sums: Statistics) -> Tensor:
    """Return the RMSE of the plain model, (block, *event), in the units of the target."""
    return (sums.plain_error_sq / sums.n).sqrt()


def cost(sums: Statistics, w1_by_chance: float = 0.0) -> Tensor:
    """Return the RMSE of the mean of infinitely many members over the RMSE of the plain model: (block,), no units.

    The squared error of the mean of M members is larger by variance / M than that of infinitely many; this part is subtracted.
    """
    return ((sums.error_sq - sums.variance / sums.n_member).clamp(min=0) / sums.plain_error_sq).sqrt()


def relative_bias(sums: Statistics, w1_by_chance: float = 0.0) -> Tensor:
    """Return the mean error of the ensemble mean over its RMSE: (block,), no units, 0 without bias."""
    return sums.error / sums.n / (sums.error_sq / sums.n).sqrt()


rmse = Score(
    "rmse",
    "RMSE of the mean",
    "RMSE",
    "How far the mean of the members is from the truth; it should not be worse than the plain model's one answer.",
    "target",
    "smaller",
    rmse_of_sums,
    scale="log",
    reference="rmse_plain",
    rule=Rule(
        "cost",
        ideal=1.0,
        high=COST_LIMIT,
        scale="log",
        within="no drift",
        above="{gap:.0%} worse",
        about="RMSE of the mean of infinitely many members over that of the plain model",
    ),
    tested=cost,
    tile=True,
    headline=True,
    order=5,
    curve=Curve("error and spread", "RMSE of the mean", role="error", by_region=True),
    beside_references=True,
)
bias = Score(
    "bias",
    "Bias",
    "bias",
    "The mean error of the ensemble mean, forecast minus truth: above 0 where the forecast is too high.",
    "target",
    "ideal",
    lambda sums: sums.error / sums.n,
    ideal=0.0,
    rule=Rule(
        "bias",
        ideal=0.0,
        low=-BIAS_LIMIT,
        high=BIAS_LIMIT,
        within="no large bias",
        below="too low",
        above="too high",
        about="mean error of the ensemble mean over its RMSE",
        text=lambda rule: f"within {rule.high:g} of 0",
    ),
    tested=relative_bias,
)
drift = Score(
    "drift",
    "Drift of the mean",
    "drift",
    "How far the ensemble mean strays from the plain model, as a share of the plain model's error.",
    "none",
    "ideal",
    lambda sums: (sums.drift_sq / sums.n).sqrt() / rmse_plain_of_sums(sums),
    ideal=0.0,
)
mae_plain = Score(
    "mae_plain",
    "MAE of the plain model",
    "plain model",
    "The mean absolute error of the plain model's one answer, which is also its CRPS.",
    "target",
    "smaller",
    lambda sums: sums.plain_error_abs / sums.n,
    scale="log",
    curve=Curve("fair CRPS", role="plain", dash="dash"),
)
rmse_plain = Score(
    "rmse_plain",
    "RMSE of the plain model",
    "plain",
    "How far the plain model's one answer is from the truth.",
    "target",
    "smaller",
    rmse_plain_of_sums,
    scale="log",
    curve=Curve("error and spread", "plain model: RMSE, absolute error", role="plain", dash="dash"),
)
