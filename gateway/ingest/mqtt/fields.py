"""The elementary fields of MQTT packets: integers, variable byte integers, UTF-8 strings, binary data."""

from __future__ import annotations

from gateway.ingest.mqtt.reasons import malformed

LARGEST_VARINT = 268_435_455


def encode_varint(value: int) -> bytes:
    """A variable byte integer in its shortest form; `value` is at most 268,435,455."""
    if value < 0x80:
        return bytes((value,))
    if value > LARGEST_VARINT:
        raise ValueError(f"{value} does not fit into a variable byte integer")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_binary(value: bytes) -> bytes:
    """Binary data with its two-byte length; at most 65,535 bytes."""
    return len(value).to_bytes(2, "big") + value


def encode_text(value: str) -> bytes:
    """A UTF-8 string with its two-byte length; at most 65,535 bytes."""
    return encode_binary(value.encode())


def decode_text(raw: bytes) -> str:
    """The text of a UTF-8 string field.

    Python's strict decoder refuses surrogates and overlong forms and keeps a leading U+FEFF, as MQTT asks.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as fault:
        raise malformed(f"a string is not UTF-8 at byte {fault.start}") from None
    if "\0" in text:
        raise malformed("a string contains U+0000")
    return text


class Cursor:
    """Reads fields from the body of one packet, from front to back; never beyond its end."""

    __slots__ = ("_data", "at", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self._data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return self.end - self.at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        stop = self.at + count
        if stop > self.end:
            raise malformed(f"a field of {count} bytes goes beyond the end of its packet")
        raw = self._data[self.at : stop]
        self.at = stop
        return raw

    def rest(self) -> bytes:
        """All that has not been read."""
        return self.take(self.left)

    def integer(self, size: int) -> int:
        """A big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def packet_id(self) -> int:
        """A packet identifier; never 0."""
        value = self.integer(2)
        if value == 0:
            raise malformed("a packet identifier is 0")
        return value

    def varint(self) -> int:
        """A variable byte integer, which must be in its shortest form."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.integer(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise malformed("a variable byte integer is longer than need be")
                return value
        raise malformed("a variable byte integer has more than four bytes")

    def binary(self) -> bytes:
        """Binary data with its length before it."""
        return self.take(self.integer(2))

    def text(self) -> str:
        """A UTF-8 string with its length before it."""
        return decode_text(self.binary())

    def finish(self) -> None:
        """Refuse bytes that belong to no field."""
        if self.left:
            raise malformed(f"{self.left} bytes follow the last field of the packet")
