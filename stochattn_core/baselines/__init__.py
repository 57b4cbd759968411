"""BASELINES: other ways to tell how uncertain the answer of a trained model is. A new one is one file here and one line in the table."""

from __future__ import annotations

from typing import Literal, NamedTuple

from stochattn_core.baselines import conformal, dressing, schaake, temperature
from stochattn_core.baselines.conformal import SplitConformal
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.baselines.schaake import ConformalSchaake
from stochattn_core.baselines.temperature import Temperature

__all__ = [
    "BASELINES",
    "Baseline",
    "ConformalSchaake",
    "GaussianDressing",
    "ResidualDressing",
    "SplitConformal",
    "Temperature",
    "conformal",
    "dressing",
    "schaake",
    "temperature",
]


class Baseline(NamedTuple):
    """One line of the table. title is for a select box, description for the reader; gives is "members" (an ensemble) or "intervals"."""

    title: str
    description: str
    gives: Literal["members", "intervals"]


BASELINES: dict[str, Baseline] = {
    "temperature": Baseline(
        "Temperature scaling",
        "An ensemble stretched about its own mean by one number, fitted so that spread matches error on calibration data.",
        "members",
    ),
    "conformal": Baseline(
        "Split conformal",
        "An interval about the plain answer, as wide as its errors on calibration data: it guarantees coverage, but has no members.",
        "intervals",
    ),
    "gaussian-dressing": Baseline(
        "Gaussian dressing",
        "The plain answer plus independent normal noise, as large in each lead time or cell as the errors on calibration data: hard to beat on "
        "the CRPS of each, without joint structure.",
        "members",
    ),
    "residual-dressing": Baseline(
        "Residual dressing",
        "The plain answer plus the error of a calibration case drawn at random, the whole event at once: as hard to beat, with the joint "
        "structure of errors, but the same spread in every case.",
        "members",
    ),
    "conformal-schaake": Baseline(
        "Conformal + Schaake shuffle",
        "Members at the quantiles of split conformal in each lead time or cell, in the order of calibration trajectories: the coverage of "
        "conformal, with a joint structure, but the same spread in every case.",
        "members",
    ),
    "conformal-schaake-errors": Baseline(
        "Conformal + Schaake shuffle of errors",
        "The same with the order of calibration errors, which are what members have to vary with where the forecast follows the trajectory.",
        "members",
    ),
}
