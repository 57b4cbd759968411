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


def stream(found: dict) -> str:
    """A sentence on what stream.json holds, batteries that were run again on other numbers among them."""
    runs = [run for first in found["batteries"] for run in (first, first["again"]) if run]
    twice = sum(len(dict(first["suspect"]).keys() & dict(first["again"]["suspect"])) for first in found["batteries"] if first["again"])
    numbers, p_values, suspect = (
        sum(count) for count in zip(*((x["numbers"], x["p_values"], len(x["suspect"])) for x in runs), strict=True)
    )
    return (
        f"{numbers / 1e9:.0f} thousand million numbers gave {p_values} p-values, {suspect} of them outside 0.001 to 0.999, where chance alone "
        f"puts {p_values * 0.002:.0f}; {twice} of them came back on other numbers."
    )


def app(found: dict) -> str:
    """Markdown of what app.json holds."""
    names = {
        "first_plot": "first plot",
        "slider_median": "slider",
        "slider_slowest": "slider, slowest",
        "other_page": "another page",
        "tuning": "tuning",
    }
    rows = [(task, *(f"{times[name]:.2f}" for name in names)) for task, times in found["seconds"].items()]
    return table(("seconds", *names.values()), rows) + f"\n\nMeasured on {found['cores']} cores, server and browser together."


def on_one_thread(report: Callable[[dict], str]) -> Callable[[dict], str]:
    """The report, and where it was measured."""

    def whole(found: dict) -> str:
        versions = found["versions"]
        return f"{report(found)}\nMeasured on one thread of {found['cpu']}, torch {versions['torch']}, Numba {versions['numba']}."

    return whole


REPORTS: dict[str, Callable[[dict], str]] = {
    "attention": on_one_thread(attention.report),
    "growth": on_one_thread(growth.report),
    "scores": on_one_thread(scores),
    "stream": stream,
    "app": app,
}


def filled(text: str, found: dict[str, dict]) -> str:
    """The README with what stands between the marks replaced by the reports of what was found, {name of a file: its content}."""
    for name, report in REPORTS.items():
        start, end = f"<!-- measured: {name} -->\n", f"\n<!-- end: {name} -->"
        before, has_start, rest = text.partition(start)
        _, has_end, after = rest.partition(end)
        if not (has_start and has_end):
            raise SystemExit(f"expected the lines {start.strip()} and {end.strip()} in {README.name}; put them where its figures belong")
        text = before + start + report(found[name]) + end + after
    return text


def main() -> None:
    text = README.read_text()
    README.write_text(filled(text, {name: read(name) for name in REPORTS}))
    picture.draw(FOLDER / "growth.json")


if __name__ == "__main__":
    main()
