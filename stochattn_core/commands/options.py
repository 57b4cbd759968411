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
    add_lengths(parser)
    add_csv_choices(parser)
    add_grid_choices(parser)


def add_lengths(parser: argparse.ArgumentParser) -> None:
    """How far ahead a series of one's own is forecast, and from how much."""
    parser.add_argument("--horizon", metavar="STEPS", help="how many steps of --csv are forecast; one season, at most 24, without it")
    parser.add_argument("--context", metavar="STEPS", help="how many steps are given to the model; 96 or two seasons without it")
    parser.add_argument("--season", metavar="STEPS", help="the length of the season of --csv in steps, 1 for none; found out without it")


def add_csv_choices(parser: argparse.ArgumentParser) -> None:
    """How a text table is written, where that is not to be found out. `look` shows what is recognised."""
    parser.add_argument("--decimal", metavar="MARK", help="the decimal mark of a text table: . or ,")
    parser.add_argument("--thousands", metavar="MARK", help="its thousands mark: , or . or ' or space or none")
    parser.add_argument(
        "--missing", metavar="FIELD,FIELD", help="fields that stand for missing values, such as -99,n/d; none for no number"
    )
    parser.add_argument("--dayfirst", choices=("yes", "no"), help="is 01/02/2020 the first of February?")
    parser.add_argument("--timezone", metavar="ZONE", help="the zone of the clock that wrote the times, such as Europe/Berlin")
    parser.add_argument("--header", action=argparse.BooleanOptionalAction, default=None, help="does the file have a line of names?")
    parser.add_argument("--series", metavar="COLUMN=VALUE", action="append", help="which of several series in a file; may be repeated")
    parser.add_argument("--split", choices=("time", "random"), help="how a table is split; in time where it has a column of times")


def add_grid_choices(parser: argparse.ArgumentParser) -> None:
    """Which maps of a gridded file are forecast, and how far ahead."""
    parser.add_argument("--level", metavar="LEVEL", help="the level of --variable, pressures in hPa")
    parser.add_argument("--lead-time", metavar="N", help="the lead time of maps in hours, or in months or years where that is their step")


def add_ensemble_file(parser: argparse.ArgumentParser) -> None:
    """Where an ensemble is in its file."""
    parser.add_argument("--truth", metavar="FILE", help="the file of the truth, where it is another one; joined on valid time")
    parser.add_argument("--forecast", metavar="NAME", help="the variable with the members")
    parser.add_argument("--member", metavar="DIM", help="the dimension of the members")


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
