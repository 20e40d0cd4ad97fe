"""One message over one channel, to real receivers: what arrives, and what is understood when it does not."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.domain.alert import Severity
from gateway.notify.delivery import Outcome
from gateway.notify.sending import Sender
from tests.integration.notify.receivers import HttpReceiver, MailReceiver


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    receiver = MailReceiver()
    yield receiver
    receiver.close()


def send(url: str, **plugin: Any) -> Outcome:
    sender = Sender(url)
    for name, value in plugin.items():
        setattr(sender._plugin, name, value)
    return sender.send("漏巡 · 车库", "没有记录\n编号：r-1/opened/0", "r-1/opened/0", Severity.CRITICAL)


def test_a_webhook_gets_title_body_severity_and_key(http: HttpReceiver) -> None:
    assert send(http.url()) == Outcome()
    (message,) = http.taken
    assert message.path == "/hook"
    assert message.key == "r-1/opened/0"
    assert message.body["title"] == "漏巡 · 车库"
    assert message.body["message"] == "没有记录\n编号：r-1/opened/0"
    assert message.body["type"] == "failure"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_a_refusal_is_permanent(http: HttpReceiver, status: int) -> None:
    http.status = status
    assert send(http.url()) == Outcome(f"http_{status}", permanent=True)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_cannot_now_may_be_able_to_later(http: HttpReceiver, status: int) -> None:
    http.status = status
    assert send(http.url()) == Outcome(f"http_{status}", permanent=False)


def test_nobody_there_is_passing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        port = taken.getsockname()[1]
        assert send(f"json://127.0.0.1:{port}/") == Outcome("unreachable")
        assert send(f"mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org") == Outcome(
            "unreachable"
        )


def test_no_answer_is_passing(http: HttpReceiver) -> None:
    http.hangs = True
    began = time.monotonic()
    assert send(http.url(query="rto=0.2")) == Outcome("no_answer")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("url", "member", "busy", "wrong"),
    [
        ("wecombot://0123456789abcdef-secret", "api_url", {"errcode": 45009}, {"errcode": 93000}),
        ("dingtalk://0123456789abcdef", "notify_url", {"errcode": 130101}, {"errcode": 310000}),
        ("feishu://0123456789abcdef", "notify_url", {"code": 11232}, {"code": 19001}),
    ],
)
def test_a_robot_that_refuses_with_200_and_a_code_is_understood(
    http: HttpReceiver, url: str, member: str, busy: dict[str, int], wrong: dict[str, int]
) -> None:
    here = {member: f"http://127.0.0.1:{http.port}/"}
    http.answer = dict.fromkeys(wrong, 0)
    assert send(url, **here) == Outcome()
    http.answer = busy
    assert send(url, **here) == Outcome(f"answer_{next(iter(busy.values()))}")
    http.answer = wrong
    assert send(url, **here) == Outcome(f"answer_{next(iter(wrong.values()))}", permanent=True)


def test_a_mail_arrives_as_it_was_written(mail: MailReceiver) -> None:
    assert send(mail.url()) == Outcome()
    (message,) = mail.taken
    assert message["Subject"] == "漏巡 · 车库"
    assert message["To"] == "duty@example.org"
    assert message["Idempotency-Key"] == "r-1/opened/0"
    body = message.get_body(("plain",))
    assert body is not None and "没有记录" in body.get_content() and "r-1/opened/0" in body.get_content()


def test_an_unknown_recipient_is_permanent_and_a_full_mailbox_is_not(mail: MailReceiver) -> None:
    mail.refuses = "550 no such user"
    assert send(mail.url()) == Outcome("smtp_550", permanent=True)
    mail.refuses = "452 mailbox full"
    assert send(mail.url()) == Outcome("smtp_452")


def test_refused_credentials_are_permanent(mail: MailReceiver) -> None:
    assert send(mail.url("wrong")) == Outcome("smtp_535", permanent=True)
    assert send(mail.url("right")) == Outcome()


def test_what_a_plugin_trips_over_is_passing(http: HttpReceiver) -> None:
    def trip(**_: object) -> bool:
        raise ZeroDivisionError

    assert send(http.url(), send=trip) == Outcome("failed")


SECRET_URLS = [
    "json://user:hunter2secret@127.0.0.1:1/hunter2secret?+Authorization=hunter2secret&-token=hunter2secret",
    "wecombot://hunter2secret",
    "dingtalk://hunter2secret@hunter2secret",
    "feishu://hunter2secret",
    "mailto://user:hunter2secret@127.0.0.1:1?from=a@example.org&to=b@example.org",
]


@pytest.mark.parametrize("url", SECRET_URLS)
def test_no_secret_is_shown_or_logged(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    sender = Sender(url)
    outcome = sender.send("t", "b", "k") if "127.0.0.1" in url else None
    shown = f"{sender!r} {sender.shown} {outcome} {caplog.text} {''.join(capfd.readouterr())}"
    assert "://" in sender.shown
    assert "hunter2secret" not in shown


@pytest.mark.parametrize(
    "url", ["nosuch://hunter2secret", "json://", "hunter2secret", "wecombot://", "dingtalk://%%"]
)
def test_an_url_that_is_not_understood_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="expected a") as refused:
        Sender(url)
    assert "hunter2secret" not in str(refused.value)
