"""Corrections: one step beyond the paper's method, for models that no concentration calibrates. All are off by default.

A correction is one file here and one line in CORRECTIONS. A correction with a recipe changes how an ensemble is made, and has a text, the
same in Python, on the command line, in a link and in tuned.json: "inflation 3.2", "noise 2.1 0.3", "fractional 5.4", "shared", or "cpit" with
51 numbers; "" means no correction. Corrections without a recipe need no text: a group of layers is chosen by Setting.layers, and conformal
intervals lie on top of any ensemble. `stochattn_core.compare` measures what each correction gains.
"""

from __future__ import annotations

from stochattn_core.corrections import conformal, conformal_pit, fractional, inflation, layers, noise, shared
from stochattn_core.corrections.base import (
    Correction,
    Fitted,
    Intervals,
    Recipe,
    Request,
    Sampler,
    SearchedConcentration,
    Workbench,
)
from stochattn_core.corrections.conformal_pit import ConformalPit
from stochattn_core.corrections.fractional import Fractional
from stochattn_core.corrections.inflation import Inflation
from stochattn_core.corrections.noise import Noise
from stochattn_core.corrections.shared import Shared

__all__ = [
    "CORRECTIONS",
    "ConformalPit",
    "Correction",
    "Fitted",
    "Fractional",
    "Inflation",
    "Intervals",
    "Noise",
    "Recipe",
    "Request",
    "Sampler",
    "SearchedConcentration",
    "Shared",
    "Workbench",
    "in_words",
    "parse",
]

# In the order of preference that trials gave.
CORRECTIONS: dict[str, Correction] = {
    entry.key: entry
    for entry in (
        inflation.CORRECTION,
        noise.CORRECTION,
        conformal_pit.CORRECTION,
        layers.CORRECTION,
        conformal.CORRECTION,
        shared.CORRECTION,
        fractional.CORRECTION,
    )
}


def parse(text: str) -> Recipe:
    """The recipe of a text, whose own text is then the canonical one. ValueError for a text that is no correction.

    >>> parse(" inflation  3.20").text
    'inflation 3.2'
    """
    name, *values = (text.split() if isinstance(text, str) else []) or [""]
    correction = CORRECTIONS.get(name)
    if correction is None or correction.recipe is None:
        examples = ", ".join(f"{_shortened(entry.recipe.example)!r}" for entry in CORRECTIONS.values() if entry.recipe)
        raise ValueError(f"correction must be one of {examples}, got {_shortened(text)!r}; leave it out for none")
    return correction.recipe.of(values, text)


def _shortened(text: object) -> object:
    """A text as an error quotes it."""
    return f"{text[:30]}..." if isinstance(text, str) and len(text) > 40 else text


def in_words(text: str) -> str:
    """A correction in words for a reader: its title and its numbers.

    >>> in_words("inflation 3.21")
    'output inflation × 3.21'
    """
    recipe = parse(text)
    title = CORRECTIONS[text.split()[0]].title
    return f"{title[:1].lower()}{title[1:]} {recipe.value}".rstrip()
