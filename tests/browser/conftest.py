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
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

from tests.browser.fake_gateway import PAGES, FakeGateway

HERE = Path(__file__).parent
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


def new_context(browser: Browser) -> BrowserContext:
    """A reader far from the site: whatever their browser's zone, the board shows the site's time."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 720},
        timezone_id="America/New_York",
        locale="en-US",
        reduced_motion="reduce",
    )
    made.set_default_timeout(5_000)
    return made


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with contextlib.closing(new_context(browser)) as made:
        yield made


@contextlib.contextmanager
def watched(page: Page) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen: an error or a breach of the policy fails the test."""
    troubles: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # A stream that the test cuts, and a refusal that it wants, are reported by the browser itself.
        expected = "WebSocket" in message.text or "status of 409" in message.text
        if message.type == "error" and not expected:
            troubles.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    assert troubles == []


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    with watched(context.new_page()) as opened:
        yield opened


@pytest.fixture
def second(browser: Browser) -> Iterator[Page]:
    """The page of another reader."""
    with contextlib.closing(new_context(browser)) as other, watched(other.new_page()) as opened:
        yield opened
