"""What a command is: a name, a sentence of help, its options, and the function that runs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Answer(NamedTuple):
    """What a command prints: document with --json, text without."""

    document: object
    text: str


@dataclass(frozen=True)
class Command:
    """One line of COMMANDS.

    add_options declares the options on the parser; run gets them parsed and returns an Answer.
    A command raises ValueError for a mistake of the user; the program then prints the message as one sentence and exits with 2.
    """

    name: str
    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]


@dataclass(frozen=True)
class PassingCommand:
    """A command that hands its arguments on, as they are, to a program with options of its own. run returns the exit code.

    with_help: the other program answers --help too.
    """

    name: str
    help: str
    run: Callable[[list[str]], int]
    with_help: bool = False
