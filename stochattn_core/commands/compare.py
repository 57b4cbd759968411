"""stochattn compare: the tuned concentration beside corrections and references, on the same cases."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import tuning_of
from stochattn_core.commands.options import add_alias, add_case, add_search
from stochattn_core.commands.progress import ProgressBar

if TYPE_CHECKING:
    from stochattn_core.compare import Row

COLUMNS = ("method", "ratio", "fair crps", "gain (90% interval)", "rmse", "cov 90", "width 90")
LINE = "{:<44} {:>6} {:>10} {:>30} {:>9} {:>7} {:>9}"


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
        "tuned": asdict(tuning.setting.setting),
    }
    return Answer(document, "\n".join([LINE.format(*COLUMNS), *(LINE.format(*_cells(row)) for row in rows), comparison.sentence]))


def _row(row: Row) -> dict[str, Any]:
    """Return a row of the comparison as the JSON document holds it."""
    setting = None if row.setting is None else asdict(row.setting)
    gains = {name: getattr(row, name)._asdict() for name in ("gain", "gain_calibration")}
    about = {name: getattr(row, name) for name in ("name", "title", "kind", "passes", "problem")}
    return {**about, "setting": setting, **gains, "scores": row.scores}


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Return the texts of COLUMNS for one row."""
    if row["scores"] is None:
        return [row["title"], *[""] * 5, row["problem"]]
    values = [row["scores"].get(name) for name in ("spread_skill_ratio", "crps_fair", "rmse", "coverage_90", "width_90")]
    ratio, crps, rmse, coverage, width = ("-" if value is None else f"{value:.4g}" for value in values)
    estimate, low, high = row["gain"].values()
    gain = f"{estimate:.3g} ({low:.3g} to {high:.3g})" if estimate == estimate else "-"
    return [row["title"], ratio, crps, gain, rmse, coverage, width]


COMPARE = Command(
    "compare", "The tuned concentration beside corrections and other ways to an ensemble, on the same cases.", _add_options, _run
)
