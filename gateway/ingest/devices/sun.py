"""SUN messages of NTAG 424 DNA tags: a URL that is another one at each tap, and that only the tag can make.

The tag writes into the URL of its NDEF file its UID and a read counter, plain or encrypted, maybe some encrypted bytes
of a file, and a MAC under a session key that comes of both (NXP AN12196; with LRP AN12321 and AN12304). Which part of
the URL the MAC covers besides is a setting of the tag that the URL does not tell; whichever it is, UID and counter are
in the session key, so that a MAC that fits proves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from gateway.ingest.devices.lrp import BLOCK, Lrp, encrypt
from gateway.ingest.devices.reading import DecodeError, Reading

UID_BYTES: Final = 7
COUNTER_BYTES: Final = 3
MAC_BYTES: Final = 8
AES_PICC: Final = 16
"""Bytes of encrypted tag data: one block, …"""

LRP_PICC: Final = 24
"""… with LRP behind eight random bytes."""

FACTORY_KEY: Final = bytes(16)
"""The key that a tag has when it is bought: no secret, good for looking at a new tag."""

_UID_AND_COUNTER: Final = 0xC0
_PICC: Final = ("picc_data", "p")
_MAC: Final = ("cmac", "mac", "m", "c")
_SV_FILE: Final = b"\xc3\x3c\x00\x01\x00\x80"
_SV_MAC: Final = b"\x3c\xc3\x00\x01\x00\x80"
_SV_LRP: Final = b"\x00\x01\x00\x80"
_SV_LRP_END: Final = b"\x1e\xe1"

BAD_LENGTH: Final = "sun_bad_length"
BAD_MAC: Final = "sun_bad_mac"
NOT_ENROLLED: Final = "sun_not_enrolled"
UNREADABLE: Final = "bad_sun"


class SunError(DecodeError):
    """A message that proves nothing: a reason of the quarantine, and what is wrong in few words."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SunMessage:
    """What a tapped URL holds, not verified yet."""

    mac: bytes
    mac_inputs: tuple[bytes, ...]
    """What the MAC may be over, besides UID and counter."""
    picc_data: bytes | None = None
    uid: bytes | None = None
    counter: int | None = None
    enc: bytes | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a message proves: which tag made it, at which reading of the tag."""

    uid: str  # upper-case hex
    counter: int
    message: str
    """Some hex digits that another message of the same reading would not have: two of them mean two chips."""
    session_mac_key: bytes
    picc_plain: bytes | None = None
    file_data: bytes | None = None


class Keys(Protocol):
    """The keys that a message may have been made with."""

    def meta_keys(self) -> Iterable[bytes]:
        """Those that may open encrypted tag data (SDMMetaReadKey)."""

    def file_key(self, uid: bytes, meta_key: bytes | None) -> bytes | None:
        """The one that makes the MACs of a tag (SDMFileReadKey); `meta_key`: what opened its data."""


@dataclass(frozen=True, slots=True)
class OneTag:
    """The two keys of a single tag."""

    meta: bytes
    file: bytes

    def meta_keys(self) -> Iterable[bytes]:
        return (self.meta,)

    def file_key(self, uid: bytes, meta_key: bytes | None) -> bytes | None:
        return self.file


# -- reading ---------------------------------------------------------------------------------------------------


def read_url(url: str) -> SunMessage:
    """The message of a tapped URL. Raises `SunError` (`bad_sun`, `sun_bad_length`)."""
    try:
        query = urlsplit(url).query
        given = dict(parse_qsl(query, keep_blank_values=True))
    except ValueError:
        raise SunError(UNREADABLE, "not a URL") from None
    if "e" in given:
        return _read_together(url, given)
    picc_name = next((name for name in _PICC if name in given), None)
    first = given[picc_name] if picc_name else given.get("uid", "")
    return _message(url, given, first)


def _read_together(url: str, given: dict[str, str]) -> SunMessage:
    """`e` is the encrypted tag data, with the file data behind it, and the MAC where it has no name of its own."""
    whole = given["e"]
    mac_name = next((name for name in _MAC if name in given), None)
    size = len(_bytes("e", whole))
    if mac_name is None:
        size -= MAC_BYTES
    picc = LRP_PICC if size % BLOCK else AES_PICC
    if size < picc:
        raise SunError(BAD_LENGTH, f"e has {len(whole) // 2} bytes, too few for a message")
    parts = {"picc_data": whole[: 2 * picc], "cmac": whole[2 * size :]}
    if mac_name is not None:
        parts["cmac"] = given[mac_name]
    if size > picc:
        parts["enc"] = whole[2 * picc : 2 * size]
    return _message(url, parts, whole)


def _message(url: str, given: dict[str, str], first: str) -> SunMessage:
    mac_text = next((given[name] for name in _MAC if name in given), None)
    if mac_text is None or not first:
        raise SunError(UNREADABLE, "no SUN message: expected picc_data or uid and ctr, and cmac")
    enc_text = given.get("enc", "")
    # What a setting of the tag may have put under the MAC: nothing, or all from one of these places up to the MAC.
    end = url.rfind(mac_text)
    starts = [url.find(enc_text)] if enc_text else []
    starts += [url.find(first), url.find("://") + 3]
    inputs = dict.fromkeys([b"", *(url[start:end].encode() for start in starts if 0 <= start < end)])
    if "uid" in given:
        return _plain(given["uid"], given.get("ctr", ""), mac_text, tuple(inputs))
    picc_text = next(given[name] for name in _PICC if name in given)
    return _encrypted(picc_text, enc_text, mac_text, tuple(inputs))


def _plain(uid: str, counter: str, mac: str, inputs: tuple[bytes, ...]) -> SunMessage:
    return SunMessage(
        _exactly("cmac", mac, MAC_BYTES),
        inputs,
        uid=_exactly("uid", uid, UID_BYTES),
        counter=int.from_bytes(_exactly("ctr", counter, COUNTER_BYTES), "big"),
    )


def _encrypted(picc: str, enc: str, mac: str, inputs: tuple[bytes, ...]) -> SunMessage:
    picc_data, file_data = _bytes("picc_data", picc), _bytes("enc", enc)
    if len(picc_data) not in (AES_PICC, LRP_PICC):
        what = f"picc_data has {len(picc_data)} bytes, not {AES_PICC} (AES) or {LRP_PICC} (LRP)"
        raise SunError(BAD_LENGTH, what)
    if len(file_data) % BLOCK:
        raise SunError(BAD_LENGTH, f"enc has {len(file_data)} bytes, not a multiple of {BLOCK}")
    return SunMessage(
        _exactly("cmac", mac, MAC_BYTES), inputs, picc_data=picc_data, enc=file_data if file_data else None
    )


def _exactly(name: str, text: str, size: int) -> bytes:
    found = _bytes(name, text)
    if len(found) != size:
        raise SunError(BAD_LENGTH, f"{name} has {len(found)} bytes, not {size}")
    return found


def _bytes(name: str, text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise SunError(UNREADABLE, f"{name} is not hex")
    if len(text) % 2:
        raise SunError(BAD_LENGTH, f"{name} has an odd number of hex digits")
    return bytes.fromhex(text)


_HEX: Final = re.compile(r"[0-9A-Fa-f]*")


# -- verifying -------------------------------------------------------------------------------------------------


def verify(message: SunMessage, keys: Keys) -> Opened:
    """What a message proves. Raises `SunError`: `sun_not_enrolled` where no key fits, `sun_bad_mac`."""
    fitting = False
    for uid, counter, meta_key, picc_plain in _claims(message, keys):
        file_key = keys.file_key(uid, meta_key)
        if file_key is None:
            continue
        fitting = True
        told = uid + counter.to_bytes(COUNTER_BYTES, "little")
        for session in _sessions(message, file_key, told):
            if any(compare_digest(session.mac(each), message.mac) for each in message.mac_inputs):
                return Opened(
                    uid.hex().upper(),
                    counter,
                    sha256(message.picc_data or message.mac).hexdigest()[:8],
                    session.mac_key,
                    picc_plain,
                    None if message.enc is None else session.file_data(message.enc),
                )
    if fitting:
        raise SunError(BAD_MAC, "invalid MAC")
    raise SunError(NOT_ENROLLED, "no key that is known here opens this message")


def _claims(message: SunMessage, keys: Keys) -> Iterable[tuple[bytes, int, bytes | None, bytes | None]]:
    """Who may have made it: UID, counter, the key that opened its data, and what that was."""
    if message.uid is not None and message.counter is not None:
        yield message.uid, message.counter, None, None
    elif (data := message.picc_data) is not None:
        for key in keys.meta_keys():
            plain = _open_picc(key, data)
            if plain[0] == _UID_AND_COUNTER | UID_BYTES:
                uid, rest = plain[1 : 1 + UID_BYTES], plain[1 + UID_BYTES :]
                yield uid, int.from_bytes(rest[:COUNTER_BYTES], "little"), key, plain


def _open_picc(key: bytes, data: bytes) -> bytes:
    if len(data) == LRP_PICC:
        return Lrp(key).open(data[-BLOCK:], data[:-BLOCK])
    return _cbc(key, FACTORY_KEY, data)  # the first vector is all zeros


def _cbc(key: bytes, vector: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor().update(data)


class _AesSession:
    """The keys of one tap. `told`: UID and counter as the tag has them in memory."""

    def __init__(self, file_key: bytes, told: bytes) -> None:
        self._file_key, self._told = file_key, told
        self.mac_key = _cmac(file_key, (_SV_MAC + told).ljust(BLOCK, b"\x00"))

    def mac(self, text: bytes) -> bytes:
        return _cmac(self.mac_key, text)[1::2]  # every other byte is sent

    def file_data(self, data: bytes) -> bytes:
        key = _cmac(self._file_key, (_SV_FILE + self._told).ljust(BLOCK, b"\x00"))
        counter = self._told[UID_BYTES:]
        return _cbc(key, encrypt(key, counter.ljust(BLOCK, b"\x00")), data)


class _LrpSession:
    """The same with LRP."""

    def __init__(self, file_key: bytes, told: bytes) -> None:
        self._told = told
        vector = (_SV_LRP + told).ljust(BLOCK - len(_SV_LRP_END), b"\x00") + _SV_LRP_END
        self.mac_key = Lrp(file_key).mac(vector)
        self._lrp = Lrp(self.mac_key)

    def mac(self, text: bytes) -> bytes:
        return self._lrp.mac(text)[1::2]

    def file_data(self, data: bytes) -> bytes:
        return Lrp(self.mac_key, 1).open(data, self._told[UID_BYTES:] + bytes(3))


def _sessions(message: SunMessage, file_key: bytes, told: bytes) -> Iterable[_AesSession | _LrpSession]:
    """A message that is not encrypted does not tell which of the two the tag works with."""
    kinds: tuple[type[_AesSession] | type[_LrpSession], ...] = (_AesSession, _LrpSession)
    if message.picc_data is not None:
        kinds = (_LrpSession,) if len(message.picc_data) == LRP_PICC else (_AesSession,)
    return (kind(file_key, told) for kind in kinds)


def _cmac(key: bytes, text: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(text)
    return mac.finalize()


# -- for `patrol-gateway decode` -------------------------------------------------------------------------------


def decode(text: str) -> list[Reading]:
    """A tapped URL, or its parts and keys as a JSON object; without keys those of a new tag are tried.

    Raises `DecodeError`.
    """
    text = text.strip()
    if not text.startswith("{"):
        return [_reading(verify(read_url(text), OneTag(FACTORY_KEY, FACTORY_KEY)), with_key=False)]
    try:
        given = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        raise DecodeError("neither a URL nor a JSON object") from None
    keys = [_key(given, name) for name in ("meta_read_key", "file_read_key")]
    file_key = keys[1] or FACTORY_KEY
    opened = verify(_read_object(given), OneTag(keys[0] or FACTORY_KEY, file_key))
    return [_reading(opened, with_key=any(keys) or given.get("keys") is not None)]


def _read_object(given: dict[str, Any]) -> SunMessage:
    if (url := given.get("url")) is not None:
        return read_url(str(url))
    parts = {name: str(value) for name, value in given.items() if value is not None}
    mac, enc = parts.get("cmac", ""), parts.get("enc", "")
    if "mac_input" in parts:
        inputs = [parts["mac_input"]]
    elif not enc:
        inputs = [""]
    elif "mac_param" in given:
        inputs = [f"{enc}&{parts['mac_param']}=" if parts.get("mac_param") else enc]
    else:
        inputs = ["", enc, f"{enc}&cmac="]
    as_bytes = tuple(each.encode() for each in inputs)
    if "picc_data" in parts:
        return _encrypted(parts["picc_data"], enc, mac, as_bytes)
    if "uid" in parts:
        return _plain(parts["uid"], parts.get("ctr", ""), mac, as_bytes)
    raise DecodeError("no SUN message: expected picc_data or uid and ctr, and cmac")


def _key(given: dict[str, Any], name: str) -> bytes | None:
    value = given.get(name)
    return None if value is None else _exactly(name, str(value), BLOCK)


def _reading(opened: Opened, *, with_key: bool) -> Reading:
    found: dict[str, Any] = {"uid": opened.uid, "read_ctr": opened.counter}
    hexes = {
        "picc_plain": opened.picc_plain,
        "session_mac_key": opened.session_mac_key if with_key else None,
        "file_data": opened.file_data,
    }
    return Reading(found | {name: value.hex().upper() for name, value in hexes.items() if value is not None})
