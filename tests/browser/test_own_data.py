"""Files of the user's own in a real browser: a CSV and a NetCDF file become datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from playwright.sync_api import Page

from tests.browser.steps import settle


def test_a_csv_becomes_a_dataset(page: Page, tmp_path: Path):
    rows = ["when,sales"] + [f"20{i // 12:02d}-{i % 12 + 1:02d}-01,{100 + 10 * (i % 12) + i % 7}" for i in range(300)]
    path = tmp_path / "Shop sales.csv"
    path.write_text("\n".join(rows))
    page.goto("/bring")
    settle(page)
    page.locator(".st-key-own-file input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Use it on Explore").click()
    page.locator(".st-key-forecast-view .main-svg").first.wait_for(timeout=120_000)
    settle(page)
    assert "dataset=own-shop-sales-sales" in page.url


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
    page.locator(".st-key-forecast-view .main-svg").first.wait_for(timeout=120_000)
    settle(page)
    assert "dataset=own-small-world-t2m-24h" in page.url
    assert "Ensemble mean" in page.locator(".st-key-forecast-view").inner_text()
    assert page.locator(".st-key-pit .main-svg").count() and page.locator(".st-key-spread-skill .main-svg").count()
    page.locator("[data-testid=stSidebarNav]").get_by_text("Bring your own", exact=True).click()
    page.get_by_text("Small world.nc").first.wait_for()  # open still, for another variable or lead time
