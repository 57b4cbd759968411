"""The command line: everything the app does, for scripts and clusters. A user's mistake is one line and exit code 2."""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from stochattn_core import commands


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}; see {self.prog} --help\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _Parser(prog="python -m stochattn_core", description="Calibrated ensembles from trained transformers.")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_list(parsers)
    _add_sample(parsers)
    _add_score(parsers)
    _add_evaluate(parsers)
    _add_tune(parsers)
    _add_compare(parsers)
    options = parser.parse_args(arguments)
    from stochattn_core.device import use_half_the_cores

    use_half_the_cores()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: sys.stderr.write(f"note: {message}\n")
            result, text = options.run(options)
    except ValueError as error:
        sys.stderr.write(f"{parser.prog} {options.command}: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"{parser.prog} {options.command}: expected files that can be read and written, got: {error}; check the path and the disk\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; whole results that were computed before are kept\n")
        return 130
    print(json.dumps(_plain_json(result), indent=2, allow_nan=False) if options.json else text)
    return 0


def _add(parsers: Any, name: str, run: Callable, help: str) -> argparse.ArgumentParser:
    parser = parsers.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout and nothing else")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="auto takes the best there is")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random stream")
    return parser


def _add_list(parsers: Any) -> None:
    _add(parsers, "list", commands.list_all, "Models, datasets and other ways to an ensemble.")


def _add_sample(parsers: Any) -> None:
    parser = _add(parsers, "sample", commands.sample, "An ensemble and its targets as NetCDF.")
    _add_case(parser)
    _add_setting(parser)
    parser.add_argument("--part", default="test", metavar="train|calibration|test")
    parser.add_argument("--out", required=True, type=Path, metavar="E.nc")


def _add_score(parsers: Any) -> None:
    parser = _add(
        parsers, "score", commands.score, "Every score of an ensemble file, whoever made it: forecast (member, ...), target (...)."
    )
    parser.add_argument("file", type=Path, metavar="E.nc")


def _add_evaluate(parsers: Any) -> None:
    parser = _add(parsers, "evaluate", commands.evaluate, "Scores of a model at one concentration on the test part.")
    _add_case(parser)
    _add_setting(parser)
    parser.add_argument(
        "--setting",
        type=Path,
        metavar="tuned.json",
        help="a tuned setting, instead of --concentration, --members, --seed, --layers and --correction",
    )


def _add_tune(parsers: Any) -> None:
    parser = _add(
        parsers, "tune", commands.tune, "The concentration at which the spread matches the error, with its interval and a verdict."
    )
    _add_case(parser)
    _add_search(parser)
    parser.add_argument("--out", type=Path, metavar="tuned.json")


def _add_compare(parsers: Any) -> None:
    parser = _add(
        parsers, "compare", commands.compare, "The tuned concentration beside corrections and other ways to an ensemble, on the same cases."
    )
    _add_case(parser)
    _add_search(parser, "the first search, for the concentration alone and not for the corrections,")
    parser.add_argument("--corrections", metavar="NAME,NAME", help="a part of the corrections; all when not given")


def _add_search(parser: argparse.ArgumentParser, bounded: str = "the search") -> None:
    _add_ensemble(parser)
    parser.add_argument("--objective", default="pooled", metavar="NAME", help="pooled (default), per-sample, averaged, ratio, crps or w1")
    parser.add_argument("--search", default="grid", metavar="grid|thompson", help="a log grid, or single passes as the authors search")
    parser.add_argument("--max-passes", metavar="N", help=f"what {bounded} may cost in passes over the calibration part")
    parser.add_argument("--max-seconds", metavar="S", help="what it may cost in seconds; it goes on from there with more")


def _add_case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="a name from `list`")
    parser.add_argument("--dataset", help="a name from `list`; or your own file:")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table or, with --time, a series of your own")
    parser.add_argument("--target", metavar="COLUMN")
    parser.add_argument("--time", metavar="COLUMN")
    parser.add_argument("--grid", metavar="FILE_OR_ZARR", help="maps of your own (NetCDF or Zarr, a path or an address), with --variable")
    parser.add_argument("--variable", metavar="NAME")


def _add_setting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concentration", default="64", metavar="N", help="a positive whole number, or inf for the plain model")
    _add_ensemble(parser)
    parser.add_argument(
        "--correction", default="", metavar="TEXT", help='a correction such as "inflation 3.2", "fractional 5.4" or "shared"'
    )


def _add_ensemble(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--members", default="49", metavar="K", help="how many members the ensembles have that are scored or written")
    parser.add_argument("--layers", default="", metavar="GLOB", help="which attention layers are sampled, by module name")


def _plain_json(value: Any) -> Any:
    """JSON has no NaN and no infinity: what is unknown is null, the plain model's concentration is "inf"."""
    if isinstance(value, dict):
        return {str(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value == math.inf else None
    return value


if __name__ == "__main__":
    raise SystemExit(main())
