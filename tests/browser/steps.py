"""Actions of a user on a page, and what the page shows then."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def settle(page: Page, timeout: float = 120_000) -> None:
    """Wait until the run of the script that an action started has ended, and its figures are drawn.

    The slider waits 0.2 s before it tells the server, and the line above it looks for news every 1.5 s: ended is what rests for 0.6 s.
    """
    page.evaluate("() => { window.lastRun = performance.now() }")
    page.wait_for_function(
        """() => {
            if (document.querySelector('[data-testid=stApp]')?.dataset.testScriptState !== 'notRunning') window.lastRun = performance.now();
            return document.querySelector('.sa-title') !== null && performance.now() - window.lastRun > 600;
        }""",
        timeout=timeout,
    )
    page.wait_for_function(
        """() => !document.querySelector('[data-testid=stSkeleton]')
            && [...document.querySelectorAll('.stBidiComponent')].every(part => part.closest('[class*=-ground]') || part.querySelector('.sa-figure'))
            && [...document.querySelectorAll('.sa-figure')].every(figure => !figure.offsetParent || figure.dataset.state !== 'waiting')""",
        timeout=timeout,
    )
    page.wait_for_timeout(300)


def tune(page: Page) -> None:
    """Start tuning and wait until its results are shown."""
    page.locator(".st-key-start-tuning button").first.click()
    page.get_by_role("heading", name="Export").wait_for(timeout=300_000)
    settle(page)


def download_setting(page: Page, folder: Path) -> Path:
    """Download the file of the tuning and return its path."""
    with page.expect_download() as download:
        page.locator(".st-key-tuned-json button").click()
    path = folder / "tuned.json"
    download.value.save_as(path)
    return path


def move_slider(page: Page, key: str, to: str) -> None:
    """Press a key until the slider says so: a press while the page is drawn again may be lost."""
    slider = page.locator(".st-key-nu input[type=range]")
    slider.focus()
    for _ in range(24):
        if slider.get_attribute("aria-valuetext") == to:
            break
        page.keyboard.press(key)
    page.wait_for_function(f"document.querySelector('.sa-title').innerText.endsWith('ν = {to}')", timeout=60_000)
    settle(page)


def first_tile(page: Page) -> str:
    return page.locator(".sa-value").first.inner_text().strip()


def pit_bars(page: Page) -> list[float]:
    return page.evaluate("Array.from(document.querySelector('.st-key-pit .js-plotly-plot')._fullData[0].y)")
