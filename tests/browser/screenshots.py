"""Pictures of the app as it is: `python -m tests.browser.screenshots FOLDER` writes the README's picture and every page, light and dark."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser.server import chromium, served, watched
from tests.browser.steps import settle, tune

SIZES = {"": (1440, 900), "-phone": (390, 844)}
PAGES = {
    "explore": "/?nu=4&prefetch=no",  # what is computed ahead depends on the time
    "explore-lead": "/?nu=4&lead=6&prefetch=no",
    "explore-table": "/?task=table&nu=4&prefetch=no",
    "tune": "/tune?task=table",
    "bring": "/bring",
    "method": "/method",
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache, served(Path(cache)) as address, chromium() as browser:
        for scheme in ("light", "dark"):
            for suffix, (width, height) in SIZES.items():
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                for name, path in PAGES.items():
                    page = context.new_page()
                    found = watched(page, address)
                    page.goto(address + path)
                    settle(page)
                    if name == "tune" and page.get_by_role("button", name="Start tuning").count():
                        tune(page)
                    page.screenshot(path=folder / f"{name}-{scheme}{suffix}.png")
                    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                    page.set_viewport_size({"width": width, "height": max(height, tall + 20)})
                    page.wait_for_timeout(700)
                    page.screenshot(path=folder / f"{name}-{scheme}{suffix}-whole.png")
                    print(name, scheme, width, *found)
                    page.close()
                context.close()
        page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1)
        page.goto(address + "/?nu=4&prefetch=no")
        settle(page)
        page.screenshot(path=folder / "readme.png")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected one folder for the pictures: python -m tests.browser.screenshots FOLDER")
    main(Path(sys.argv[1]))
