"""The file of keys, and the command that makes one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.ingest.osdp.keys import DEFAULT_KEY, KEY_BYTES, KeysError, load_keys, new_key

RIGHT = "000102030405060708090a0b0c0d0e0f"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_new_key_is_for_its_owner_alone_and_no_two_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "osdp.keys"
    before = os.umask(0)
    try:
        for name in ("pump-room", "east-gate"):
            new_key(path, name)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = load_keys(path, ["pump-room", "east-gate"])
    assert {len(key) for key in keys.values()} == {KEY_BYTES}
    assert len(set(keys.values())) == 2


def test_a_key_is_added_to_a_file_whose_last_line_has_no_end(tmp_path: Path) -> None:
    path = write(tmp_path / "osdp.keys", f'old = "{RIGHT}"')
    new_key(path, "new")
    assert load_keys(path)["old"] == bytes.fromhex(RIGHT)
    assert "new" in load_keys(path)


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "osdp.keys", f'old = "{RIGHT}"\n')
    with pytest.raises(KeysError, match="a key 'old' already"):
        new_key(path, "old")
    assert path.read_text(encoding="utf-8") == f'old = "{RIGHT}"\n'


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_keys_that_others_may_read_or_change_are_not_used(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "osdp.keys", f'door = "{RIGHT}"\n', mode)
    with pytest.raises(KeysError, match=f"chmod 600 {path}"):
        load_keys(path)
    with pytest.raises(KeysError, match="chmod 600"):
        new_key(path, "other")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f'door = "{RIGHT[:-2]}"', "door: a key is written as 32 hex digits"),
        ('door = "zz"', "door: a key is written as 32 hex digits"),
        ("door = 12", "door: a key is written as 32 hex digits"),
        (f'door = "{DEFAULT_KEY.hex()}"', "door: this is the default key"),
        (f"door {RIGHT}", "this is no file of keys"),
        (f'other = "{RIGHT}"', "patrol-gateway osdp new-key --file"),
    ],
)
def test_a_wrong_file_of_keys_is_refused_without_showing_a_key(tmp_path: Path, text: str, wrong: str) -> None:
    path = write(tmp_path / "osdp.keys", text)
    with pytest.raises(KeysError) as caught:
        load_keys(path, ["door"])
    assert wrong in str(caught.value)
    assert RIGHT[:20] not in str(caught.value)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="No such file"):
        load_keys(tmp_path / "osdp.keys")


def test_the_command_makes_a_key_and_does_not_print_it(tmp_path: Path) -> None:
    path = tmp_path / "osdp.keys"
    made = CliRunner().invoke(main, ["osdp", "new-key", "--file", str(path), "pump-room"])
    assert made.exit_code == 0
    assert load_keys(path)["pump-room"].hex() not in made.output
    again = CliRunner().invoke(main, ["osdp", "new-key", "--file", str(path), "pump-room"])
    assert (again.exit_code, "already" in again.output) == (1, True)
    wrong = CliRunner().invoke(main, ["osdp", "new-key", "--file", str(path), "Pump Room"])
    assert (wrong.exit_code, "no name for a key" in wrong.output) == (1, True)
    nowhere = CliRunner().invoke(main, ["osdp", "new-key", "--file", str(tmp_path / "no" / "keys"), "a"])
    assert (nowhere.exit_code, "No such file" in nowhere.output) == (1, True)
