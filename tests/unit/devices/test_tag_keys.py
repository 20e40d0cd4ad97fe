"""The file of keys: read when nobody else can read it, refused otherwise, and never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.ingest.tag_keys import TagKeysError, load_tag_keys, write_new_keys

SECRET = "0123456789abcdef0123456789abcdef"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    file = path / "keys.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_new_keys_are_for_their_owner_alone_and_another_each_time(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    write_new_keys(one, ["riverside"])
    write_new_keys(other)
    assert one.stat().st_mode & 0o777 == 0o600
    (master,) = load_tag_keys(one).masters
    assert (len(master.key), master.sites) == (32, {"riverside"})
    assert load_tag_keys(other).masters[0].key != master.key
    assert load_tag_keys(one).of_site("elsewhere").masters == ()


def test_keys_that_are_there_are_never_replaced(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["tags", "new-keys", str(written(tmp_path, "mine"))])
    assert result.exit_code == 1
    assert "is there already" in result.output
    assert (tmp_path / "keys.toml").read_text("utf-8") == "mine"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, f'[[master]]\nkey = "{SECRET}"\n', mode)
    with pytest.raises(TagKeysError, match=f"permissions {mode:04o} are too open.*chmod 600"):
        load_tag_keys(file)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f'[[master]]\nkey = "{SECRET}', "not a TOML file"),
        (f'[[master]]\nkey = "{SECRET}0"', "key: expected 64 hex digits"),
        (f'[[master]]\n{SECRET} = "x"', "something else than key, sites"),
        (f'[[tag]]\nuid = "04de"\nfile_read_key = "{SECRET}"', "uid: expected 14"),
        (f'[[tag]]\nuid = "04DE5F1EACC040"\nmeta_read_key = "{SECRET}"', "file_read_key: expected 32"),
        ('[[master]]\nkey = "00000000000000000000000000000000"', "all zeros"),
        ('[[master]]\nkey = 5\nsites = ["A"]', "sites: expected a list"),
        ("x = 1", r"\[\[master\]\] and \[\[tag\]\] tables"),
    ],
)
def test_what_is_wrong_is_said_without_the_key(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(TagKeysError, match=wrong) as error:
        load_tag_keys(written(tmp_path, text))
    assert SECRET not in str(error.value)


def test_a_tag_with_keys_of_its_own_has_no_others(tmp_path: Path) -> None:
    tag = f'[[tag]]\nuid = "04DE5F1EACC040"\nmeta_read_key = "{SECRET}"\nfile_read_key = "{SECRET}"\n'
    keys = load_tag_keys(written(tmp_path, f'[[master]]\nkey = "{"ab" * 32}"\n{tag}'))
    uid = bytes.fromhex("04DE5F1EACC040")
    assert keys.file_key(uid, None) == bytes.fromhex(SECRET)
    assert keys.file_key(uid, keys.masters[0].meta_key) is None
    assert SECRET not in repr(keys)
    assert bytes.fromhex(SECRET).hex() not in repr(keys)


def test_check_counts_the_keys_and_shows_none(tmp_path: Path) -> None:
    file = written(tmp_path, f'[[master]]\nkey = "{SECRET}"\n')
    result = CliRunner().invoke(main, ["tags", "check", str(file)])
    assert (result.exit_code, SECRET in result.output) == (0, False)
    assert "1 master keys, 0 tags" in result.output
