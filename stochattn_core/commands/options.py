"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_case(parser: argparse.ArgumentParser) -> None:
    """Which model forecasts which data."""
    parser.add_argument("--model", required=True, help="a name from `list`")
    parser.add_argument("--dataset", help="a name from `list`; or your own file:")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table or, with --time, a series of your own")
    parser.add_argument("--target", metavar="COLUMN", help="the column of --csv to forecast")
    parser.add_argument("--time", metavar="COLUMN", help="the column of --csv that holds the times")
    parser.add_argument("--grid", metavar="FILE_OR_ZARR", help="maps of your own (NetCDF or Zarr, a path or an address), with --variable")
    parser.add_argument("--variable", metavar="NAME", help="the variable of --grid to forecast")


def add_setting(parser: argparse.ArgumentParser) -> None:
    """How the ensemble is drawn."""
    parser.add_argument("--concentration", default="64", metavar="N", help="a positive whole number, or inf for the plain model")
    add_ensemble(parser)
    parser.add_argument(
        "--correction", default="", metavar="TEXT", help='a correction such as "inflation 3.2", "fractional 5.4" or "shared"'
    )
    add_alias(parser, "--mend", "correction")


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    """Members and layers, for drawing one ensemble and for tuning alike."""
    parser.add_argument("--members", default="49", metavar="K", help="how many members each ensemble has")
    parser.add_argument("--layers", default="", metavar="GLOB", help="which attention layers are sampled, by module name")


def add_search(parser: argparse.ArgumentParser, bounded: str = "the search") -> None:
    """What is tuned, how, and at which cost. bounded: the search that the budget limits, in words."""
    add_ensemble(parser)
    parser.add_argument("--objective", default="pooled", metavar="NAME", help="pooled (default), per-sample, averaged, ratio, crps or w1")
    parser.add_argument("--search", default="grid", metavar="grid|thompson", help="a log grid, or single passes as the authors search")
    parser.add_argument("--max-passes", metavar="N", help=f"the most passes over the calibration part that {bounded} may take")
    parser.add_argument(
        "--max-seconds", metavar="S", help="the most seconds that it may take; called again with more, it goes on from there"
    )


def add_alias(parser: argparse.ArgumentParser, old: str, name: str) -> None:
    """An older spelling of an option, which scripts may still use and which --help does not show."""
    parser.add_argument(old, dest=name, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
