"""TLS: the gateway's certificate, for pages, API and devices, and the authority that signs the certificates of devices.

The files are looked at every minute. What has changed is taken for new connections; those that stand go on. A file that
cannot be used leaves the one before it in force, and is told.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509

log = logging.getLogger("gateway")

WARN_DAYS: Final = 14
"""A certificate that expires so soon is told: in health, and in the log once a day."""

_LOOK_EVERY_S: Final = 60.0
_DAY_MS: Final = 86_400_000
_CRL: Final = b"-----BEGIN X509 CRL-----"


class TlsError(Exception):
    """A certificate or a key cannot be used; the message says which and why."""


class Tls:
    """What connections are encrypted with."""

    def __init__(self, cert: Path, key: Path | None, client_ca: Path | None, now: Callable[[], int]) -> None:
        """`key`: None where the file of the certificate holds it, too. Raises `TlsError`."""
        self._cert, self._key, self._client_ca, self._now = cert, key or cert, client_ca, now
        self.pages = _context()
        """For pages and API."""
        self.devices = _context()
        """For the endpoint: devices may show certificates, where there is an authority for them."""
        self.expires_at = 0
        """When the certificate expires (ms)."""
        self._fault = ""
        self._stamps = self._look()
        self._told_on = -1
        self._load()

    @property
    def problem(self) -> str | None:
        """What is wrong with the certificate, or soon will be; None when nothing is."""
        left = (self.expires_at - self._now()) // _DAY_MS
        if left < 0:
            return f"{self._cert}: the certificate has expired"
        if left < WARN_DAYS:
            return f"{self._cert}: the certificate expires in {left} days"
        return self._fault or None

    @property
    def expired(self) -> bool:
        """Whether nobody should trust it any more."""
        return self._now() >= self.expires_at

    async def run(self) -> None:
        """Look at the files until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Take what has changed, and tell what is wrong."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._load()
            except TlsError as error:
                self._fault = str(error)
                log.error("%s; the certificate of before stays in use", error)
            else:
                self._fault = ""
                log.info("%s: the certificate was read again", self._cert)
        today = self._now() // _DAY_MS
        if self.problem is not None and today != self._told_on:
            self._told_on = today
            log.warning("%s", self.problem)

    def _look(self) -> list[tuple[int, int] | None]:
        """When the files were last changed."""
        return [_stamp(path) for path in (self._cert, self._key, self._client_ca) if path is not None]

    def _load(self) -> None:
        try:
            # Tried apart first: half of a new pair must not get into what is in use.
            _context().load_cert_chain(self._cert, self._key, password=_no_password)
            pem = self._cert.read_bytes()
            expires = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(pem)[:1])
            if self._client_ca is not None:
                self._trust(_context(), self._client_ca)
        except (OSError, ValueError) as error:
            where = f"{self._cert}, {self._key}" + (f", {self._client_ca}" if self._client_ca else "")
            raise TlsError(f"PATROL_TLS_CERT, PATROL_TLS_KEY: {where}: {_words(error)}") from None
        for context in (self.pages, self.devices):
            context.load_cert_chain(self._cert, self._key, password=_no_password)
        if self._client_ca is not None:
            self._trust(self.devices, self._client_ca)
        self.expires_at = int(expires.timestamp() * 1000)

    @staticmethod
    def _trust(context: ssl.SSLContext, authority: Path) -> None:
        """Ask devices for certificates of an authority. A revocation list in its file is heeded."""
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        if _CRL in authority.read_bytes():
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _no_password() -> str:
    raise ValueError("the key is protected by a password: nobody is there to type it at a start")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no certificate with its key ({error.reason or error})"
    return str(getattr(error, "strerror", None) or error)
