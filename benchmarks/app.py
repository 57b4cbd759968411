"""How long a user waits for the first plot, for a move of the slider, for another page and for a tuning, in real headless Chromium.

python -m benchmarks.app prints seconds and writes benchmarks/results/app.json. It needs what the browser tests need (make test-browser). These are
times of one machine, not ratios. Compare them with what a user tolerates: 6 s, 0.6 s and 30 s. They mean nothing while other programs run.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.record import record
from benchmarks.timing import processor
from tests.browser.server import chromium, served
from tests.browser.steps import settle, tune

N_MOVE = 12
# Only figures on the screen count; those further down the page do not.
ON_SCREEN = """() => [...document.querySelectorAll('.sa-figure.js-plotly-plot')].filter(figure => {
    const {top, bottom, width} = figure.getBoundingClientRect();
    return width && top < innerHeight && bottom > 0;
})"""


def first_plot(page: Page, path: str) -> float:
    """Return the seconds from a server that answers, but has loaded nothing yet, to the first plot."""
    started = time.monotonic()
    page.goto(path)
    page.locator(".st-key-forecast .main-svg").first.wait_for(timeout=120_000)
    return time.monotonic() - started


def moves(page: Page) -> list[float]:
    """Return the seconds from each key press until every figure on the screen shows the new concentration; all are computed before."""
    page.wait_for_function("document.querySelector('.sa-label em')?.innerText.startsWith('All')", timeout=900_000)
    settle(page)
    page.locator(".st-key-nu input[type=range]").focus()
    times = []
    for i in range(N_MOVE):
        page.evaluate(f"""() => {{
            window.drawn = Promise.all(({ON_SCREEN})().map(figure => new Promise(drawn => figure.once('plotly_afterplot', drawn))));
            addEventListener('keydown', () => {{ window.pressed = performance.now() }}, {{once: true, capture: true}});
        }}""")
        page.keyboard.press("ArrowLeft" if i % 4 < 2 else "ArrowRight")
        times.append(page.evaluate("async () => { await drawn; return performance.now() - pressed }") / 1000)
        settle(page)
        page.wait_for_timeout(1000)
    return times


def switch(page: Page, name: str) -> float:
    """Return the seconds until another page shows its title line."""
    before = page.locator(".sa-title").inner_text()
    started = time.monotonic()
    page.locator("[data-testid=stSidebarNav]").get_by_text(name, exact=True).click()
    page.wait_for_function("before => document.querySelector('.sa-title')?.innerText !== before", arg=before, timeout=60_000)
    return time.monotonic() - started


def measured(page: Page, path: str) -> dict[str, float]:
    seconds = {"first_plot": first_plot(page, path)}
    times = moves(page)
    seconds |= {"slider_median": statistics.median(times), "slider_slowest": max(times)}
    seconds["other_page"] = switch(page, "Tune")
    settle(page)
    started = time.monotonic()
    tune(page)
    return seconds | {"tuning": time.monotonic() - started}


def main() -> None:
    paths = {"series": "/", "table": "/?task=table", "weather": "/?task=grid"}
    seconds = {}
    for task, path in paths.items():
        with tempfile.TemporaryDirectory() as cache, chromium() as browser, served(Path(cache)) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
            seconds[task] = measured(page, path)
        print(task, *(f"{name} {value:.2f} s" for name, value in seconds[task].items()), sep="\n  ", flush=True)
    record("app", cpu=processor(), cores=os.cpu_count(), load=os.getloadavg()[0], seconds=seconds)


if __name__ == "__main__":
    main()
