"""Write the tables of docs/measured.md and draw its picture, from the files in benchmarks/results; nothing is measured.

python -m benchmarks.measured. Each table stands between two marks of that page. Tests hold page and files together.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from benchmarks import aggregates, attention, growth, intervals, looking, picture, planet, recommendations, slices, uci, verdicts
from benchmarks.record import FOLDER, read, table

PAGE = Path(__file__).parent.parent / "docs" / "measured.md"


# The reports of these three stand here because their own modules need libraries that writing the page does not.
def scores(results: dict) -> str:
    """Markdown of scores.json."""
    rows = [(method["method"], f"{statistics.median(method['computing']):.2f}", f"{method['ratio']:.2f}") for method in results["methods"]]
    largest, shape = results["memory"][-1], results["shape"]
    return (
        table(("method", "seconds", "times Statistics.of"), rows)
        + f"\n\nWith {shape['target'] / 1e6:.3g} million targets and {shape['member']} members on disk ({largest['members_mib']:.0f} MiB), "
        f"Statistics.of allocates {largest['ours_mib']:.0f} MiB at most, the fair CRPS of scores {largest['scores_mib']:.0f} MiB."
    )


def stream(results: dict) -> str:
    """One sentence on stream.json. Batteries that were run again on other numbers count too."""
    first_runs = results["batteries"]
    runs = [run for first in first_runs for run in (first, first["again"]) if run]
    suspect_twice = sum(len(dict(first["suspect"]).keys() & dict(first["again"]["suspect"])) for first in first_runs if first["again"])
    numbers, p_values, suspect = (
        sum(counts) for counts in zip(*((run["numbers"], run["p_values"], len(run["suspect"])) for run in runs), strict=True)
    )
    return (
        f"{numbers / 1e9:.0f} billion numbers gave {p_values} p-values. Of these, {suspect} lie outside 0.001 to 0.999, where chance alone "
        f"puts {p_values * 0.002:.0f}; {suspect_twice} of them came back on other numbers. Run on {results['cpu']}."
    )


def app(results: dict) -> str:
    """Markdown of app.json."""
    names = {
        "first_plot": "first plot",
        "slider_median": "slider",
        "slider_slowest": "slider, slowest",
        "other_page": "another page",
        "tuning": "tuning",
    }
    rows = [(task, *(f"{seconds[name]:.2f}" for name in names)) for task, seconds in results["seconds"].items()]
    head = ("seconds", *names.values())
    place = f", {results['cpu']}" if "cpu" in results else ""
    return table(head, rows) + f"\n\nMeasured on {results['cores']} cores, server and browser together{place}."


def on_one_thread(report: Callable[[dict], str]) -> Callable[[dict], str]:
    """The report, and under it the processor and the versions that it was measured with."""

    def with_place(results: dict) -> str:
        versions = results["versions"]
        return f"{report(results)}\nMeasured on one thread of {results['cpu']}, torch {versions['torch']}, Numba {versions['numba']}."

    return with_place


REPORTS: dict[str, Callable[[dict], str]] = {  # by file in benchmarks/results, which is also the name in the marks
    "planet": planet.report,
    "intervals": intervals.report,
    "verdicts": verdicts.report,
    "slices": slices.report,
    "recommendations": recommendations.report,
    "aggregates": aggregates.report,
    "uci": uci.report,
    "uci-seeds-3-4-5": uci.report_against,
    "attention": on_one_thread(attention.report),
    "looking": on_one_thread(looking.report),
    "growth": on_one_thread(growth.report),
    "scores": on_one_thread(scores),
    "stream": stream,
    "app": app,
}


def filled(text: str, results: dict[str, dict]) -> str:
    """Return the page with the report of each file between its marks. results: content by name of the file."""
    for name, report in REPORTS.items():
        start, end = f"<!-- measured: {name} -->\n", f"\n<!-- end: {name} -->"
        before, has_start, rest = text.partition(start)
        _, has_end, after = rest.partition(end)
        if not (has_start and has_end):
            raise SystemExit(f"expected the lines {start.strip()} and {end.strip()} in {PAGE.name}; put them where its figures belong")
        text = before + start + report(results[name]) + end + after
    return text


def main() -> None:
    text = PAGE.read_text()
    PAGE.write_text(filled(text, {name: read(name) for name in REPORTS}))
    picture.draw(FOLDER / "growth.json")


if __name__ == "__main__":
    main()
