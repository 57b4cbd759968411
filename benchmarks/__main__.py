"""Measure draws, growth and scores, one benchmark after the other, each in a process of its own; then update docs/measured.md.

python -m benchmarks prints their tables and how long each took, and writes their results. It needs what the tests need, and a quiet machine.
The other modules of this folder measure accuracy, each by its own command.
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks import measured

OF_SPEED = ("attention", "growth", "scores")  # not stream, which takes hours, nor app, which needs a browser


def main() -> int:
    failed = []
    for name in OF_SPEED:
        print(f"{name}: measuring\n", flush=True)
        start = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode:
            failed.append(name)
        print(f"\n{name}: {time.monotonic() - start:.0f} s\n", flush=True)
    measured.main()
    if failed:
        print(
            f"Not measured: {', '.join(failed)}, for the reason above; {measured.PAGE.name} still shows the older figures.", file=sys.stderr
        )
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())
