"""The tiles of a page: every score with tile=True, its judgement, and a number to compare it with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import SCORES, Grade, Judgement, Score, tiles
from stochattn_core.verdict import Verdict
from stochattn_core.verdict.summary import Summary, is_known


@dataclass(frozen=True)
class Tile:
    """One number. beside: what to compare it with.   explanation: one sentence, shown on hover."""

    name: str
    value: str
    judgement: Judgement | None = None
    beside: str = ""
    units: str = ""
    explanation: str = ""


@dataclass(frozen=True)
class Headline:
    """The sentence over the tiles: what is so, and what to do next."""

    grade: Grade
    heading: str
    sentence: str
    then: str


def headline(verdict: Verdict, summary: Summary) -> Headline:
    """Return the sentence that reconciles the tiles. verdict: on the ensemble that is shown."""
    if not summary.has_spread:
        if summary.scores["rmse"] > 0:
            return Headline("none", "Plain model", "One answer for each case, without uncertainty.", "Next: choose a ν to see an ensemble.")
        return Headline("none", "Nothing to judge", "There is no spread, and no error that it could match.", "")
    return Headline(verdict.grade, _capital(verdict.word), f"{_capital(verdict.finding)}.", f"Next: {verdict.next}.")


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def score_tiles(summary: Summary, units: str, references: Mapping[str, float]) -> list[Tile]:
    """Return the tiles of a summary. units: of the target.   references: RMSE of the reference forecasts by name, if they can be compared."""
    return [_tile(score, summary, units_text(units), references) for score in tiles()]


def _tile(score: Score, summary: Summary, units: str, references: Mapping[str, float]) -> Tile:
    value = summary.scores[score.key]
    return Tile(
        score.titled(summary.n_member),
        f"{value:.0%}" if score.unit == "percent" else number(value),
        summary.judgements.get(score.key),
        _beside(score, summary, units, references),
        units if score.unit == "target" else "",
        score.description,
    )


def _beside(score: Score, summary: Summary, units: str, references: Mapping[str, float]) -> str:
    if score.reference == "range":
        low, high = summary.ranges[score.key]
        known = is_known((low, high)) and high > 0
        return f"90% range {number(low)} to {number(high)}" if known else "90% range unknown" if summary.has_spread else "no spread"
    if score.reference == "chance":
        known = math.isfinite(summary.w1_by_chance)
        return f"by chance {number(summary.w1_by_chance)}" if known else "too few cases for a comparison"
    if score.reference not in SCORES:
        return ""
    other = SCORES[score.reference]
    text = f"{score.reference_name or other.short} {number(summary.scores[other.key])}"
    if score.unit != other.unit and other.unit == "target":
        text = f"{text} {units}".rstrip()
    if score.beside_references and references:
        name, rmse = min(references.items(), key=lambda item: item[1])
        text += f" · {name} {number(rmse)}"
    return text
