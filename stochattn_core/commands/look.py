"""stochattn look: what a file holds and what would be done with it, before anything runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import choices_of, lengths_of, steps
from stochattn_core.commands.options import add_csv_choices, add_ensemble_file, add_grid_choices, add_lengths

if TYPE_CHECKING:
    from stochattn_core.readers.look import Look


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a text table, a NetCDF file or a Zarr store, a path or an address")
    parser.add_argument("--kind", choices=("table", "series", "maps", "ensemble"), help="what it is to be read as; recognised without it")
    parser.add_argument("--time", metavar="COLUMN", help="the column of a text table that holds the times")
    parser.add_argument("--target", metavar="NAME", help="the column to forecast, or the target of an ensemble")
    parser.add_argument("--variable", metavar="NAME", help="the variable of maps to forecast")
    add_lengths(parser)
    add_csv_choices(parser)
    add_grid_choices(parser)
    add_ensemble_file(parser)


def _run(options: argparse.Namespace) -> Answer:
    look = _look(options)
    return Answer(look.document(), look_text(look))


def _look(options: argparse.Namespace) -> Look:
    if options.kind in ("table", "series") or (options.kind is None and _is_text(options.file)):
        from stochattn_core.readers.text.look import look_at_table

        kind = options.kind or ("series" if options.time else None)
        return look_at_table(
            Path(options.file), time=options.time, target=options.target, kind=kind, choices=choices_of(options), **lengths_of(options)
        )
    of_ensemble = {name: getattr(options, name) for name in ("truth", "forecast", "target", "member") if getattr(options, name)}
    if options.kind == "ensemble" or (options.kind is None and (of_ensemble or _has_members(options.file))):
        from stochattn_core.readers.ensemble.look import look_ensemble

        return look_ensemble(options.file, **of_ensemble)
    from stochattn_core.readers.grid.look import look_grid

    return look_grid(options.file, options.variable, lead_time=steps(options.lead_time, "--lead-time"), level=options.level)


def _has_members(file: str) -> bool:
    """Does a gridded file have a dimension of members with more than one?"""
    from stochattn_core.readers.door.axes import FORECAST_AXIS_NAMES, rename_axes
    from stochattn_core.readers.grid.file import open_grid

    with open_grid(file) as (dataset, _):
        return rename_axes(dataset, FORECAST_AXIS_NAMES, dimensions_only=True).sizes.get("member", 1) > 1


def _is_text(file: str) -> bool:
    """Is this a file on disk that is no gridded file by its first bytes?"""
    from stochattn_core.readers.file_kinds import is_grid

    path = Path(os.path.expanduser(file))
    if "://" in file or path.is_dir():
        return False
    if not path.is_file():
        raise ValueError(f"expected a file or a Zarr folder at {file!r}, found nothing there; check the path")
    with path.open("rb") as data:
        return not is_grid(data.read(8))


def look_text(look: Look) -> str:
    """Return the look as text: what is recognised, what would be done, and why not."""
    lines = [f"{look.file}: {look.kind}", ""]
    rows = [("name", "kind", "first", "last", "missing", "units")]
    for column in look.columns:
        missing = f"{column.missing:.1%}" if column.missing == column.missing else ""
        rows.append((column.name, column.kind, _values(column.first), _values(column.last), missing, column.units or column.shape))
    widths = [min(44, max(len(row[place]) for row in rows)) for place in range(len(rows[0]))]
    lines += ["  ".join(f"{_shortened(cell, width):<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(f"{label + ':':<14} {text}" for label, text in look.facts)]
    lines += [f"note: {note}" for note in look.notes]
    lines += [f"{column.name}: {column.problem}" for column in look.columns if column.problem and column.problem != look.problem]
    if look.problem:
        lines.append(f"cannot be used as it is: {look.problem}")
    return "\n".join(lines)


def _values(values: tuple[str, ...]) -> str:
    return ", ".join(values)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


LOOK = Command("look", "What a file holds as it is recognised, and what would be forecast, before anything runs.", _add_options, _run)
