"""Passwords of devices and tokens, as what is stored about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.passwords import PasswordError, Passwords
from gateway.store.port import KeyRow
from gateway.tokens import TokenError, Tokens

DEVICE = "yard/scanner-1"
HOUR_MS = 3_600_000


def test_an_old_password_is_good_until_the_moment_its_grace_is_over() -> None:
    passwords = Passwords()
    old, row = passwords.make(DEVICE, 0, "li", "")
    passwords.take(row)
    new, row = passwords.make(DEVICE, 0, "li", "", grace_s=3600)
    passwords.take(row)
    assert passwords.fits(DEVICE, old.encode(), HOUR_MS - 1)
    assert not passwords.fits(DEVICE, old.encode(), HOUR_MS)
    assert passwords.fits(DEVICE, new.encode(), 10 * HOUR_MS)


def test_of_two_changes_within_a_grace_only_the_last_old_one_is_good() -> None:
    passwords, secrets = Passwords(), []
    for _ in range(3):
        secret, row = passwords.make(DEVICE, 0, "li", "", grace_s=3600)
        passwords.take(row)
        secrets.append(secret.encode())
    assert [passwords.fits(DEVICE, each, 1) for each in secrets] == [False, True, True]


def test_no_grace_is_no_grace() -> None:
    passwords = Passwords()
    old, row = passwords.make(DEVICE, 0, "li", "")
    passwords.take(row)
    passwords.take(passwords.make(DEVICE, 0, "li", "", grace_s=0)[1])
    assert not passwords.fits(DEVICE, old.encode(), 0)


@given(st.binary(max_size=64))
def test_nothing_that_was_not_given_fits(shown: bytes) -> None:
    passwords = Passwords()
    passwords.take(passwords.make(DEVICE, 0, "li", "")[1])
    assert not passwords.fits(DEVICE, shown, 0)
    assert not passwords.fits("yard/scanner-2", shown, 0)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=20))
def test_what_is_stored_amounts_to_what_was_done(deeds: list[tuple[str, bool]]) -> None:
    """However often the gateway is started again in between."""
    tokens, passwords = Tokens(), Passwords()
    rows: list[KeyRow] = []
    secrets: dict[str, str] = {}
    for at, (name, makes) in enumerate(deeds):
        try:
            if makes:
                secret, row = tokens.make(name, "auditor", (), at, "li", "")
                secrets[name] = secret
            else:
                row = tokens.revoke(name, at, "li", "")
                secrets.pop(name)
        except TokenError:
            assert (name in secrets) == makes
            continue
        tokens.take(row)
        rows += [row, passwords.make(f"yard/{name}", at, "li", "")[1]]
    again = Tokens(rows)
    assert {each.name for each in again.live} == set(secrets)
    assert all(again.find(secret) == tokens.find(secret) for secret in secrets.values())
    assert again.live == tokens.live and again.ended == tokens.ended
    assert again.required == bool(rows)


def test_a_secret_is_long_and_never_the_same() -> None:
    tokens, passwords = Tokens(), Passwords()
    made = [tokens.make("a", "auditor", (), 0, "", "")[0] for _ in range(50)]
    made += [passwords.make(DEVICE, 0, "", "")[0] for _ in range(50)]
    assert len(set(made)) == 100
    assert min(map(len, made)) >= 32  # 192 bits and more, six to a character


@pytest.mark.parametrize(
    "device", ["scanner-1", "yard/Scanner", "yard/+", "yard/#", "a/b/c", "yard/", "yard/s\n"]
)
def test_a_device_is_named_whole(device: str) -> None:
    with pytest.raises(PasswordError, match="site/device"):
        Passwords().make(device, 0, "li", "")
