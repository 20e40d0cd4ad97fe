"""SUN messages and what makes them: published vectors, the simulator's tag on the other end, and noise."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint_firmware_sim.sun_tag import SunTag
from gateway.ingest.devices import ndef, sun
from gateway.ingest.devices.lrp import Lrp
from gateway.ingest.devices.reading import DecodeError
from gateway.ingest.devices.registry import PROTOCOLS
from gateway.ingest.tag_keys import KeyRing, Master, meta_key_of, tag_key_of

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors_sun.json").read_text("utf-8"))
MASTER = bytes.fromhex("47BBB68AFA73F31310BEEFCE5DDA692DBAD671A03FEAD5A9BBDBCF3CD6D4C521")
RING = KeyRing((Master(MASTER, meta_key_of(MASTER)),))
UID = "04DE5F1EACC040"


def vectors(*protocols: str) -> list[Any]:
    found = [each for each in VECTORS if each["protocol"] in protocols]
    assert found
    return [pytest.param(each, id=f"{each['protocol']} {each['name']}") for each in found]


@pytest.mark.parametrize(
    "vector", vectors("ntag424-sun-aes", "ntag424-sun-plain", "ntag424-sun-lrp", "ndef-uri")
)
def test_every_published_message_decodes_or_is_refused_as_it_says(vector: dict[str, Any]) -> None:
    decode = PROTOCOLS["ndef" if vector["protocol"] == "ndef-uri" else "sun"].decode
    data = vector["data"] if isinstance(vector["data"], str) else json.dumps(vector["data"])
    if vector["valid"]:
        (reading,) = decode(data)
        assert {key: reading.fields[key] for key in vector["expected"]} == vector["expected"]
    else:
        with pytest.raises(DecodeError) as error:
            decode(data)
        assert str(error.value) == vector["expected"]["error"]


@pytest.mark.parametrize("vector", vectors("lrp-cmac"))
def test_lrp_makes_the_published_macs(vector: dict[str, Any]) -> None:
    mac = Lrp(bytes.fromhex(vector["data"]["key"])).mac(bytes.fromhex(vector["data"]["msg"]))
    assert mac.hex().upper() == vector["expected"]["mac"]


@pytest.mark.parametrize("vector", vectors("sdm-kdf"))
def test_keys_come_of_a_master_key_as_published(vector: dict[str, Any]) -> None:
    master = bytes.fromhex(vector["data"]["master_key"])
    assert {
        "undiversified_1": meta_key_of(master).hex(),
        "tag_010203040506AB_1": tag_key_of(master, bytes.fromhex("010203040506AB"), 1).hex(),
        "tag_05050505050505_2": tag_key_of(master, bytes.fromhex("05050505050505"), 2).hex(),
    } == vector["expected"]


# AN12196 page 18, and sdm-backend's test of keys that come of a master key (tests/test_libsdm.py @0b6e2b15).
WITH_FILE = (
    "https://www.my424dna.com/?picc_data=FD91EC264309878BE6345CBE53BADF40"
    "&enc=CEE9A53E3E463EF1F459635736738962&cmac=ECC1E7F6C6C73BF6"
)
TOGETHER = (
    "https://x.org/t?e=4F5B914723915D456C038FE658686CD55CE7DCDEA93F5DA7AAA0AADC97485ABFFFCD8DE82AD05289"
)


def test_a_url_with_file_data_is_read_with_the_keys_of_a_new_tag() -> None:
    (reading,) = sun.decode(WITH_FILE)
    assert reading.fields == {
        "uid": "04958CAA5C5E80",
        "read_ctr": 8,
        "picc_plain": "C704958CAA5C5E80080000A243C86DFC",
        "file_data": b"x".hex() * 16,
    }


def test_a_url_with_all_in_one_is_verified_with_the_keys_of_its_master() -> None:
    opened = sun.verify(sun.read_url(TOGETHER), RING)
    assert (opened.uid, opened.counter) == ("047D5F2AAA6180", 2)
    assert opened.file_data == b"CC\x04aaaaEEEEEEEEE"


@given(st.integers(0, 2**24 - 2), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_what_a_tag_makes_is_verified_and_any_change_of_it_is_not(taps: int, seed: int) -> None:
    random = Random(seed)
    url = SunTag(UID, MASTER, random, taps).tap()
    opened = sun.verify(sun.read_url(url), RING)
    assert (opened.uid, opened.counter) == (UID, taps + 1)
    places = [place for place, letter in enumerate(url) if letter in "0123456789ABCDEF" and place > 33]
    place = random.choice([place for place in places if url[place - 1] not in "&?"])
    changed = url[:place] + random.choice(sorted({*"0123456789ABCDEF"} - {url[place]})) + url[place + 1 :]
    with pytest.raises(sun.SunError) as error:
        sun.verify(sun.read_url(changed), RING)
    assert error.value.reason in (sun.BAD_MAC, sun.NOT_ENROLLED)


def test_two_messages_of_one_reading_can_be_told_apart() -> None:
    one, other = (sun.verify(sun.read_url(SunTag(UID, MASTER, Random(n)).tap()), RING) for n in (1, 2))
    assert one.counter == other.counter
    assert one.message != other.message


@pytest.mark.parametrize(
    ("url", "reason", "detail"),
    [
        (
            "https://x/?picc_data=00&cmac=94EED9EE65337086",
            "sun_bad_length",
            "picc_data has 1 bytes, not 16 (AES)",
        ),
        (
            "https://x/?picc_data=EF963FF7828658A599F3041510671E88&cmac=94EE",
            "sun_bad_length",
            "cmac has 2 bytes, not 8",
        ),
        ("https://x/?picc_data=EF9&cmac=94EED9EE65337086", "sun_bad_length", "an odd number of hex digits"),
        (
            "https://x/?uid=04DE5F1EACC0&ctr=000001&cmac=94EED9EE65337086",
            "sun_bad_length",
            "uid has 6 bytes, not 7",
        ),
        ("https://x/?e=00&c=94EED9EE65337086", "sun_bad_length", "too few"),
        ("https://x/?picc_data=ZZ&cmac=94EED9EE65337086", "bad_sun", "picc_data is not hex"),
        ("https://x/?cmac=94EED9EE65337086", "bad_sun", "no SUN message"),
        ("https://x/", "bad_sun", "no SUN message"),
        ("http://[x/?e=1", "bad_sun", "not a URL"),
    ],
)
def test_what_is_no_message_is_refused_with_a_reason(url: str, reason: str, detail: str) -> None:
    with pytest.raises(sun.SunError) as error:
        sun.read_url(url)
    assert error.value.reason == reason
    assert detail in str(error.value)


@given(
    st.text()
    | st.dictionaries(
        st.sampled_from(["uid", "ctr", "cmac", "picc_data", "enc", "url", "keys"]), st.text()
    ).map(json.dumps)
)
@settings(deadline=None)
def test_noise_is_refused_and_never_stops_the_decoder(noise: str) -> None:
    with pytest.raises(DecodeError):
        sun.decode(noise)


# -- NDEF


def record(payload: bytes, type: bytes = b"U", flags: int = 0xD1) -> bytes:
    """A short record of a well-known type, alone in its message unless `flags` say otherwise."""
    return bytes([flags, len(type), len(payload)]) + type + payload


def test_a_smart_poster_is_looked_into() -> None:
    poster = record(record(b"\x04a.org", flags=0x91) + record(b"\x02enX", b"T", flags=0x51), b"Sp")
    assert ndef.decode(poster.hex())[0].fields == {"uris": ["https://a.org"]}


def test_a_record_in_chunks_is_joined() -> None:
    message = record(b"\x04a.", flags=0xB1) + record(b"org", b"", flags=0x56)
    assert list(ndef.uris(message)) == ["https://a.org"]


def test_posters_that_lie_too_deep_in_each_other_are_refused() -> None:
    message = record(b"\x04a")
    for _ in range(6):
        message = record(message, b"Sp")
    with pytest.raises(DecodeError, match="deep"):
        ndef.decode(message.hex())


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        ndef.decode(data.hex())
    except DecodeError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("", "empty"), ("d1", "truncated"), ("d1010a5503", "9 bytes are missing"), ("zz", "not hex"), ("d", "odd"),
     ("d101015500ff", "1 bytes after"), ("d1010055", "without a URI"), ("5101015500", "begin")],
)  # fmt: skip
def test_a_broken_ndef_message_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(DecodeError, match=wrong):
        ndef.decode(text)
