"""stochattn score: every score of an ensemble that is already in a file."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.options import add_ensemble_file
from stochattn_core.commands.progress import ProgressBar

# Scores that need the climatology of a training part, which a file of forecasts does not hold.
OF_TAILS = ("tail_upper", "tail_upper_skill", "tail_lower", "tail_lower_skill")
OF_CLIMATOLOGY = ("crps_uncertainty", "crps_resolution", "crps_skill_climatology", *OF_TAILS)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a NetCDF file or a Zarr store, a path or an address, with forecasts (member, ...)")
    parser.add_argument("--target", metavar="VAR", help="the variable of the targets")
    add_ensemble_file(parser)


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.ensemble_file import score_file

    with ProgressBar() as progress:
        result = score_file(
            options.file, truth=options.truth, forecast=options.forecast, target=options.target, member=options.member, progress=progress
        )
    for note in result.notes:
        sys.stderr.write(f"note: {note}\n")
    document = {key: value if math.isfinite(value) else None for key, value in result.values.items()}
    return Answer(document, score_text(result.values, result.units))


def score_text(values: Mapping[str, float | int], units: str) -> str:
    """Return one line a score, without those of a climatology, and the units of the target. A ratio such as 0/0 is "not defined"."""
    known = {name: value for name, value in values.items() if math.isfinite(value) or name not in OF_CLIMATOLOGY}
    lines = [f"{name:<28} {_number(value)}" for name, value in known.items()]
    return "\n".join([*lines, *([f"units: {units}"] if units else [])])


def _number(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else "not defined"


SCORE = Command(
    "score", "Every score of an ensemble file, whoever made it, against targets in the same file or in another.", _add_options, _run
)
