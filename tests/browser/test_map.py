"""The weather map in a real browser: its views and projections, what the pointer tells, and how it looks on a phone."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page

from stochattn_core.panels.field_map import FIELDS
from tests.browser.steps import move_slider, settle


def test_the_map_changes_projection_and_view(page: Page):
    page.goto("/?task=grid&members=9")
    settle(page)
    assert "Ensemble mean" in page.locator(".st-key-forecast-view").inner_text()
    page.locator(".st-key-view").get_by_text("Spread", exact=True).click()
    settle(page)
    page.locator(".st-key-projection [role=combobox], .st-key-projection input").first.click()
    page.get_by_role("option", name="Orthographic").click()
    settle(page)
    assert "Spread: geopotential at 500 hPa" in page.locator(".st-key-forecast-view").inner_text()
    assert "projection=orthographic" in page.url and "view=spread" in page.url
    moved = time.monotonic()
    page.locator(".st-key-view").get_by_text("Error", exact=True).click()
    page.locator(".st-key-forecast-view").get_by_text("Error of the mean").wait_for()
    print(f"another view of what is known in {time.monotonic() - moved:.1f} s")


@pytest.mark.parametrize("projection", ["robinson", "plate-carree", "north-polar", "orthographic"])
def test_the_pointer_on_the_map_tells_what_the_sentence_beneath_says(page: Page, projection: str):
    page.set_viewport_size({"width": 1440, "height": 1600})  # no need to scroll to the map
    page.goto(f"/?task=grid&members=9&projection={projection}")
    settle(page)
    sentence = page.locator(".st-key-forecast-view .sa-reading").inner_text()  # from the field; the pointer reads the pixels of the map
    north, side, east, way, value = re.search(r"greatest near (\d+)°([NS]) (\d+)°([EW]) \(([\d,]+)", sentence).groups()
    x, y = page.evaluate("""() => {
        const figure = document.querySelector('.st-key-forecast-view .js-plotly-plot'), map = figure._fullData[0], layout = figure._fullLayout;
        let best = [-Infinity, 0, 0];
        map.z.forEach((row, i) => row.forEach((value, j) => { if (value > best[0]) best = [value, i, j]; }));
        const frame = figure.getBoundingClientRect(), {xaxis, yaxis} = layout;
        return [frame.x + xaxis._offset + xaxis.c2p(map.x[best[2]]), frame.y + yaxis._offset + yaxis.c2p(map.y[best[1]])];
    }""")
    page.mouse.move(x, y, steps=3)
    hover = page.locator(".st-key-forecast-view .hoverlayer text").first
    hover.wait_for()
    page.wait_for_timeout(500)  # the label of the last step, not of the one before
    shown, latitude, longitude = (
        float(re.search(rf"{name}([−-]?[\d,]+)", hover.text_content()).group(1).replace(",", "").replace("−", "-"))
        for name in ("mean ", "latitude ", "longitude ")
    )
    assert shown == pytest.approx(float(value.replace(",", "")), rel=0.002)
    assert abs(latitude - float(north) * (1 if side == "N" else -1)) < 6
    assert abs((longitude - float(east) * (1 if way == "E" else -1) + 180) % 360 - 180) < 6


def test_the_slider_brings_the_map_up_to_date_in_place(page: Page):
    page.goto("/?task=grid&members=9&nu=4&prefetch=no")
    settle(page)
    figure = page.locator(".st-key-forecast-view .js-plotly-plot")
    greatest = "figure => Math.max(...figure._fullData[0].z.map(row => Math.max(...Array.from(row).filter(value => value === value))))"
    ground = "figure => Array.from(figure._fullData[1].x).length"
    before, coast = figure.evaluate(greatest), figure.evaluate(ground)
    figure.evaluate("figure => { figure.dataset.same = 'yes' }")
    move_slider(page, "ArrowLeft", "3")
    assert figure.get_attribute("data-same") == "yes", "the figure was taken away and made anew"
    assert figure.evaluate(greatest) != before and figure.evaluate(ground) == coast > 1000
    greatest_text = re.search(r"greatest near .*? \(([\d,]+)", page.locator(".st-key-forecast-view .sa-reading").inner_text()).group(1)
    assert figure.evaluate(greatest) == pytest.approx(float(greatest_text.replace(",", "")), rel=0.002)


def test_a_box_dragged_on_the_map_becomes_a_region(page: Page):
    page.set_viewport_size({"width": 1440, "height": 1800})
    page.goto("/?task=grid&members=9&prefetch=no&projection=plate-carree")
    settle(page)
    page.get_by_role("tab", name="By region").click()
    settle(page)
    x, y, right, top = page.locator(".st-key-region-map .js-plotly-plot").evaluate("""figure => {
        const frame = figure.getBoundingClientRect(), {xaxis, yaxis} = figure._fullLayout;
        const place = (x, y) => [frame.x + xaxis._offset + xaxis.c2p(x), frame.y + yaxis._offset + yaxis.c2p(y)];
        return [...place(-60, 20), ...place(-10, 60)];
    }""")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(right, top, steps=5)
    page.mouse.up()
    page.get_by_text("Your box: ").wait_for(timeout=30_000)
    settle(page)
    south, north, west, east = (float(edge) for edge in re.search(r"box=([^&]*)", page.url).group(1).replace("%2C", ",").split(","))
    assert [south, north] == pytest.approx([20, 60], abs=4) and [west, east] == pytest.approx([-60, -10], abs=4)


def test_every_view_of_the_map_can_be_reached_on_a_phone(browser: Browser, address: str):
    page = browser.new_page(viewport={"width": 390, "height": 844}, base_url=address)
    page.goto("/?task=grid&members=9")
    settle(page)
    for name in FIELDS.values():
        button = page.locator(".st-key-view button", has_text=name).first
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, f"{name} runs past the edge"
        assert button.evaluate("button => button.scrollWidth <= button.clientWidth + 1"), f"{name} is cut"
    page.close()
