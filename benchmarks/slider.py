"""How much of this project one move of the slider enters: its files and functions, counted while the Explore page runs again.

python -m benchmarks.slider [--list] prints the counts of three moves and writes nothing. The page shows the table diabetes. Before the
first move nothing is known of the new concentration; before the second its evaluation is known, and its figures are not; before the third
both are known. A function is one that is written with `def` or `lambda`; the bodies of modules and of comprehensions do not count.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import CodeType, FrameType

import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app.py", "pages", "stochattn_core")
START, MOVED = 64.0, 8.0  # concentrations


class Entered:
    """Code of this project that was entered, in whichever thread, while this context manager was open."""

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()

    def __enter__(self) -> Entered:
        threading.setprofile(self._record)  # AppTest runs a page in a thread of its own
        sys.setprofile(self._record)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    @property
    def functions(self) -> list[str]:
        """ "path:line name" of every function, sorted."""
        named = {
            f"{path}:{code.co_firstlineno} {code.co_qualname}"
            for code in self.codes
            if (path := path_in_project(code)) and (code.co_name == "<lambda>" or not code.co_name.startswith("<"))
        }
        return sorted(named)

    @property
    def files(self) -> list[str]:
        return sorted({path for code in self.codes if (path := path_in_project(code))})

    def _record(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.codes.add(frame.f_code)


def path_in_project(code: CodeType) -> str | None:
    """Return the path of the file that holds the code, from the root of the project; None for code outside the app and the core."""
    path = Path(code.co_filename)
    if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in PARTS:
        return None
    return path.relative_to(ROOT).as_posix()


def explore(dataset: str = "diabetes") -> AppTest:
    test = AppTest.from_file(str(ROOT / "pages" / "explore.py"), default_timeout=600)
    test.query_params.update({"task": "table", "dataset": dataset, "members": "9", "nu": f"{START:.0f}"})
    return checked(test.run())


def move(test: AppTest, concentration: float) -> None:
    checked(test.select_slider(key="nu").set_value(concentration).run())


def checked(test: AppTest) -> AppTest:
    if test.exception:
        raise SystemExit(f"expected the page to run, got {test.exception[0].value}")
    return test


def moves(test: AppTest) -> dict[str, Entered]:
    """What a move to MOVED enters, by what was known before it; the page shows START before each."""
    entered = {}
    for known in ("nothing known", "evaluation known", "figures known"):
        if known == "evaluation known":
            st.cache_data.clear()  # keeps the figures; evaluations are in a resource
            move(test, START)  # as any session does before: the page of START is known
        with Entered() as entered[known]:
            move(test, MOVED)
        move(test, START)
    return entered


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slider", description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print every function too")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STOCHATTN_CACHE"] = folder
        entered = moves(explore())
    for known, code in entered.items():
        if options.list:
            print(f"\n{known}:", *code.functions, sep="\n")
        print(f"{known}: one move of the slider enters {len(code.files)} files and {len(code.functions)} functions of this project.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
