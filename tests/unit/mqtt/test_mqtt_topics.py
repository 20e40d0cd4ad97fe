"""Topic filters, device topics, identities and broker URLs."""

from __future__ import annotations

import pytest

from gateway.ingest.mqtt.broker_url import BrokerAddress, BrokerUrlError
from gateway.ingest.mqtt.identity import trust
from gateway.ingest.mqtt.topics import device_of, is_down_filter, matches, valid_filter


@pytest.mark.parametrize("text", ["#", "+", "a/#", "a/+/b", "+/+", "/", "a//b", "a", " "])
def test_valid_filters(text: str) -> None:
    assert valid_filter(text)


@pytest.mark.parametrize("text", ["", "a#", "a/#/b", "#/", "a+", "+a/b", "a/b#", "##"])
def test_filters_with_misplaced_wildcards(text: str) -> None:
    assert not valid_filter(text)


@pytest.mark.parametrize(
    ("filter_", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/B", False),
        ("a/b", "/a/b", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a/", True),
        ("+/+", "/b", True),
        ("+", "/b", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("#", "a/b", True),
        ("#", "$SYS/b", False),
        ("+/b", "$SYS/b", False),
        ("$SYS/#", "$SYS/b", True),
        ("a/b/c", "a/b", False),
    ],
)
def test_matching(filter_: str, topic: str, expected: bool) -> None:
    assert matches(filter_, topic) == expected


def test_the_device_of_a_topic() -> None:
    assert device_of("patrol/v1/riverside/scanner-1/up") == "riverside/scanner-1"
    for topic in ("patrol/v1/riverside/scanner-1", "patrol/v1/R/s/up", "patrol/v2/r/s/up", "x/v1/r/s/up", ""):
        assert device_of(topic) is None
    assert device_of(f"patrol/v1/r/{'x' * 33}/up") is None


def test_down_filters() -> None:
    for filter_ in ("patrol/v1/s/d/down/#", "patrol/v1/s/d/down/+", "patrol/v1/+/+/down/cmd"):
        assert is_down_filter(filter_)
    for filter_ in ("patrol/v1/s/d/#", "patrol/v1/s/d/up", "patrol/v1/s/d/down", "#", "patrol/v1/s/+/+/down"):
        assert not is_down_filter(filter_)


@pytest.mark.parametrize(
    ("client_id", "username", "expected"),
    [
        ("x", "riverside/scanner-1", "riverside/scanner-1"),
        ("a/b", "riverside/scanner-1", "riverside/scanner-1"),
        ("a/b", "bob", "a/b"),
        ("a/b", None, "a/b"),
        ("a:b", None, "a/b"),
        ("x", "a:b", None),
        ("paho1234", None, None),
        ("a/b/c", None, None),
        ("A/b", None, None),
        ("", None, None),
    ],
)
def test_who_a_connection_speaks_for(client_id: str, username: str | None, expected: str | None) -> None:
    assert trust(client_id, username, None) == expected


def test_broker_urls() -> None:
    assert BrokerAddress.parse("mqtt://broker") == BrokerAddress("broker", 1883)
    assert BrokerAddress.parse("mqtts://broker/") == BrokerAddress("broker", 8883, tls=True)
    found = BrokerAddress.parse("mqtt://user:p%40ss@[::1]:1884")
    assert found == BrokerAddress("::1", 1884, username="user", password="p@ss")
    assert str(found) == "mqtt://[::1]:1884"
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "http://broker",
        "broker:1883",
        "mqtt://",
        "mqtt://b:port",
        "mqtt://b:99999",
        "mqtt://b/path",
        "mqtt://:p@b",
    ],
)
def test_wrong_broker_urls_are_explained(url: str) -> None:
    with pytest.raises(BrokerUrlError, match="mqtt://user:password@host:port"):
        BrokerAddress.parse(url)


def test_the_explanation_of_a_wrong_url_keeps_the_password() -> None:
    with pytest.raises(BrokerUrlError) as raised:
        BrokerAddress.parse("http://user:secret@broker/x")
    assert "secret" not in str(raised.value)
