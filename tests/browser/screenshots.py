"""Pictures of the app as it is: `python -m tests.browser.screenshots FOLDER [NAME ...]`.

It writes the picture of the README, and every page and every tab in light and dark, on a wide screen and on a phone; with names, these pages alone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.server import chromium, served, watched
from tests.browser.steps import settle, tune

SIZES = {"1440": (1440, 900), "390": (390, 844)}
README = "/?nu=4&prefetch=no"
PAGES = {  # without prefetching, whose progress depends on the time
    "explore-series": README,
    "explore-lead": "/?nu=4&lead=6&prefetch=no",
    "explore-table": "/?task=table&nu=4&prefetch=no",
    "explore-plain": "/?task=table&nu=inf&prefetch=no",
    "explore-map": "/?task=grid&members=9&prefetch=no&box=30,60,-20,40",
    "explore-globe": "/?task=grid&members=9&prefetch=no&projection=orthographic&view=contours",
    "explore-link": "/?nu=2.5&dataset=nothing&prefetch=no",
    "tune-before": "/tune?task=table&members=19",
    "tune": "/tune?task=table",
    "bring": "/bring",
    "method": "/method",
}
HAS_TABS = ("explore-series", "explore-table", "explore-map", "bring")


def compare(page: Page) -> None:
    """Tune, compare corrections, and open the evidence and the numbers of a panel."""
    if page.get_by_role("button", name="Start tuning").count():
        tune(page)
    if page.locator(".st-key-compare-corrections button").count():
        page.locator(".st-key-compare-corrections button").click()
    page.locator(".st-key-gains .main-svg").first.wait_for(timeout=300_000)
    settle(page)


PREPARE: dict[str, Callable[[Page], None]] = {"tune": compare}


def whole(page: Page, path: Path, width: int, height: int) -> None:
    """A picture of the whole page, also of what lies below the screen."""
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": max(height, tall + 20)})
    page.wait_for_timeout(700)
    page.screenshot(path=path)
    page.set_viewport_size({"width": width, "height": height})


def take(browser: Browser, address: str, folder: Path, scheme: str, size: str, names: list[str]) -> None:
    """The pictures of these pages in one theme at one size."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    for name in names:
        page = context.new_page()
        problems = watched(page, address)
        page.goto(address + PAGES[name])
        settle(page)
        PREPARE.get(name, lambda page: None)(page)
        whole(page, folder / f"{name}-{scheme}-{size}.png", width, height)
        if name in HAS_TABS:
            tabs = page.locator("[data-testid=stMain] [role=tab]")
            for i in range(1, tabs.count()):
                tabs.nth(i).click()
                settle(page)
                whole(page, folder / f"{name}-tab{i}-{scheme}-{size}.png", width, height)
        print(name, scheme, size, *problems, flush=True)
        page.close()
    context.close()


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache, served(Path(cache)) as address, chromium() as browser:
        for scheme in ("light", "dark"):
            for size in SIZES:
                take(browser, address, folder, scheme, size, names or list(PAGES))
        page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1)
        page.goto(address + README)
        settle(page)
        page.screenshot(path=folder / "readme.png")


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(PAGES):
        sys.exit(f"expected a folder for the pictures, then names of pages out of {', '.join(PAGES)}")
    main(Path(sys.argv[1]), sys.argv[2:])
