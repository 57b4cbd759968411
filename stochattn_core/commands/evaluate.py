"""stochattn evaluate: scores of a model at one concentration on the test part."""

from __future__ import annotations

import argparse
from pathlib import Path

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import evaluation_of
from stochattn_core.commands.options import add_case, add_setting
from stochattn_core.commands.references import reference_document, reference_sentence, skill_document, skill_line
from stochattn_core.commands.score import score_text


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_case(parser)
    add_setting(parser)
    parser.add_argument(
        "--setting",
        type=Path,
        metavar="tuned.json",
        help="a tuned setting, instead of --concentration, --members, --seed, --layers and --correction",
    )


def _run(options: argparse.Namespace) -> Answer:
    evaluation = evaluation_of(options, part="test")
    document = {
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
    references = "\n".join(f"  rmse of {name:<24} {value:.6g}" for name, value in evaluation.references.items())
    lead_time = f"\nlead time: {evaluation.ensemble.lead_text}" if evaluation.ensemble.lead_time else ""
    closing = "\n".join(line for line in (references, skill_line(evaluation), reference_sentence(evaluation)) if line)
    return Answer(document, score_text(evaluation.scores, evaluation.ensemble.units) + lead_time + "\n" + closing)


EVALUATE = Command("evaluate", "Scores of a model at one concentration on the test part.", _add_options, _run)
