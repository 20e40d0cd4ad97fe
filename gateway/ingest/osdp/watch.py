"""Why a reader does not come online: told from what it was heard to answer, as libosdp does not say."""

from __future__ import annotations

from enum import StrEnum

from gateway.ingest.devices import osdp
from gateway.ingest.devices.reading import Reading


class Trouble(StrEnum):
    """Why a reader cannot be used."""

    NO_LINE = "no_line"
    """The line is not there."""
    NO_ANSWER = "no_answer"
    """Nothing comes from this address."""
    REFUSED = "refused"
    """It was there, and refuses what it is told: so does a reader that has started again."""
    WRONG_KEY = "wrong_key"
    """It has another key than ours, or none yet: what it answers looks the same."""
    NOT_SECURE = "not_secure"
    """It has no secure channel."""


class Watch:
    """What each address was heard to answer since an attempt to reach it began, or succeeded."""

    def __init__(self) -> None:
        self._stream = osdp.Osdp()
        self._heard: dict[int, list[int]] = {}

    def overhear(self, data: bytes) -> None:
        """Bytes that came on the line."""
        for each in self._stream.feed(data):
            if isinstance(each, Reading) and each.fields["reply"]:
                codes = self._heard.setdefault(each.fields["addr"], [])
                codes[:] = [*codes[-7:], each.fields["code"]]

    def begin(self, address: int) -> None:
        """Another attempt begins, or is over: what was heard before does not count."""
        self._heard.pop(address, None)

    def refused_last(self, address: int) -> bool:
        """Whether the last thing that was heard of it is a refusal."""
        return self._heard.get(address, [])[-1:] == [osdp.NAK]

    def trouble(self, address: int) -> Trouble:
        """Why an attempt that is over has not succeeded."""
        codes = self._heard.get(address, [])
        if osdp.PDCAP in codes:
            challenged = osdp.CCRYPT in codes or self.refused_last(address)
            return Trouble.WRONG_KEY if challenged else Trouble.NOT_SECURE
        return Trouble.REFUSED if self.refused_last(address) else Trouble.NO_ANSWER
