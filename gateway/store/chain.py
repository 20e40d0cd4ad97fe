"""The hash chain of the records (law 12).

Each record has a digest over all that it says. Each commit has a hash over the previous commit's hash, its own
number and time, and its records' digests in their order. So an edit, a removal, an insertion or a reordering
anywhere changes every hash after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import msgspec

GENESIS: Final = sha256(b"patrol-gateway chain 1").digest()

_encode: Final = msgspec.msgpack.Encoder().encode


def digest(table: bytes, values: tuple[object, ...]) -> bytes:
    """The digest of one record: its table's name and its values.

    MessagePack marks each value's type and length, so that no two different records are written alike.
    """
    return sha256(table + _encode(values)).digest()


def covered(values: tuple[object, ...], later: int) -> tuple[object, ...]:
    """What of a record the digest is over: of the last `later` values only those up to one that is not null."""
    end = len(values)
    while later and values[end - 1] is None:
        end, later = end - 1, later - 1
    return values[:end]


def link(previous: bytes, number: int, at: int, digests: Iterable[bytes]) -> bytes:
    """The hash of a commit."""
    return sha256(previous + b"%d|%d|" % (number, at) + b"".join(digests)).digest()
