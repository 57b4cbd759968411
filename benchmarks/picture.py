"""The picture of how cost grows in docs/measured.md, drawn from benchmarks/results/growth.json.

The picture carries the digest of the file from which it was drawn, so that a test can tell when it is out of date.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from stochattn_core.figures.theme import LIGHT

PICTURE = Path(__file__).parent.parent / "docs" / "growth.png"
DIGEST = "Source SHA-256"
NAMES = {  # title in the legend, colour and mark, by name in growth.json
    "naive": ("naive", LIGHT.error, "s"),
    "eager": ("eager", LIGHT.reference, "D"),
    "compiled": ("compiled", LIGHT.ensemble, "o"),
    "first_layer": ("compiled, first layer, which members share", LIGHT.good, "^"),
    "model": ("compiled, small model", LIGHT.truth, "v"),
}
STROKES = {64: "-", 16: (0, (3, 1.5))}  # by concentration
STEPS = (
    (100, (1,)),
    (8, (1, 2, 5)),
    (1, (1, 1.5, 2, 3, 5, 7)),
)  # (factor, ticks of a decade): ticks of an axis that spans more than the factor
FLOOR = {"color": LIGHT.plain, "linewidth": 1.6, "zorder": 1.5}


def digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


def draw(source: Path) -> None:
    """Draw the picture from growth.json at `source`."""
    results = json.loads(source.read_text())
    shape, small = results["shape"], results["shape"]["model"]
    model = f"{small['layer']} layers of width {small['width']}"
    figure = Figure(figsize=(9.4, 7.2), facecolor=LIGHT.paper)
    panels = figure.subplots(2, 2).flat
    titles = (
        ("concentration", "concentration ν", f"Concentration, at length {shape['token']}"),
        ("length", "length: queries = keys", "Length"),
        ("members", "members", "Members, each one's share"),
        ("cases", f"cases, {shape['member']} members of each", "Cases"),
    )
    for axes, (name, x, title) in zip(panels, titles, strict=True):
        y = "times torch's own attention" if name in ("concentration", "length") else "times the same work without draws"
        _panel(axes, results[name], name, x, y, title)
    used = [Line2D([], [], color=colour, marker=mark, markersize=4, label=title) for title, colour, mark in NAMES.values()]
    strokes = [Line2D([], [], color=LIGHT.text, linestyle=stroke, label=f"ν = {nu}") for nu, stroke in STROKES.items()]
    floor = [Line2D([], [], **FLOOR, label="without draws = 1")]
    figure.legend(
        handles=[*used, *floor, *strokes], loc="lower center", ncols=4, frameon=False, fontsize=9, labelcolor=LIGHT.text, columnspacing=1.6
    )
    figure.text(
        0.5, 0.925, f"{shape['head']} heads of {shape['feature']} features; small model: {model}, length {small['token']}; one thread of {results['cpu']}",
        ha="center", fontsize=9, color=LIGHT.text,
    )  # fmt: skip
    figure.suptitle("How the cost of sampled attention grows", fontsize=12.5, weight="bold", color=LIGHT.truth, y=0.975)
    figure.subplots_adjust(left=0.08, right=0.985, top=0.87, bottom=0.155, hspace=0.42, wspace=0.2)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=130, metadata={DIGEST: digest(source), "Software": None})


def _panel(axes: Axes, lines: list[dict], along: str, x: str, y: str, title: str) -> None:
    concentrations = [None] if along == "concentration" else STROKES
    for name, (_, colour, mark) in NAMES.items():
        for concentration in concentrations:
            points = [(line[along], line[name]) for line in lines if name in line and concentration in (None, line["concentration"])]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker=mark, markersize=4, linestyle=STROKES.get(concentration, "-"))
    axes.axhline(1, **FLOOR)
    axes.set(xscale="log", yscale="log")
    axes.set_title(title, loc="left", fontsize=10.5, color=LIGHT.truth)
    axes.set_xlabel(x, fontsize=9.5, color=LIGHT.text)
    axes.set_ylabel(y, fontsize=9.5, color=LIGHT.text)
    ticks = sorted({line[along] for line in lines})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=next(steps for least, steps in STEPS if high / low > least)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.tick_params(length=0, labelsize=8.5, labelcolor=LIGHT.text)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LIGHT.band90, linewidth=0.8)
    axes.set_facecolor(LIGHT.paper)
    axes.spines[:].set_visible(False)
