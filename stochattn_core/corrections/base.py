"""The parts of a correction: its recipe, its fit on calibration data, and the entry of CORRECTIONS that holds both."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from torch import Tensor

from stochattn_core.ensemble_data import Ensemble

TASKS = ("table", "series", "grid")


@dataclass(frozen=True)
class Request:
    """An uncorrected ensemble that a recipe asks for.

    seed: of what is drawn once for a member.   case_seed: of what is drawn for each case; every part of a dataset has its own.
    shared: all rows and heads of a layer take the same random numbers.
    """

    concentration: int | float
    n_member: int
    seed: int = 0
    case_seed: int = 0
    shared: bool = False


Sampler = Callable[[Request], Ensemble]  # gives an uncorrected ensemble, computed or read from the store


class Recipe(ABC):
    """One correction with its numbers: a way to make an ensemble from uncorrected ones. `text` is canonical: parse(recipe.text) == recipe.

    The class variables say where the concentration of a setting with this correction comes from, for the search and for the exported file.
    """

    example: ClassVar[str]
    concentration_is_given: ClassVar[bool] = False  # the correction fixes the concentration, and no search finds it
    searches_concentration: ClassVar[bool] = False  # the search for the concentration makes its passes with this correction
    without_attention: ClassVar[str] = ""  # what the corrected ensemble becomes as the share of attention in its variance goes to 0
    own_objective: ClassVar[str] = ""  # the objective whose optimum the correction takes; "": the one that is tuned for

    @classmethod
    @abstractmethod
    def of(cls, values: list[str], text: str) -> Recipe:
        """The recipe from the words after its name. ValueError, which quotes the whole text, where they do not fit."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The name and the numbers, as in Setting.correction."""

    @property
    def value(self) -> str:
        """The numbers in a few words for a reader, to stand after the title: "× 3.2"; "" where the title says it all."""
        return ""

    @abstractmethod
    def ensemble(self, sample: Sampler, request: Request) -> Ensemble:
        """The corrected ensemble. request: of the uncorrected ensemble that a setting with a finite concentration describes."""

    def concentration(self, asked: int | float) -> int | float:
        """The concentration that a setting with this correction has, where the user asked for another one."""
        return asked


class SearchedConcentration(NamedTuple):
    """What a search for the concentration found on the calibration part.

    whole: the concentration to use.   matching: where the spread equals the error, not rounded.   passes: over the calibration part.
    """

    whole: int
    matching: float
    passes: int


class Workbench(Protocol):
    """A network and the calibration part of a dataset, with which a correction is fitted."""

    @property
    def n_member(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def layers(self) -> str:
        """The pattern of the layers that are sampled without a correction."""

    def search(self, *, correction: str = "", layers: str = "") -> SearchedConcentration:
        """The concentration for these layers ("": those of the workbench), found with a correction that searches_concentration."""

    def calibration(self, concentration: int | float) -> Ensemble:
        """The uncorrected ensemble of the calibration part at a concentration."""

    def entropy(self) -> Mapping[str, float]:
        """Mean row entropy by name of the attention layer, in the order of the pass."""


class Intervals(Protocol):
    """Prediction intervals on top of an ensemble, fitted on calibration cases."""

    @property
    def level(self) -> tuple[float, ...]: ...

    @property
    def offset(self) -> Tensor: ...

    def scores(self, members: Tensor, target: Tensor, weights: Tensor | None = None) -> dict[str, float]: ...


@dataclass(frozen=True, eq=False)
class Fitted:
    """A correction fitted on the calibration part, and so the setting that uses it.

    layers: "" for those of the workbench.   recipe: None where the members stay as they are sampled.
    passes: stochastic passes over the calibration part that the fit took.
    calibration: the calibration ensemble cross-fitted, each half of the blocks corrected by what was fitted on the other half; None where
    nothing but the concentration was fitted, so that the ensemble of the setting itself is scored.
    intervals: on top of the members, where the correction gives intervals.
    attention_share: of the mean variance of the corrected members that attention supplies; the rest is noise of the correction's own.
    """

    concentration: int | float
    passes: int
    layers: str = ""
    recipe: Recipe | None = None
    calibration: Ensemble | None = None
    intervals: Intervals | None = None
    attention_share: float = 1.0


def one_variant(workbench: Workbench) -> Mapping[str, str]:
    """The correction can be fitted in one way only."""
    return {"": ""}


@dataclass(frozen=True, eq=False)
class Correction:
    """An entry of CORRECTIONS.

    key: its name on the command line and in a comparison, and the first word of its text where it has a recipe.
    title: for a select box.   description: one sentence.   cost: what it takes beyond one ensemble.   source: a paper, or "this project".
    fit(workbench, variant): fits the correction; None where there is nothing to correct. ValueError, in one sentence, where it cannot be fitted.
    recipe: how its ensembles are made; None where a setting needs no text for it.
    variants(workbench): the ways to fit it that are compared, title by variant.   tasks: of the datasets that it serves.
    changes_members: False where the members, and so their CRPS, stay as they are.
    """

    key: str
    title: str
    description: str
    cost: str
    source: str
    fit: Callable[[Workbench, str], Fitted | None]
    recipe: type[Recipe] | None = None
    variants: Callable[[Workbench], Mapping[str, str]] = one_variant
    tasks: tuple[str, ...] = TASKS
    changes_members: bool = True


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


def four_digits(value: float) -> float:
    """The number rounded to four significant digits, as it is written into a text."""
    return float(f"{value:.4g}")
