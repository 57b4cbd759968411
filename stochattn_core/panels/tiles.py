"""The tiles of a page: every score with tile=True, its judgement, and a number to compare it with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.scores import SCORES, Grade, Judgement, Score, tiles
from stochattn_core.references.result import ReferenceResult
from stochattn_core.verdict import Verdict
from stochattn_core.verdict.phrases import counted
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


def headline(verdict: Verdict, summary: Summary, reference: ReferenceResult | None) -> Headline:
    """Return the sentence that reconciles the tiles. verdict: on the ensemble that is shown.   reference: the best reference forecast."""
    loss = _loss(reference)
    if not summary.has_spread:
        if summary.scores["rmse"] > 0:
            one_answer = f"One answer for each case, without uncertainty.{loss}"
            return Headline("none", "Plain model", one_answer, "" if loss else "Next: choose a ν to see an ensemble.")
        return Headline("none", "Nothing to judge", "There is no spread, and no error that it could match.", "")
    return conclusion(verdict, reference)


def conclusion(verdict: Verdict, reference: ReferenceResult | None) -> Headline:
    """Return a verdict in words. Where the ensemble mean loses to the reference, the next step is that of the loss: calibration does not mend it."""
    loss = _loss(reference)
    grade: Grade = "doubtful" if loss and verdict.grade == "good" else verdict.grade
    return Headline(grade, _capital(verdict.word), f"{_capital(verdict.finding)}.{loss}", "" if loss else f"Next: {verdict.next}.")


def _loss(reference: ReferenceResult | None) -> str:
    return f" {reference.sentence}" if reference and reference.loses else ""


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def score_tiles(summary: Summary, units: str, reference: ReferenceResult | None) -> list[Tile]:
    """Return the tiles of a summary. units: of the target.   reference: the best reference forecast on the same cases, None where there is none."""
    return [_tile(score, summary, units_text(units), reference) for score in tiles()]


def _tile(score: Score, summary: Summary, units: str, reference: ReferenceResult | None) -> Tile:
    value = summary.scores[score.key]
    return Tile(
        score.titled(summary.n_member),
        f"{value:.0%}" if score.unit == "percent" else number(value),
        summary.judgements.get(score.key),
        _beside(score, summary, units, reference),
        units if score.unit == "target" else "",
        score.description,
    )


def _beside(score: Score, summary: Summary, units: str, reference: ReferenceResult | None) -> str:
    if score.reference == "range":
        low, high = summary.ranges[score.key]
        known = is_known((low, high)) and high > 0
        worth = summary.verdict.n_effective
        behind = f" · {counted(worth)}" if math.isfinite(worth) else ""
        return f"90% range {number(low)} to {number(high)}{behind}" if known else "90% range unknown" if summary.has_spread else "no spread"
    if score.reference == "chance":
        known = math.isfinite(summary.w1_by_chance)
        return f"by chance {number(summary.w1_by_chance)}" if known else "too few cases for a comparison"
    if score.reference not in SCORES:
        return ""
    other = SCORES[score.reference]
    text = f"{score.reference_name or other.short} {number(summary.scores[other.key])}"
    if score.unit != other.unit and other.unit == "target":
        text = f"{text} {units}".rstrip()
    if score.beside_references and reference:
        text += f" · {reference.name} {number(reference.rmse)}"
    return text
