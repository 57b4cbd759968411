"""The commands of the command line. A new command is one file in this folder and one line in COMMANDS.

Each file holds the options of its command and what it does. Modules of the core are imported when a command runs, not before, so that
`stochattn --help` answers at once.
"""

from __future__ import annotations

from stochattn_core.commands.app import APP
from stochattn_core.commands.audit import AUDIT
from stochattn_core.commands.base import Command, PassingCommand
from stochattn_core.commands.compare import COMPARE
from stochattn_core.commands.evaluate import EVALUATE
from stochattn_core.commands.list import LIST
from stochattn_core.commands.look import LOOK
from stochattn_core.commands.report import REPORT
from stochattn_core.commands.sample import SAMPLE
from stochattn_core.commands.score import SCORE
from stochattn_core.commands.tune import TUNE

COMMANDS: dict[str, Command | PassingCommand] = {
    command.name: command for command in (LIST, APP, LOOK, AUDIT, SAMPLE, SCORE, EVALUATE, TUNE, COMPARE, REPORT)
}
