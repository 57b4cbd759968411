"""stochattn evaluate: scores of a model at one concentration on the test part."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import evaluation_of
from stochattn_core.commands.options import add_case, add_setting
from stochattn_core.commands.references import reference_document, reference_sentence, skill_document, skill_line
from stochattn_core.commands.score import score_text

if TYPE_CHECKING:
    from stochattn_core.evaluate import Evaluation
    from stochattn_core.metrics.events import Event


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_case(parser)
    add_setting(parser)
    parser.add_argument(
        "--setting",
        type=Path,
        metavar="tuned.json",
        help="a tuned setting, instead of --concentration, --members, --seed, --layers and --correction",
    )
    parser.add_argument(
        "--event",
        metavar="EVENT",
        help="also the scores of a threshold event: '>30', '<-5', or '>q90', above the 90%% quantile of the climatology",
    )


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.metrics.events import Event

    event = None if options.event is None else Event.parse(options.event)
    evaluation = evaluation_of(options, part="test")
    document: dict[str, Any] = {
        "model": evaluation.model,
        "dataset": evaluation.dataset,
        "part": "test",
        "lead_time": evaluation.ensemble.lead_text,
        "concentration": evaluation.setting.concentration,
        "seed": evaluation.setting.seed,
        "layers": evaluation.layers,
        "correction": evaluation.setting.correction,
        **reference_document(evaluation),
        "crps_skill_climatology_interval": skill_document(evaluation),
        **evaluation.scores,
    }
    if event is not None:
        document["event"] = _event_document(evaluation, event)
    references = "\n".join(f"  rmse of {name:<24} {value:.6g}" for name, value in evaluation.references.items())
    lead_time = f"\nlead time: {evaluation.ensemble.lead_text}" if evaluation.ensemble.lead_time else ""
    of_event = "" if event is None else "\n" + _event_text(document["event"])
    closing = "\n".join(line for line in (references, skill_line(evaluation), reference_sentence(evaluation)) if line)
    return Answer(document, score_text(evaluation.scores, evaluation.ensemble.units) + lead_time + "\n" + closing + of_event)


def _event_document(evaluation: Evaluation, event: Event) -> dict[str, Any]:
    """Return the event and its scores with their 90% intervals; null where a number is not known."""
    from stochattn_core.metrics.event_scores import event_scores

    ensemble = evaluation.ensemble
    scores = event_scores(
        ensemble.members, ensemble.target, ensemble.block, event, climatology=ensemble.climatology, weights=ensemble.weights
    )
    rows = {key: {"value": score.value, "low_90": score.low, "high_90": score.high} for key, score in scores.items()}
    known = {key: {name: value if math.isfinite(value) else None for name, value in row.items()} for key, row in rows.items()}
    return {"event": event.text, "words": event.words(ensemble.units), "scores": known}


def _event_text(document: Mapping[str, Any]) -> str:
    """Return one line for each score of an event."""
    lines = [f"event: target {document['words']}"]
    for key, row in document["scores"].items():
        value, low, high = ("not defined" if number is None else f"{number:.4g}" for number in row.values())
        lines.append(f"  {key:<26} {value}" + ("" if row["low_90"] is None else f"  (90% interval {low} to {high})"))
    return "\n".join(lines)


EVALUATE = Command("evaluate", "Scores of a model at one concentration on the test part.", _add_options, _run)
