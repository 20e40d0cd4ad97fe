"""A real Chromium on pages of a fake gateway.

Synchronous Playwright cannot share a process with asyncio tests: this folder is run by itself,
`pytest tests/browser`, and a run of everything passes it over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    ViewportSize,
    expect,
)

from tests.browser.fake_gateway import PAGES, FakeGateway

HERE = Path(__file__).parent

#: How long an expectation may take to come true (ms): a busy machine is slow, and nothing waits longer than it must.
PATIENCE_MS = 15_000

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=PATIENCE_MS)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Passed over unless it was asked for by name."""
    asked = [Path(str(argument).split("::")[0]).resolve() for argument in config.args]
    return None if any(path == HERE or HERE in path.parents for path in asked) else True


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.fail("these tests need Chromium on the PATH (Debian: apt-get install chromium fonts-noto-cjk)")
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    launched = playwright.chromium.launch(executable_path=found, args=flags)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def running_gateway() -> Iterator[FakeGateway]:
    if not (PAGES / "build.json").is_file():
        pytest.fail("the pages are not built: run `python hatch_build.py build`")
    before = threading.excepthook
    with FakeGateway(tick_s=0.25).running() as gateway:
        yield gateway
    threading.excepthook = before


@pytest.fixture
def gateway(running_gateway: FakeGateway) -> FakeGateway:
    running_gateway.reset()
    return running_gateway


VIEWPORT: ViewportSize = {"width": 1280, "height": 720}


def new_context(browser: Browser) -> BrowserContext:
    """A reader far from the site: whatever their browser's zone, the board shows the site's time."""
    made = browser.new_context(
        viewport=VIEWPORT, timezone_id="America/New_York", locale="en-US", reduced_motion="reduce"
    )
    made.set_default_timeout(PATIENCE_MS)
    return made


def watch(page: Page) -> list[str]:
    """What goes wrong on a page: errors, and breaches of the policy."""
    troubles: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # A stream that the test cuts, and a refusal that it wants, are reported by the browser itself.
        refused = any(f"status of {status}" in message.text for status in (403, 404, 409))
        expected = "WebSocket" in message.text or refused
        if message.type == "error" and not expected:
            troubles.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return troubles


@pytest.fixture(scope="session")
def used_page(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """One page for many tests: what costs is not the page but the process and the fonts of a new one."""
    with contextlib.closing(new_context(browser)) as made:
        opened = made.new_page()
        yield opened, watch(opened)


@pytest.fixture
def page(used_page: tuple[Page, list[str]]) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen, as good as new."""
    opened, troubles = used_page
    yield opened
    if opened.url.startswith("http"):
        opened.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
    opened.goto("about:blank")
    opened.mouse.move(0, 0)
    opened.set_viewport_size(VIEWPORT)
    opened.emulate_media(reduced_motion="reduce")
    found = troubles.copy()
    troubles.clear()
    assert found == []


@pytest.fixture
def fresh_page(browser: Browser) -> Iterator[Page]:
    """A new page, for tests that change what cannot be changed back: its clock, its listeners, that it was clicked."""
    with contextlib.closing(new_context(browser)) as made:
        opened = made.new_page()
        troubles = watch(opened)
        yield opened
        assert troubles == []
