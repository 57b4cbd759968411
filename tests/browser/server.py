"""The app on a free port, and a headless Chromium that records errors and requests to other hosts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Streamlit asks for its own health under the page's address before it finds its base address: two 404 that it expects.
EXPECTED = ("/_stcore/health", "/_stcore/host-config")


@contextmanager
def served(cache: Path) -> Iterator[str]:
    """The address of a fresh server whose results go to `cache`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.port",
        str(port),
        "--server.address",
        "127.0.0.1",
        "--server.headless",
        "true",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "STOCHATTN_CACHE": str(cache)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise FileNotFoundError("expected the chromium of the system, found none; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


def watched(page: Page, address: str) -> list[str]:
    """Everything that should not happen on a page, as it happens: errors in the console, failed requests, requests to other hosts."""
    problems: list[str] = []
    page.on(
        "console",
        lambda message: problems.append(f"console: {message.text}") if message.type == "error" and not _expected(message) else None,
    )
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on(
        "request",
        lambda request: problems.append(f"other host: {request.url}") if not request.url.startswith((address, "data:", "blob:")) else None,
    )
    return problems


def _expected(message) -> bool:
    return "404" in message.text and message.location.get("url", "").endswith(EXPECTED)
