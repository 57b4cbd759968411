"""The program: arguments in, one answer on stdout, a user's mistake in one sentence on stderr with exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from stochattn_core.commands import COMMANDS
from stochattn_core.commands.base import Answer, Command, PassingCommand
from stochattn_core.commands.numbers import seed_number
from stochattn_core.extras import explained_extras
from stochattn_core.json_text import json_text

PROGRAM = "stochattn"
CLOSED_PIPE = 141  # the code of a program that the signal SIGPIPE ended, as a shell reports it


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}; see {self.prog} --help\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 for a mistake of the user, 130 when interrupted, 141 when the reader of stdout left."""
    parser = _parser()
    options, rest = parser.parse_known_args(_with_negative_values(sys.argv[1:] if arguments is None else arguments))
    command = COMMANDS[options.command]
    if rest and isinstance(command, Command):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        with explained_extras():
            if isinstance(command, PassingCommand):
                return command.run(rest)
            answer = _answer(command, options)
    except ValueError as error:
        sys.stderr.write(f"{PROGRAM} {command.name}: {' '.join(str(error).split())}\n")
        return 2
    except OSError as error:
        sys.stderr.write(
            f"{PROGRAM} {command.name}: expected files that can be read and written, got: {error}; check the path and the disk\n"
        )
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped; whole results that were computed before are kept\n")
        return 130
    return _print(json_text(answer.document) if options.json else answer.text)


def _with_negative_values(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--missing -99,n/d` as `--missing=-99,n/d`: argparse takes what begins with a minus for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--missing" and argument[:1] == "-" and argument[:2] != "--":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _answer(command: Command, options: argparse.Namespace) -> Answer:
    from stochattn_core.commands.threads import use_half_the_cores

    use_half_the_cores()
    options.seed = seed_number(options.seed)
    with warnings.catch_warnings():
        warnings.showwarning = _note
        return command.run(options)


def _note(message: Warning | str, *_: object, **__: object) -> None:
    sys.stderr.write(f"note: {message}\n")


def _print(text: str) -> int:
    """Write the answer. A reader that has left, as `head` does, is no error to tell of."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout once more when it ends
        return CLOSED_PIPE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Calibrated ensembles from trained transformers.")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS.values():
        with_help = not (isinstance(command, PassingCommand) and command.with_help)
        of_command = parsers.add_parser(command.name, help=command.help, description=command.help, add_help=with_help)
        if isinstance(command, Command):
            of_command.add_argument("--json", action="store_true", help="one JSON document on stdout and nothing else")
            of_command.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="auto takes the best there is")
            of_command.add_argument("--seed", default="0", metavar="N", help="seed of the random stream")
            command.add_options(of_command)
    return parser
