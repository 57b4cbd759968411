"""Corrections: one step beyond the paper's method, for models that no concentration calibrates. All are off by default.

A correction that changes how an ensemble is made has a text, the same in Python, on the command line, in a link and in tuned.json:
"inflation 3.2", "noise 2.1 0.3", "fractional 5.4", "shared"; "" means no correction. Two corrections have no text: a group of layers is
chosen by Setting.layers, and conformal intervals lie on top of any ensemble. `stochattn_core.compare` measures what each one gains.
"""

from __future__ import annotations

from typing import NamedTuple

from stochattn_core.corrections.base import Ensembles, Recipe
from stochattn_core.corrections.fractional import Fractional
from stochattn_core.corrections.inflation import Inflation
from stochattn_core.corrections.noise import Noise
from stochattn_core.corrections.shared import Shared

__all__ = ["CORRECTIONS", "Correction", "Ensembles", "Fractional", "Inflation", "Noise", "Recipe", "Shared", "parse"]


class Correction(NamedTuple):
    """title for a select box, description in one sentence, cost: what it takes beyond one ensemble."""

    title: str
    description: str
    cost: str


# In the order in which trials favour them.
CORRECTIONS: dict[str, Correction] = {
    "inflation": Correction(
        "Output inflation",
        "Members at a moderate concentration are moved away from the plain forecast by one factor, so that spread matches error on "
        "calibration data while the mean hardly drifts.",
        "one ensemble of the calibration part, and one more number that is fitted",
    ),
    "noise": Correction(
        "Inflation and noise",
        "Inflation, and to each member normal noise: the part of the error that attention does not see. For tables, one number a case.",
        "one ensemble of the calibration part, and two more numbers that are fitted",
    ),
    "layers": Correction(
        "Group of layers",
        "Only a group of the attention layers is sampled; the others stay plain.",
        "one search of the concentration for each group",
    ),
    "conformal": Correction(
        "Conformal intervals on top",
        "The intervals of the ensemble are moved out, or in, until they hold what they say on calibration data: a promise on coverage for "
        "exchangeable cases. The members stay as they are.",
        "one ensemble of the calibration part",
    ),
    "shared": Correction(
        "Shared draws",
        "All rows and heads of a layer take the same random numbers; each row keeps its exact law, and the spread of the output grows.",
        "one search of the concentration",
    ),
    "fractional": Correction(
        "Fractional concentration",
        "Each member takes one of the two whole concentrations beside the optimum, with the probability that makes the variance that of "
        "the optimum itself.",
        "two ensembles in place of one",
    ),
}

_RECIPES: dict[str, type[Recipe]] = {"inflation": Inflation, "noise": Noise, "fractional": Fractional, "shared": Shared}


def parse(text: str) -> Recipe:
    """The recipe of a text, whose own text is then the canonical one. ValueError for a text that is no correction.

    >>> parse(" inflation  3.20").text
    'inflation 3.2'
    """
    name, *values = (text.split() if isinstance(text, str) else []) or [""]
    if name not in _RECIPES:
        raise ValueError(
            f"correction must be one of {', '.join(f'{cls.example!r}' for cls in _RECIPES.values())}, got {text!r}; leave it out for none"
        )
    return _RECIPES[name].of(values, text)
