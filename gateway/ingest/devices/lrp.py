"""LRP: AES wrapped so that a key is never used twice on data that somebody can choose (NXP AN12304).

A key makes 16 secret plaintexts and a few updated keys. A value is then walked through four bits at a time: each
step encrypts the plaintext of the next four bits under the outcome of the step before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK: Final = 16
"""Bytes in a block, and in a key."""

_LEFT: Final = b"\x55" * BLOCK
_RIGHT: Final = b"\xaa" * BLOCK
_ZERO: Final = bytes(BLOCK)
_REDUCTION: Final = 0x87
"""What a bit that is shifted out of GF(2^128) leaves behind (NIST SP 800-38B)."""


def encrypt(key: bytes, blocks: bytes) -> bytes:
    """AES, each block by itself."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(blocks)


def decrypt(key: bytes, blocks: bytes) -> bytes:
    """The other way."""
    return Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(blocks)


class Lrp:
    """One key in use: updated key number 0 makes MACs and opens the tag's data, number 1 opens file data."""

    def __init__(self, key: bytes, number: int = 0) -> None:
        self._plaintexts = list(_chain(encrypt(key, _LEFT), 16))
        self._key = list(_chain(encrypt(key, _RIGHT), number + 1))[number]

    def evaluate(self, value: bytes) -> bytes:
        """The block that stands for a value."""
        found = self._key
        for byte in value:
            for four_bits in (byte >> 4, byte & 15):
                found = encrypt(found, self._plaintexts[four_bits])
        return encrypt(found, _ZERO)

    def mac(self, message: bytes) -> bytes:
        """The CMAC of a message, with `evaluate` in the place of AES."""
        first = _doubled(self.evaluate(_ZERO))
        whole, rest = divmod(len(message), BLOCK)
        if rest or not message:
            last, mask = message[whole * BLOCK :] + b"\x80", _doubled(first)
        else:
            last, mask = message[-BLOCK:], first
            whole -= 1
        state = _ZERO
        for place in range(whole):
            state = self.evaluate(_xor(state, message[place * BLOCK : (place + 1) * BLOCK]))
        return self.evaluate(_xor(_xor(state, last.ljust(BLOCK, b"\x00")), mask))

    def open(self, data: bytes, counter: bytes) -> bytes:
        """Decrypt whole blocks (LRICB); `counter` is that of the first one, and counts up."""
        first = int.from_bytes(counter, "big")
        size = 1 << 8 * len(counter)
        opened = []
        for place in range(len(data) // BLOCK):
            key = self.evaluate(((first + place) % size).to_bytes(len(counter), "big"))
            opened.append(decrypt(key, data[place * BLOCK : (place + 1) * BLOCK]))
        return b"".join(opened)


def _chain(key: bytes, count: int) -> Iterable[bytes]:
    for _ in range(count):
        two = encrypt(key, _RIGHT + _LEFT)
        yield two[:BLOCK]
        key = two[BLOCK:]


def _doubled(block: bytes) -> bytes:
    value = int.from_bytes(block, "big") << 1
    if value >> 128:
        value = (value & ((1 << 128) - 1)) ^ _REDUCTION
    return value.to_bytes(BLOCK, "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
