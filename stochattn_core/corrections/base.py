"""What a correction's recipe is: a way to make an ensemble from uncorrected ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:  # forecasts imports the settings, and they this package
    from stochattn_core.forecasts import Ensemble
    from stochattn_core.settings import Setting


class Ensembles(Protocol):
    """The uncorrected ensemble of a setting, from the store or computed; shared: with draws shared over the rows and heads of a layer."""

    def __call__(self, setting: Setting, *, shared: bool = False) -> Ensemble: ...


class Recipe(ABC):
    """One correction with its number. `text` is canonical: parse(recipe.text) == recipe."""

    example: ClassVar[str]

    @classmethod
    @abstractmethod
    def of(cls, values: list[str], text: str) -> Recipe:
        """From the words after the name; ValueError, with the whole text, where they do not fit."""

    @property
    @abstractmethod
    def text(self) -> str: ...

    @abstractmethod
    def ensemble(self, of: Ensembles, setting: Setting) -> Ensemble:
        """The corrected ensemble of a setting whose concentration is finite. `of` is asked for settings without a correction."""

    def concentration(self, asked: int | float) -> int | float:
        """The concentration that a setting with this correction says it has, where `asked` was given."""
        return asked


def one_number(values: list[str], text: str, example: str) -> float:
    """The one number of a text, finite."""
    try:
        (value,) = map(float, values)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"expected a correction with one number, such as {example!r}, got {text!r}")
    return value


def number_text(value: float) -> str:
    """The shortest text that gives the number back."""
    return repr(float(value)).removesuffix(".0")
