"""stochattn report: one HTML page on how every dataset at hand is calibrated, see stochattn_core.report."""

from __future__ import annotations

from stochattn_core.commands.base import PassingCommand


def _run(arguments: list[str]) -> int:
    from stochattn_core.report import main

    return main(arguments)


REPORT = PassingCommand("report", "One HTML page on how every dataset is calibrated; --help shows its options.", _run, with_help=True)
