"""`python -m tests.fuzz [PROTOCOL …] [--seconds 10] [--seed 1]`: the serial decoders under bytes made of spoilt frames.

For each stream: no decoder raises, how the bytes are split changes nothing, and little is kept. What fails is printed
with its bytes, in hex, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from gateway.ingest.devices.framing import FrameDecoder
from gateway.ingest.devices.reading import Heard
from tests.unit.devices.frames import SAMPLES

LONGEST_WAIT = 600


def stream(frames: tuple[bytes, ...], random: Random) -> bytes:
    """Frames, each spoilt or not, and noise between them."""
    parts = []
    for _ in range(random.randrange(1, 12)):
        frame = bytearray(random.choice(frames))
        match random.randrange(6):
            case 0:
                frame[random.randrange(len(frame))] = random.randrange(256)
            case 1:
                del frame[random.randrange(len(frame)) :]
            case 2:
                at = random.randrange(len(frame))
                frame[at:at] = random.randbytes(random.randrange(1, 6))
            case 3:
                frame = bytearray(random.randbytes(random.randrange(40)))
        parts.append(bytes(frame))
    return b"".join(parts)


def heard(protocol: str, chunks: list[bytes]) -> list[Heard]:
    decoder = FrameDecoder(SAMPLES[protocol].front)
    found = []
    for chunk in chunks:
        found += decoder.feed(chunk)
        assert len(decoder._waiting) <= LONGEST_WAIT, "it waits for more than the longest frame"
    return found + decoder.end()


def attempt(protocol: str, random: Random) -> bool:
    """Whether a decoder stands one stream; if not, it is printed."""
    data = stream(SAMPLES[protocol].frames, random)
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(8)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    try:
        assert heard(protocol, chunks) == heard(protocol, [data]), "how it is split makes a difference"
    except Exception as error:
        print(f"{protocol}: {type(error).__name__}: {error}\n  {' '.join(each.hex() for each in chunks)}")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("protocols", nargs="*", metavar="PROTOCOL", help=", ".join(SAMPLES))
    parser.add_argument("--seconds", type=float, default=10.0, help="for each protocol")
    parser.add_argument("--seed", type=int, default=time.time_ns())
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    failed = 0
    for protocol in arguments.protocols or SAMPLES:
        if protocol not in SAMPLES:
            parser.error(f"{protocol} is none of {', '.join(SAMPLES)}")
        random = Random(f"{protocol} {arguments.seed}")
        end, count = time.monotonic() + arguments.seconds, 0
        while time.monotonic() < end:
            failed += not attempt(protocol, random)
            count += 1
        print(f"{protocol}: {count} streams")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
