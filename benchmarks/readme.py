"""Write what was measured about speed into README.md, and draw its picture: from the files in benchmarks/results, measuring nothing.

python -m benchmarks.readme. What it writes stands between marks; tests hold README and files together.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks import attention, growth, picture
from benchmarks.record import FOLDER, read, table

README = Path(__file__).parent.parent / "README.md"


def scores(found: dict) -> str:
    """Markdown of what scores.json holds."""
    rows = [(line["method"], f"{statistics.median(line['computing']):.2f}", f"{line['ratio']:.2f}") for line in found["methods"]]
    largest = found["memory"][-1]
    return (
        table(("method", "seconds", "times Statistics.of"), rows)
        + f"\n\nWith {found['shape']['target'] / 1e6:.3g} million targets and {found['shape']['member']} members on disk ({largest['members_mib']:.0f} MiB), "
        f"Statistics.of allocates {largest['ours_mib']:.0f} MiB at most, the fair CRPS of scores {largest['scores_mib']:.0f} MiB."
    )


REPORTS: dict[str, Callable[[dict], str]] = {"attention": attention.report, "growth": growth.report, "scores": scores}


def filled(text: str, found: dict[str, dict]) -> str:
    """The README with what stands between the marks replaced by the reports of what was found, {name of a file: its content}."""
    for name, report in REPORTS.items():
        versions = found[name]["versions"]
        where = f"Measured on one thread of {found[name]['cpu']}, torch {versions['torch']}, Numba {versions['numba']}."
        start, end = f"<!-- measured: {name} -->\n", f"\n<!-- end: {name} -->"
        before, has_start, rest = text.partition(start)
        _, has_end, after = rest.partition(end)
        if not (has_start and has_end):
            raise SystemExit(f"expected the lines {start.strip()} and {end.strip()} in {README.name}; put them where its figures belong")
        text = before + start + report(found[name]) + "\n" + where + end + after
    return text


def main() -> None:
    text = README.read_text()
    README.write_text(filled(text, {name: read(name) for name in REPORTS}))
    picture.draw(FOLDER / "growth.json")


if __name__ == "__main__":
    main()
