"""Tuning in a real browser: the setting is exported as a file and loaded again, with a correction or without."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.steps import download_setting, first_tile, settle, tune


def test_tune_export_and_load_again(page: Page, tmp_path: Path):
    page.goto("/tune?task=table&dataset=synthetic-table&members=19")
    settle(page)
    tune(page)
    path = download_setting(page, tmp_path)
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
    page.locator(".st-key-forecast-view .main-svg").first.wait_for(timeout=60_000)
    settle(page)
    assert f"ν = {saved['concentration']:,}" in page.locator(".sa-title").inner_text()
    assert abs(float(first_tile(page)) - saved["scores"]["after"]["spread_skill_ratio"]) < 0.005


def test_a_correction_is_compared_used_and_removed(page: Page, tmp_path: Path):
    page.goto("/tune?task=table&members=9")
    page.locator(".sa-verdict").get_by_text("Before you tune").wait_for(timeout=120_000)
    tune(page)
    page.locator(".st-key-compare-corrections button").first.click()
    page.locator(".st-key-gains .main-svg").first.wait_for(timeout=300_000)
    settle(page)
    page.locator(".st-key-correction-row [role=combobox], .st-key-correction-row input").first.click()
    page.get_by_role("option", name="Output inflation").click()
    settle(page)
    page.locator(".st-key-export-correction button").first.click()
    page.get_by_role("button", name="Back to ν alone").wait_for()
    settle(page)
    saved = json.loads(download_setting(page, tmp_path).read_text())
    assert saved["correction"].startswith("inflation") and saved["concentration"] == 64
    page.locator(".st-key-use-correction button").first.click()
    page.locator(".st-key-forecast-view .main-svg").first.wait_for(timeout=60_000)
    settle(page)
    assert f"output inflation × {saved['correction'].split()[1]}" in page.locator(".sa-title").inner_text()
    assert abs(float(first_tile(page)) - saved["scores"]["after"]["spread_skill_ratio"]) < 0.005
    page.locator(".st-key-remove-correction button").first.click()
    settle(page)
    assert "correction=" not in page.url and "inflation" not in page.locator(".sa-title").inner_text()
