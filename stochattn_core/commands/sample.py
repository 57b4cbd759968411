"""stochattn sample: an ensemble and its targets in a NetCDF file."""

from __future__ import annotations

import argparse
from pathlib import Path

from stochattn_core.commands.base import Answer, Command
from stochattn_core.commands.case import evaluation_of
from stochattn_core.commands.options import add_case, add_setting


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_case(parser)
    add_setting(parser)
    parser.add_argument("--part", default="test", metavar="train|calibration|test")
    parser.add_argument("--out", required=True, type=Path, metavar="E.nc")


def _run(options: argparse.Namespace) -> Answer:
    from stochattn_core.ensemble_file import check_writable, write_ensemble

    check_writable(options.out)
    evaluation = evaluation_of(options, part=options.part)
    write_ensemble(evaluation, options.out)
    shape = dict(zip(("member", *evaluation.ensemble.dims), evaluation.ensemble.members.shape, strict=True))
    text = f"{options.out}: " + ", ".join(f"{n} {name}" for name, n in shape.items())
    lead_time = evaluation.ensemble.lead_text
    text += f", lead time {lead_time}" if lead_time else ""
    return Answer({"out": str(options.out), "shape": shape, "lead_time": lead_time}, text)


SAMPLE = Command("sample", "An ensemble and its targets as NetCDF.", _add_options, _run)
