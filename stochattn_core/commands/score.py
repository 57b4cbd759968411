"""stochattn score: every score of an ensemble that is already in a file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from stochattn_core.commands.base import Answer, Command


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="E.nc", help="a NetCDF file with forecast (member, ...) and target (...)")


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.ensemble_file import read_ensemble
    from stochattn_core.metrics import scores

    ensemble = read_ensemble(options.file)
    values = scores(ensemble.pooled)
    return Answer(values, score_text(values, ensemble.units))


def score_text(values: Mapping[str, float | int], units: str) -> str:
    """Return one line a score, without those that are NaN, and the units of the target."""
    lines = [f"{name:<28} {value:.6g}" for name, value in values.items() if value == value]
    return "\n".join([*lines, *([f"units: {units}"] if units else [])])


SCORE = Command("score", "Every score of an ensemble file, whoever made it: forecast (member, ...), target (...).", _add_options, _run)
