"""What stands before every request: who may be called by which name, from where, with how much, and what is sent along.

The gateway has pages and an API on one address, often without a password on a machine of its own. So a browser that is
somewhere else on the web must not be able to act here on behalf of its user: not by a name that was rebound to this
address (the `Host` check), not by a form or a script of another page (`Origin`, content type).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.sitefile import LARGEST_BYTES

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

LARGEST_BODY: Final = 65_536
"""The largest body of a request (bytes), but for a site file."""

BODY_S: Final = 60.0
"""How long a body may take to come (s)."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})


class Guard:
    """The outermost layer of the web: see the module."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        """`names`: what the gateway is called besides localhost, the machine's name and its addresses."""
        self.app = app
        self._names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            limited = _limited(receive, _limit(scope)) if scope["type"] == "http" else receive
            await self.app(scope, limited, send_with_headers)
        elif scope["type"] == "http":
            status, problem = refusal
            await JSONResponse({"detail": problem}, status)(scope, receive, send_with_headers)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": ""})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words for a request that must not get any further."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 400, (
                f"this gateway is not called {host[:100]!r}: use localhost, its address, or a name that it was told of"
            )
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "a page of another origin may not act here"
        if scope["type"] == "websocket":
            return None
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in _FORM_TYPES:
            return (
                415,
                f"a body of type {content_type} is not taken: send application/json or application/yaml",
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _limit(scope):
            return 413, _too_large(_limit(scope))
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a `Host` header names this machine. A rebound name is never an address, so every address is right."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _limit(scope: Scope) -> int:
    return LARGEST_BYTES if scope["method"] == "PUT" else LARGEST_BODY


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit:,} bytes, the most that is taken here"


def _limited(receive: Receive, limit: int) -> Receive:
    """Stop reading a body that did not say how long it is once it is too long, and one that takes too long."""
    taken = 0
    until: float | None = asyncio.get_running_loop().time() + BODY_S

    async def receive_limited() -> Message:
        nonlocal taken, until
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {BODY_S:.0f} s") from None
        if not message.get("more_body"):
            until = None  # what is still waited for is that the caller goes away
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return receive_limited
