"""One server for each file of tests, and pages that fail their test on what should never happen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.server import chromium, served, watched


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("cache")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails its test on an error in the console, an exception box, or a request to another host."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
    problems = watched(page, address)
    yield page
    assert page.locator("[data-testid=stException]").count() == 0
    assert problems == []
    page.close()
