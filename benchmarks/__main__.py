"""The figures of draws, growth and scores, one benchmark after the other, each in a process of its own; README follows.

python -m benchmarks prints their tables and how long each took, writes their results and brings README.md up to date.
It needs requirements-dev.txt, and a quiet machine. Accuracy is measured by the other modules of this folder, each by its own command.
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks import readme

OF_SPEED = ("attention", "growth", "scores")  # stream takes hours and app a browser: both by their own command


def main() -> int:
    failed = []
    for name in OF_SPEED:
        print(f"{name}: measuring\n", flush=True)
        start = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode:
            failed.append(name)
        print(f"\n{name}: {time.monotonic() - start:.0f} s\n", flush=True)
    readme.main()
    if failed:
        print(f"Not measured: {', '.join(failed)}, for the reason above; what README says of it is as it was.", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
