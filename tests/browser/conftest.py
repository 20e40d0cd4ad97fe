"""A real Chromium on pages of a fake gateway.

Synchronous Playwright cannot share a process with asyncio tests: this folder is run by itself,
`pytest tests/browser`, and a run of everything passes it over.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

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


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A reader far from the site: whatever their browser's zone, the board shows the site's time."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 720},
        timezone_id="America/New_York",
        locale="en-US",
        reduced_motion="reduce",
    )
    made.set_default_timeout(5_000)
    yield made
    made.close()


@pytest.fixture
def troubles() -> list[str]:
    return []


@pytest.fixture
def page(context: BrowserContext, troubles: list[str]) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen: an error or a breach of the policy fails the test."""
    opened = context.new_page()

    def on_console(message: Any) -> None:
        # A stream that the test cuts is reported by the browser itself.
        if (
            message.type == "error"
            and "WebSocket" not in message.text
            and "status of 409" not in message.text
        ):
            troubles.append(message.text)

    opened.on("console", on_console)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    yield opened
    assert troubles == []
