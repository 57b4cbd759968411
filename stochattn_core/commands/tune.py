"""stochattn tune: the concentration at which spread matches error, with its interval and a verdict."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import tuning_of
from stochattn_core.commands.options import add_case, add_search
from stochattn_core.commands.progress import ProgressBar
from stochattn_core.commands.references import reference_sentence
from stochattn_core.commands.score import score_text


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_case(parser)
    add_search(parser)
    parser.add_argument("--out", type=Path, metavar="tuned.json")


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.ensemble_file import check_writable
    from stochattn_core.tuning.held_out import held_out_text

    if options.out:
        check_writable(options.out)
    with ProgressBar() as progress:
        _, _, tuning = tuning_of(options, progress)
    if options.out:
        tuning.setting.save(options.out)
    level, low, high = tuning.interval
    ended = "; the budget ended the search: give more, and it goes on from there" if tuning.ended else ""
    optima = "\n".join(
        f"  {name:<12} {optimum.value:>8.4g} ({optimum.low:.3g} to {optimum.high:.3g})" for name, optimum in tuning.optima.items()
    )
    behind = f" on {tuning.n_effective:,.0f} independent cases" if math.isfinite(tuning.n_effective) else ""
    text = (
        f"nu* {tuning.optimum:.4g} ({level:.0%} interval {low:.3g} to {high:.3g}{behind}), {tuning.passes} passes{ended}\n"
        f"used: {tuning.concentration}, {tuning.used_because}\n"
        f"{tuning.verdict}: {tuning.sentence}\n{held_out_text(tuning.held_out)}optimum by objective, with its interval\n{optima}\n"
        f"{score_text(tuning.after.scores, tuning.after.ensemble.units)}\n{reference_sentence(tuning.after)}"
    )
    return Answer(json.loads(tuning.setting.dumps()), text)


TUNE = Command("tune", "The concentration at which the spread matches the error, with its interval and a verdict.", _add_options, _run)
