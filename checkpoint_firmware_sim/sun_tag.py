"""A tag on a wall that makes a message of its own at each tap: the twin of an NTAG 424 DNA in AES mode (NXP AN12196).

Its keys come of a master key, as `docs/devices/sun.md` says. It shares no code with the gateway that verifies it.
"""

from __future__ import annotations

import hashlib
import hmac
from random import Random
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

SUN_URL: Final = "https://patrol.example/t?picc_data="
"""What the URLs of these tags begin with."""

UID_DIGITS: Final = 14
"""The UIDs of such tags have 7 bytes."""


class SunTag:
    """One chip. `taps`: how often it has been read; `random` fills up what it encrypts."""

    def __init__(self, uid: str, master: bytes, random: Random, taps: int = 0) -> None:
        self.uid = bytes.fromhex(uid)
        self.taps = taps
        self._random = random
        self._meta_key = _hmac(master, b"PICCDataKey")[:16]
        base = _hmac(_hmac(master, b"DivBaseKey"), self.uid)[:16]
        self._file_key = _cmac(_hmac(master, b"SlotMasterKey\x02")[:16], b"\x01" + base)

    def tap(self) -> str:
        """The tag is read: the URL that it shows this time."""
        self.taps += 1
        counter = self.taps.to_bytes(3, "little")
        plain = b"\xc7" + self.uid + counter + self._random.randbytes(5)
        cipher = Cipher(algorithms.AES(self._meta_key), modes.CBC(bytes(16))).encryptor()
        session = _cmac(self._file_key, b"\x3c\xc3\x00\x01\x00\x80" + self.uid + counter)
        picc, mac = cipher.update(plain).hex().upper(), _cmac(session, b"")[1::2].hex().upper()
        return f"{SUN_URL}{picc}&cmac={mac}"


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _cmac(key: bytes, message: bytes) -> bytes:
    made = CMAC(algorithms.AES(key))
    made.update(message)
    return made.finalize()
