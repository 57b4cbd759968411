"""The best reference forecast in what a command prints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stochattn_core.evaluate import Evaluation


def reference_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the reference forecasts as the JSON document holds them: the RMSE of each by name, and the best beside the ensemble, or None."""
    best = evaluation.best_reference
    return {
        "references": dict(evaluation.references),
        "best_reference": None
        if best is None
        else {
            "name": best.name,
            "rmse": best.rmse,
            "ratio": best.ratio,
            "low": best.low,
            "high": best.high,
            "level": best.level,
            "n_effective": best.n_effective,
            "crps": best.crps,
            "crps_ratio": best.crps_ratio._asdict(),
            "sentence": best.sentence,
        },
    }


def skill_document(evaluation: Evaluation) -> dict[str, float]:
    """Return the interval of the CRPS skill over the climatology, from the same cases for both."""
    from stochattn_core.metrics.significance import LEVEL
    from stochattn_core.references.paired import paired_ratio

    pooled = evaluation.ensemble.pooled
    ratio = paired_ratio(pooled.crps_fair.numpy(), pooled.crps_climatology.numpy())
    return {"level": LEVEL, "low": 1 - ratio.high, "high": 1 - ratio.low, "n_effective": ratio.n_effective}


def skill_line(evaluation: Evaluation) -> str:
    """Return the CRPS skill over the climatology with its interval; "" where there is no climatology."""
    skill, ends = evaluation.scores["crps_skill_climatology"], skill_document(evaluation)
    if not math.isfinite(skill) or not math.isfinite(ends["low"]):
        return ""
    return f"CRPS skill over climatology: {skill:.3g} ({ends['level']:.0%} interval {ends['low']:.3g} to {ends['high']:.3g})"


def reference_sentence(evaluation: Evaluation) -> str:
    """Return what the best reference forecast shows of the ensemble mean."""
    from stochattn_core.references.result import NO_REFERENCE

    return evaluation.best_reference.sentence if evaluation.best_reference else NO_REFERENCE
