"""The figures of a page in a real browser: what happens to the others when one cannot be drawn, or goes while it is drawn."""

from __future__ import annotations

from playwright.sync_api import Browser, Page

from tests.browser.steps import move_slider, settle

STATES = """() => Object.fromEntries([...document.querySelectorAll('.sa-figure')].map(figure =>
    [figure.closest('[class*=st-key-]').className.match(/st-key-([\\w-]+)/)[1], figure.dataset.state]))"""


def test_a_library_that_does_not_come_is_told_where_the_figures_would_be(browser: Browser, address: str):
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
    page.route("**/plotly.min.js*", lambda route: route.abort())
    page.goto("/?task=table&nu=8&prefetch=no")
    page.locator(".st-key-pit").get_by_text("could not be drawn").wait_for(timeout=60_000)
    assert "did not come from the app's server" in page.locator(".st-key-pit .sa-figure").inner_text()
    page.unroute("**/plotly.min.js*")
    move_slider(page, "ArrowLeft", "6")
    assert set(page.evaluate(STATES).values()) == {"drawn"}, "the next content tries again"
    assert page.locator(".st-key-pit .main-svg").count() > 0 and "could not" not in page.locator(".st-key-pit").inner_text()
    page.close()


def test_a_figure_that_cannot_be_drawn_does_not_stop_the_others(browser: Browser, address: str):
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
    page.goto("/?task=table&nu=8&prefetch=no")
    settle(page)
    page.evaluate("""() => {
        window.react = Plotly.react;
        Plotly.react = (place, ...more) => place.closest('.st-key-pit') ? Promise.reject(new Error('made to fail')) : react(place, ...more);
    }""")
    move_slider(page, "ArrowLeft", "6")
    states = page.evaluate(STATES)
    assert states.pop("pit") == "failed" and set(states.values()) == {"drawn"}
    assert "could not be drawn: made to fail." in page.locator(".st-key-pit .sa-figure").inner_text()
    page.evaluate("() => { Plotly.react = window.react }")
    move_slider(page, "ArrowLeft", "4")
    assert set(page.evaluate(STATES).values()) == {"drawn"}
    page.close()


def test_figures_that_go_while_one_is_drawn_leave_the_next_page_whole(page: Page):
    page.goto("/?task=table&nu=8&prefetch=no")
    settle(page)
    page.evaluate("""() => {
        const react = Plotly.react;
        Plotly.react = async (...all) => { await new Promise(resume => setTimeout(resume, 700)); return react(...all); };
    }""")
    slider = page.locator(".st-key-nu input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.locator(".sa-figure[data-state=waiting]").first.wait_for(state="attached")
    page.locator("[data-testid=stSidebarNav]").get_by_text("Method", exact=True).click()
    page.locator("[class*=st-key-row-] .sa-figure").first.wait_for(timeout=30_000)
    settle(page)
    assert set(page.evaluate(STATES).values()) == {"drawn"}
    assert all(page.locator(".sa-figure").nth(i).locator(".main-svg").count() for i in range(page.locator(".sa-figure").count()))
