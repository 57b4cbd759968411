"""stochattn compare: the tuned concentration beside corrections and references, on the same cases."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import tuning_of
from stochattn_core.commands.options import add_alias, add_case, add_search
from stochattn_core.commands.progress import ProgressBar
from stochattn_core.commands.references import reference_document, reference_sentence

if TYPE_CHECKING:
    from stochattn_core.compare import Row


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_case(parser)
    add_search(parser, "the first search, for the concentration alone and not for the corrections,")
    parser.add_argument("--corrections", metavar="NAME,NAME", help="only these corrections; all when not given")
    add_alias(parser, "--mends", "corrections")


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.compare import compare, selected

    corrections = selected(
        None if options.corrections is None else [name.strip() for name in options.corrections.split(",") if name.strip()]
    )
    with ProgressBar() as progress:
        model, dataset, tuning = tuning_of(options, progress)
        comparison = compare(model, dataset, tuning, corrections=corrections, device=options.device, progress=progress)
    rows = [_row(row) for row in comparison.rows]
    document = {
        "rows": rows,
        "recommended": comparison.recommended.name if comparison.recommended else None,
        "sentence": comparison.sentence,
        "units": comparison.units,
        **reference_document(tuning.after),
        "tuned": asdict(tuning.setting.setting),
    }
    return Answer(document, "\n".join([*_table(rows), comparison.sentence, reference_sentence(tuning.after)]))


def _row(row: Row) -> dict[str, Any]:
    """Return a row of the comparison as the JSON document holds it."""
    setting = None if row.setting is None else asdict(row.setting)
    gains = {name: getattr(row, name)._asdict() for name in ("gain", "gain_calibration")}
    about = {name: getattr(row, name) for name in ("name", "title", "kind", "passes", "problem")}
    return {**about, "setting": setting, **gains, "scores": row.scores}


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the table: one row a method, one column for each headline score."""
    from stochattn_core.metrics.scores import headlines

    scores = headlines()
    line = "{:<44} {:>30}" + " {:>12}" * len(scores)
    lines = [line.format("method", "gain (90% interval)", *(score.short for score in scores))]
    for row in rows:
        if row["scores"] is None:
            lines.append(f"{row['title']:<44} {row['problem']}")
            continue
        values = (row["scores"].get(score.key) for score in scores)
        estimate, low, high = list(row["gain"].values())[:3]
        gain = f"{estimate:.3g} ({low:.3g} to {high:.3g})" if estimate == estimate else "-"
        lines.append(line.format(row["title"], gain, *("-" if value is None else f"{value:.4g}" for value in values)))
    return lines


COMPARE = Command(
    "compare", "The tuned concentration beside corrections and other ways to an ensemble, on the same cases.", _add_options, _run
)
