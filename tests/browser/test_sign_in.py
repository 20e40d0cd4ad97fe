"""A gateway that has tokens: the page asks for one, in both languages, acts in its name, and signs out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.conftest import new_context
from tests.browser.real_gateway import WAIT_S, RealGateway, plan


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealGateway, str, str]]:
    """A gateway with one site, the token of its operator, and that of its administrator."""
    gateway = RealGateway(Path(tmp_path_factory.mktemp("locked")))
    gateway.start()
    gateway.hold(plan("harbour"))

    def make(name: str, role: str, secret: str = "") -> str:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        answer = httpx.post(
            f"{gateway.url}/api/tokens", json={"name": name, "role": role}, headers=headers, timeout=WAIT_S
        )
        made: str = answer.json()["token"]
        return made

    boss = make("boss", "administrator")
    yield gateway, make("wang-jg", "operator", boss), boss
    gateway.kill()


@pytest.fixture
def page(browser: object) -> Iterator[Page]:
    context = new_context(browser)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def test_a_page_asks_for_a_token_and_acts_in_its_name(
    page: Page, locked: tuple[RealGateway, str, str]
) -> None:
    gateway, secret, _ = locked
    page.goto(gateway.url)
    expect(page.get_by_role("button", name="登录")).to_be_disabled()
    assert not Axe().run(page).response["violations"]
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("This gateway asks who you are.")).to_be_visible()

    page.get_by_label("Token").fill("pgt_wrong")
    page.get_by_label("Token").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not known here, or was revoked")

    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbour harbour")
    expect(page.locator(".rounds .row")).to_have_count(2)
    expect(page.locator(".signed-in")).to_have_text("Acting wang-jg")
    assert page.evaluate("document.cookie") == ""  # no script can read it
    assert secret not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")

    page.reload()
    expect(page.locator(".rounds .row")).to_have_count(2)

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator(".rounds")).to_have_count(0)


def test_a_page_whose_token_is_revoked_goes_back_to_signing_in(
    page: Page, locked: tuple[RealGateway, str, str]
) -> None:
    gateway, secret, boss = locked
    page.goto(f"{gateway.url}/?lang=en")
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".rounds .row")).to_have_count(2)
    ended = httpx.post(
        f"{gateway.url}/api/tokens/wang-jg/revoke",
        headers={"Authorization": f"Bearer {boss}"},
        timeout=WAIT_S,
    )
    assert ended.status_code == 200
    expect(page.get_by_label("Token")).to_be_visible()
