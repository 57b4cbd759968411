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
    level, low, high = tuning.interval
    document = {
        "rows": rows,
        "recommended": comparison.recommended.name if comparison.recommended else None,
        "attention": comparison.attention.name if comparison.attention else None,
        "sentence": comparison.sentence,
        "n_effective": comparison.n_effective,
        "units": comparison.units,
        **reference_document(tuning.after),
        "tuned": asdict(tuning.setting.setting),
        "optimum": {"concentration": tuning.optimum, "level": level, "low": low, "high": high},
    }
    optimum = f"ν* = {tuning.optimum:.4g} ({level:.0%} interval {low:.3g} to {high:.3g}); used: {tuning.concentration:,}"
    return Answer(
        document, "\n".join([optimum, *_table(rows), "", *_evidence(rows), "", comparison.sentence, reference_sentence(tuning.after)])
    )


def _row(row: Row) -> dict[str, Any]:
    """Return a row of the comparison as the JSON document holds it."""
    setting = None if row.setting is None else asdict(row.setting)
    gains = {name: getattr(row, name)._asdict() for name in ("gain", "gain_calibration")}
    about = {name: getattr(row, name) for name in ("name", "title", "kind", "passes", "problem")}
    evidence = {
        "attention_share": row.attention_share,
        "association": None if row.association is None else row.association._asdict(),
        "price": None if row.price is None else {name: change._asdict() for name, change in row.price._asdict().items()},
    }
    return {**about, "setting": setting, **gains, **evidence, "scores": row.scores}


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the table: one row a method, one column for each headline score."""
    from stochattn_core.metrics.scores import headlines

    scores = headlines()
    width = max(len(_setting(row)) for row in rows)
    line = "{:<44} {:<" + str(width) + "} {:>30}" + " {:>12}" * len(scores)
    lines = [line.format("method", "setting", "gain (90% interval)", *(score.short for score in scores))]
    for row in rows:
        if row["scores"] is None:
            lines.append(f"{row['title']:<44} {row['problem']}")
            continue
        values = (row["scores"].get(score.key) for score in scores)
        gain = _estimate(row["gain"], "{:.3g}")
        lines.append(line.format(row["title"], _setting(row), gain, *("-" if value is None else f"{value:.4g}" for value in values)))
    return lines


def _evidence(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the second table: what attention supplies, and the price of calibration."""
    line = "{:<44} {:>17} {:>32} {:>30} {:>28}"
    head = ("method", "attention's share", "association of spread and error", "coverage over ν alone, points", "CRPS over ν alone, %")
    lines = [line.format(*head)]
    for row in rows:
        if row["scores"] is None:
            continue
        association = "none" if row["association"] is None else _estimate(row["association"], "{:.2f}")
        price = ("-", "-") if row["price"] is None else [_estimate(row["price"][name], "{:+.1f}", 100) for name in ("coverage", "crps")]
        lines.append(line.format(row["title"], f"{row['attention_share']:.0%}", association, *price))
    worth = [row["gain"]["n_effective"] for row in rows if row["gain"]["n_effective"] == row["gain"]["n_effective"]]
    return [*lines, f"independent test cases behind the gains: {min(worth):,.0f} to {max(worth):,.0f}"] if worth else lines


def _setting(row: Mapping[str, Any]) -> str:
    """Return the setting of a row in words; "reference" where it has none."""
    from stochattn_core.corrections import in_words

    setting = row["setting"]
    if setting is None:
        return "reference"
    parts = [f"ν = {setting['concentration']:,}"] + ([in_words(setting["correction"])] if setting["correction"] else [])
    return ", ".join(parts + ([f"layers {setting['layers']}"] if setting["layers"] else []))


def _estimate(values: Mapping[str, float], form: str, scale: float = 1.0) -> str:
    """Return an estimate with its interval, "-" where it is not defined."""
    estimate, low, high = (form.format(scale * values[name]) for name in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})" if values["estimate"] == values["estimate"] else "-"


COMPARE = Command(
    "compare", "The tuned concentration beside corrections and other ways to an ensemble, on the same cases.", _add_options, _run
)
