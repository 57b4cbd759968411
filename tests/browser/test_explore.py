"""The app in a real browser: every page opens without an error, the slider answers, what is coming is computed ahead."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.steps import first_tile, move_slider, pit_bars, settle

PAGES = ("/", "/tune", "/bring", "/method", "/?task=table", "/?lead=3&nu=2", "/?nu=inf", "/?task=grid&members=9")
# From now on, was there ever a Stop button? It stands beside the progress of what is being computed.
STOP_SEEN = """() => {
    window.stopSeen = false;
    new MutationObserver(() => { window.stopSeen ||= document.querySelector('.st-key-stop-explore') !== null })
        .observe(document.body, {childList: true, subtree: true});
}"""


def test_the_first_plot_is_there_soon(page: Page):
    """The first test on a fresh server: nothing is loaded yet, so this is what a user waits."""
    started = time.monotonic()
    page.goto("/")
    page.locator(".st-key-forecast-view .main-svg").first.wait_for(timeout=60_000)
    print(f"first plot after {time.monotonic() - started:.1f} s")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens(page: Page, path: str):
    page.goto(path)
    settle(page)
    assert page.locator(".sa-title").count() == 1
    assert page.locator("[data-testid=stAlert]").count() == 0


def test_navigation_keeps_the_settings_and_the_address(page: Page):
    page.goto("/?task=table&nu=8&members=19")
    settle(page)
    for name in ("Tune", "Method", "Bring your own", "Explore"):
        page.locator("[data-testid=stSidebarNav]").get_by_text(name, exact=True).click()
        settle(page)
        assert {"task=table", "nu=8", "members=19"} <= set(page.url.split("?")[1].split("&"))
    assert "M = 19" in page.locator(".sa-title").inner_text()


def test_back_returns_to_the_view_before(page: Page):
    page.goto("/?task=table&nu=8")
    settle(page)
    move_slider(page, "ArrowLeft", "6")
    assert "nu=6" in page.url
    page.go_back()
    settle(page)
    assert "ν = 8" in page.locator(".sa-title").inner_text()
    assert "nu=8" in page.url


def test_a_wrong_address_is_one_sentence(page: Page):
    page.goto("/?nu=2.5&dataset=nothing&members=-3")
    settle(page)
    warning = page.locator("[data-testid=stAlert]")
    assert warning.count() == 1
    assert all(word in warning.inner_text() for word in ("nu=2.5", "dataset=nothing", "members=-3"))
    assert page.locator(".st-key-forecast-view .main-svg").count() > 0


def test_the_slider_moves_pit_and_ratio(page: Page):
    page.goto("/?task=table&nu=64")
    settle(page)
    ratio, bars = first_tile(page), pit_bars(page)
    move_slider(page, "ArrowLeft", "8")
    assert float(first_tile(page)) > 1.5 * float(ratio)
    assert pit_bars(page) != bars
    started = time.monotonic()
    move_slider(page, "ArrowRight", "64")
    assert first_tile(page) == ratio
    print(f"back to what is known in {time.monotonic() - started:.1f} s")


def test_a_neighbour_is_ready_before_it_is_chosen_and_the_polling_ends(page: Page):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: sent.append(time.monotonic())))
    page.goto("/?task=table&dataset=diabetes&members=9&nu=64&seed=3")
    settle(page)
    page.wait_for_function("parseInt(document.querySelector('.sa-label em').innerText) >= 4", timeout=60_000)
    assert "nu=64" in page.url and "ν = 64" in page.locator(".sa-title").inner_text()
    ratio, bars = first_tile(page), pit_bars(page)
    page.evaluate(STOP_SEEN)
    page.locator(".st-key-nu input[type=range]").focus()
    started = time.monotonic()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        """([ratio, bars]) => document.querySelector('.sa-value').innerText.trim() !== ratio
            && JSON.stringify(Array.from(document.querySelector('.st-key-pit .js-plotly-plot')?._fullData?.[0].y ?? bars)) !== JSON.stringify(bars)""",
        arg=[ratio, bars],
        timeout=60_000,
    )
    print(f"onto a neighbour that was ready in {time.monotonic() - started:.1f} s")
    assert not page.evaluate("window.stopSeen"), "nothing is computed for what is ready"
    page.get_by_text("All 25 concentrations ready").wait_for(timeout=120_000)
    page.locator(".st-key-forecast-view .js-plotly-plot").evaluate("figure => { figure.dataset.same = 'yes' }")
    page.wait_for_timeout(2_000)
    sent.clear()
    page.wait_for_timeout(4_000)
    assert sent == []
    assert page.locator(".st-key-forecast-view .js-plotly-plot").get_attribute("data-same") == "yes"
    assert page.locator(".sa-label em").inner_text() == "All 25 concentrations ready"


def test_stop_keeps_what_was_shown(page: Page):
    page.goto("/?nu=256&members=99&prefetch=no")  # as long as it gets, so that the click comes before the end
    settle(page)
    before = first_tile(page)
    page.evaluate(STOP_SEEN)
    page.locator(".st-key-nu input[type=range]").focus()
    page.keyboard.press("Home")
    page.locator(".st-key-stop-explore button").click()
    settle(page)
    assert page.evaluate("window.stopSeen")
    assert "This is the view from before" in page.locator("[data-testid=stAlert]").inner_text()
    assert first_tile(page) == before and "nu=256" in page.url
    page.reload()
    settle(page)
    assert page.locator(".st-key-forecast-view .main-svg").count() > 0


def test_figures_follow_the_theme_without_a_rerun(browser: Browser, address: str):
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address, color_scheme="light")
    page.goto("/?task=table")
    settle(page)
    stroke = "getComputedStyle(document.querySelector('.st-key-pit .scatterlayer path.js-line')).stroke"
    assert page.evaluate(stroke) == "rgb(22, 25, 31)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1500)
    assert page.evaluate(stroke) == "rgb(245, 242, 234)"
    page.close()


def test_the_numbers_behind_a_figure_open_as_a_table_and_a_file(page: Page):
    page.goto("/?task=table&nu=8&prefetch=no")
    settle(page)
    page.get_by_role("tab", name="Coverage").click()
    settle(page)
    page.locator(".st-key-numbers-coverage summary").click()
    page.locator(".st-key-csv-coverage button").first.wait_for(timeout=30_000)
    with page.expect_download() as download:
        page.locator(".st-key-csv-coverage button").first.click()
    assert download.value.path().read_text().startswith("nominal,observed,")
