"""The app in a real browser: every page opens without an error, the slider answers, tuning leaves as a file and comes back."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).resolve().parent))
from server import chromium, served, settle, watched

PAGES = ("/", "/tune", "/bring", "/method", "/?task=table", "/?lead=3&nu=2", "/?nu=inf", "/?task=grid&members=9")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("cache")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails its test on an error in the console, an exception box, or a request to another host."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=address)
    found = watched(page, address)
    yield page
    assert page.locator("[data-testid=stException]").count() == 0
    assert found == []
    page.close()


def test_the_first_plot_is_there_soon(page: Page):
    """The first test on a fresh server: nothing is loaded yet, so this is what a user waits."""
    started = time.monotonic()
    page.goto("/")
    page.locator(".st-key-forecast .main-svg").first.wait_for(timeout=60_000)
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
    assert page.locator(".st-key-forecast .main-svg").count() > 0


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
    page.locator(".st-key-nu input[type=range]").focus()
    started = time.monotonic()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        """([ratio, bars]) => document.querySelector('.sa-value').innerText.trim() !== ratio
            && JSON.stringify(Array.from(document.querySelector('.st-key-pit .js-plotly-plot')?._fullData?.[0].y ?? bars)) !== JSON.stringify(bars)""",
        arg=[ratio, bars],
        timeout=60_000,
    )
    took = time.monotonic() - started
    print(f"onto a neighbour that was ready in {took:.1f} s")
    assert took < 3
    page.get_by_text("All 25 concentrations ready").wait_for(timeout=120_000)
    page.locator(".st-key-forecast .js-plotly-plot").evaluate("figure => { figure.dataset.same = 'yes' }")
    page.wait_for_timeout(2_000)
    sent.clear()
    page.wait_for_timeout(4_000)
    assert sent == []
    assert page.locator(".st-key-forecast .js-plotly-plot").get_attribute("data-same") == "yes"
    assert page.locator(".sa-label em").inner_text() == "All 25 concentrations ready"


def test_the_map_changes_projection_and_view(page: Page):
    page.goto("/?task=grid&members=9")
    settle(page)
    assert "Ensemble mean" in page.locator(".st-key-forecast").inner_text()
    page.locator(".st-key-view").get_by_text("Spread", exact=True).click()
    settle(page)
    page.locator(".st-key-projection [role=combobox], .st-key-projection input").first.click()
    page.get_by_role("option", name="Orthographic").click()
    settle(page)
    assert "Spread: geopotential at 500 hPa" in page.locator(".st-key-forecast").inner_text()
    assert "projection=orthographic" in page.url and "view=spread" in page.url
    moved = time.monotonic()
    page.locator(".st-key-view").get_by_text("Error", exact=True).click()
    page.locator(".st-key-forecast").get_by_text("Error of the mean").wait_for()
    print(f"another view of what is known in {time.monotonic() - moved:.1f} s")


@pytest.mark.parametrize("projection", ["robinson", "plate-carree", "north-polar", "orthographic"])
def test_the_pointer_on_the_map_tells_what_the_sentence_beneath_says(page: Page, projection: str):
    page.set_viewport_size({"width": 1440, "height": 1600})  # no need to scroll to the map
    page.goto(f"/?task=grid&members=9&projection={projection}")
    settle(page)
    sentence = page.locator(".st-key-map .sa-reading").inner_text()  # from the field; the pointer reads the pixels of the map
    north, side, east, way, value = re.search(r"greatest near (\d+)°([NS]) (\d+)°([EW]) \(([\d,]+)", sentence).groups()
    x, y = page.evaluate("""() => {
        const figure = document.querySelector('.st-key-forecast .js-plotly-plot'), map = figure._fullData[0], layout = figure._fullLayout;
        let best = [-Infinity, 0, 0];
        map.z.forEach((row, i) => row.forEach((value, j) => { if (value > best[0]) best = [value, i, j]; }));
        const frame = figure.getBoundingClientRect(), {xaxis, yaxis} = layout;
        return [frame.x + xaxis._offset + xaxis.c2p(map.x[best[2]]), frame.y + yaxis._offset + yaxis.c2p(map.y[best[1]])];
    }""")
    page.mouse.move(x, y, steps=3)
    said = page.locator(".st-key-forecast .hoverlayer text").first
    said.wait_for()
    page.wait_for_timeout(500)  # the label of the last step, not of the one before
    shown, latitude, longitude = (
        float(re.search(rf"{name}([−-]?[\d,]+)", said.text_content()).group(1).replace(",", "").replace("−", "-"))
        for name in ("mean ", "latitude ", "longitude ")
    )
    assert shown == pytest.approx(float(value.replace(",", "")), rel=0.002)
    assert abs(latitude - float(north) * (1 if side == "N" else -1)) < 6
    assert abs((longitude - float(east) * (1 if way == "E" else -1) + 180) % 360 - 180) < 6


def test_every_view_of_the_map_can_be_reached_on_a_phone(browser: Browser, address: str):
    page = browser.new_page(viewport={"width": 390, "height": 844}, base_url=address)
    page.goto("/?task=grid&members=9")
    settle(page)
    for name in ("Mean", "Spread", "Error", "Member", "Spaghetti", "Truth"):
        button = page.locator(".st-key-view button", has_text=name).first
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, f"{name} runs past the edge"
        assert button.evaluate("one => one.scrollWidth <= one.clientWidth + 1"), f"{name} is cut"
    page.close()


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


def test_tune_take_home_and_load_back(page: Page, tmp_path: Path):
    page.goto("/tune?task=table&dataset=synthetic-table&members=19")
    settle(page)
    page.get_by_role("button", name="Start tuning").click()
    page.get_by_text("Take it home").wait_for(timeout=300_000)
    settle(page)
    with page.expect_download() as download:
        page.locator(".st-key-tuned-json button").click()
    path = tmp_path / "tuned.json"
    download.value.save_as(path)
    saved = json.loads(path.read_text())
    assert saved["dataset"]["name"] == "synthetic-table"
    assert saved["scores"]["after"]["n_member"] == 19

    page.locator("[data-testid=stSidebarNav]").get_by_text("Bring your own", exact=True).click()
    settle(page)
    page.get_by_role("tab", name="A saved setting").click()
    page.locator(".st-key-tuned-file input[type=file]").set_input_files(path)
    page.get_by_text("The same numbers, bit for bit.").wait_for(timeout=120_000)
    bad = tmp_path / "half.json"
    bad.write_text(path.read_text()[:200])
    page.locator(".st-key-tuned-file input[type=file]").set_input_files(bad)
    page.locator("[data-testid=stAlert]").wait_for()
    settle(page)
    assert page.get_by_text("The same numbers, bit for bit.").count() == 1, "what was loaded before must stay"

    page.get_by_role("button", name="Open it on Explore").click()
    page.locator(".st-key-forecast .main-svg").first.wait_for(timeout=60_000)
    settle(page)
    assert f"ν = {saved['concentration']:,}" in page.locator(".sa-title").inner_text()
    assert abs(float(first_tile(page)) - saved["scores"]["after"]["spread_skill_ratio"]) < 0.005


def test_a_mend_is_compared_used_and_removed(page: Page, tmp_path: Path):
    page.goto("/tune?task=table&members=9")
    page.locator(".sa-verdict").get_by_text("Before you tune").wait_for(timeout=120_000)
    page.locator(".st-key-start-tuning button").first.click()
    page.get_by_text("Take it home").wait_for(timeout=300_000)
    settle(page)
    page.locator(".st-key-compare-mends button").first.click()
    page.locator(".st-key-gains .main-svg").first.wait_for(timeout=300_000)
    settle(page)
    page.locator(".st-key-mend-row [role=combobox], .st-key-mend-row input").first.click()
    page.get_by_role("option", name="Output inflation").click()
    settle(page)
    page.locator(".st-key-export-mend button").first.click()
    page.get_by_role("button", name="Back to ν alone").wait_for()
    settle(page)
    with page.expect_download() as download:
        page.locator(".st-key-tuned-json button").click()
    path = tmp_path / "tuned.json"
    download.value.save_as(path)
    saved = json.loads(path.read_text())
    assert saved["mend"].startswith("inflation") and saved["concentration"] == 64
    page.locator(".st-key-use-mend button").first.click()
    page.locator(".st-key-forecast .main-svg").first.wait_for(timeout=60_000)
    settle(page)
    assert f"output inflation × {saved['mend'].split()[1]}" in page.locator(".sa-title").inner_text()
    assert abs(float(first_tile(page)) - saved["scores"]["after"]["spread_skill_ratio"]) < 0.005
    page.locator(".st-key-remove-mend button").first.click()
    settle(page)
    assert "mend=" not in page.url and "inflation" not in page.locator(".sa-title").inner_text()


def test_stop_keeps_what_was_shown(page: Page):
    page.goto("/?nu=256")
    settle(page)
    before = first_tile(page)
    page.locator(".st-key-nu input[type=range]").focus()
    page.keyboard.press("Home")
    stop = page.get_by_role("button", name="Stop")
    stop.wait_for(timeout=20_000)
    stop.click()
    settle(page)
    if page.locator("[data-testid=stAlert]").count():  # not so where the machine was faster than the click
        assert first_tile(page) == before
    page.reload()
    settle(page)
    assert page.locator(".st-key-forecast .main-svg").count() > 0


def test_a_csv_becomes_a_dataset(page: Page, tmp_path: Path):
    rows = ["when,sales"] + [f"20{i // 12:02d}-{i % 12 + 1:02d}-01,{100 + 10 * (i % 12) + i % 7}" for i in range(300)]
    path = tmp_path / "Shop sales.csv"
    path.write_text("\n".join(rows))
    page.goto("/bring")
    settle(page)
    page.locator(".st-key-own-file input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Use it on Explore").click()
    page.locator(".st-key-forecast .main-svg").first.wait_for(timeout=120_000)
    settle(page)
    assert "dataset=own-shop-sales" in page.url


def test_a_netcdf_file_becomes_a_map(page: Page, tmp_path: Path):
    """Small enough that its network is trained in seconds."""
    time_, latitude, longitude = pd.date_range("2020-01-01", periods=80, freq="12h"), np.arange(-60.0, 61, 30), np.arange(0.0, 360, 60)
    wave = 3 * np.sin(np.deg2rad(longitude)[None, None] + np.arange(80)[:, None, None] / 3.0)
    values = (280 - np.abs(latitude)[None, :, None] / 2 + wave).astype("float32")
    coords = {"time": time_, "lat": latitude, "lon": longitude}
    path = tmp_path / "Small world.nc"
    xr.Dataset({"t2m": (("time", "lat", "lon"), values, {"units": "K"})}, coords).to_netcdf(path, engine="h5netcdf")
    page.goto("/bring")
    settle(page)
    page.locator(".st-key-own-file input[type=file]").set_input_files(path)
    page.get_by_text("2020-01-01 to 2020-02-09, every 12 h").wait_for()
    page.get_by_role("button", name="Use it on Explore").click()
    page.locator(".st-key-forecast .main-svg").first.wait_for(timeout=120_000)
    settle(page)
    assert "dataset=own-small-world-t2m-24h" in page.url
    assert "Ensemble mean" in page.locator(".st-key-forecast").inner_text()
    assert page.locator(".st-key-pit .main-svg").count() and page.locator(".st-key-spread-skill .main-svg").count()
    page.locator("[data-testid=stSidebarNav]").get_by_text("Bring your own", exact=True).click()
    page.get_by_text("Small world.nc").first.wait_for()  # open still, for another variable or lead time


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
