"""Measure the models of the matrix, each in a process of its own with a time limit, and write docs/models.md.

python -m tools.model_matrix                      measures every model and writes the results and the page
python -m tools.model_matrix --only Bert LED      measures the models whose names hold one of these words, and updates their rows

The models of transformers need only requirements.txt; the others need tools/model_matrix/requirements.txt, in an environment of its own. A model
whose package is not installed keeps the row that it has.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection

import torch

from benchmarks.record import installed
from stochattn_core.sampling import cpu
from tools.model_matrix import page
from tools.model_matrix.checks import Row, measure
from tools.model_matrix.models import MODELS

LIMIT = 600  # seconds for one model


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.model_matrix", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="words; a model is measured if its name holds one of them")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for one model (%(default)s)")
    parser.add_argument("--dry", action="store_true", help="print the rows and write nothing")
    options = parser.parse_args()
    names = [name for name in MODELS if not options.only or any(word.lower() in name.lower() for word in options.only)]
    if not names:
        parser.error(f"expected words that occur in a name of the table, got {' '.join(options.only)}; the names are: {', '.join(MODELS)}")
    torch.set_num_threads(1)  # a forked process inherits no threads
    for module in ("tools.model_matrix.operators", "transformers.modeling_utils"):  # once, and not in the process of every model
        importlib.import_module(module)
    cpu.wait()  # else the process of every model would compile the sampler, until one has
    rows: dict[str, Row] = {} if options.dry else page.read()
    for name in names:
        package = MODELS[name].package
        if installed(package) is None:
            print(f"{name}: {package} is not installed", flush=True)
            continue
        start = time.monotonic()
        row = in_own_process(name, options.limit)
        row |= {"package": package, "version": installed(package), "seconds": round(time.monotonic() - start, 1)}
        rows[name] = row
        print(f"{name}: {row['verdict']} ({row['seconds']} s)", flush=True)
        if not options.dry:
            page.write(rows)
    return any(rows[name]["verdict"] != "right" for name in names if name in rows)


def in_own_process(name: str, limit: float) -> Row:
    """Return the row of a model, measured in a forked process; a row that says so where the process dies or runs past the limit."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(name, sender))
    process.start()
    sender.close()
    try:
        if receiver.poll(limit):
            return receiver.recv()
        problem = f"not done after {limit} s"
    except EOFError:
        process.join()
        problem = f"the process ended with code {process.exitcode}"
    finally:
        process.kill()
        process.join()
    return {"expected": MODELS[name].n_call, "problem": problem, "verdict": problem}


def _send(name: str, sender: Connection) -> None:
    torch.set_num_threads(1)
    sender.send(measure(MODELS[name]))


if __name__ == "__main__":
    sys.exit(main())
