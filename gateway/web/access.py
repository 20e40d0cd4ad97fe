"""Who calls, and whether they may: the one place where that is decided. The table is told in docs/security.md.

1. `Access` finds out who calls: the token of an `Authorization` header, or that of a page which has signed in (its
   cookie). Who shows none gets no further than the pages themselves and the few paths of `OPEN`.
2. `permit`, on every route, asks for the right of `NEEDS` and for the site that the call is about.
3. Where a call tells its site in its body, or is about all sites, the route asks the `Caller` itself.

Until the first token is made only loopback is served, and whoever calls from there may do everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.tokens import RIGHTS, Right, Role, Token, Tokens
from gateway.web.signed_in import COOKIE, SignedIn, TooManyTriesError, Tries

OPEN: Final = frozenset({"/api/health", "/api/session", "/api/openapi.json", "/api/docs", "/api/docs.css"})
"""What anybody may ask: whether the gateway is well (in one word each), signing in, and what the API is like."""

SIGNED_OUT: Final = 4401
FORBIDDEN: Final = 4403
"""Close codes of the live stream: the page must sign in; it may not see this site."""

NEEDS: Final = {
    ("POST", "/api/alerts/{alert}/acknowledge"): Right.ACT,
    ("POST", "/api/alerts/{alert}/resolve"): Right.ACT,
    ("POST", "/api/alerts/{alert}/note"): Right.ACT,
    ("POST", "/api/records"): Right.ACT,
    ("POST", "/api/sites/{site}/devices/{device}/commands"): Right.ACT,
    ("POST", "/api/commands/{command}/settle"): Right.ACT,
    ("POST", "/api/sites/{site}/occurrences/{occurrence}/excuse"): Right.DECIDE,
    ("POST", "/api/sites/{site}/silences"): Right.DECIDE,
    ("POST", "/api/sites/{site}/silences/{silence}/end"): Right.DECIDE,
    ("POST", "/api/sites/{site}/ledger/leftovers/{leftover}/explain"): Right.ACT,
    ("POST", "/api/sites/{site}/authorities"): Right.DECIDE,
    ("POST", "/api/sites/{site}/authorities/{authority}/revoke"): Right.DECIDE,
    ("POST", "/api/quarantine/replay"): Right.MEND,
    ("PUT", "/api/sites/{site}/plan"): Right.PLAN,
    ("GET", "/api/passwords"): Right.ADMINISTER,
    ("POST", "/api/passwords"): Right.ADMINISTER,
    ("POST", "/api/passwords/revoke"): Right.ADMINISTER,
    ("GET", "/api/tokens"): Right.ADMINISTER,
    ("POST", "/api/tokens"): Right.ADMINISTER,
    ("POST", "/api/tokens/{token}/revoke"): Right.ADMINISTER,
}
"""What a call needs. What is not named here needs `READ` if it only reads, else `ADMINISTER`."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_UNKNOWN: Final = "this token is not known here, or was revoked"
_NONE: Final = "a token is needed: send 'Authorization: Bearer …', or sign in on the page"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `name` is empty while there is no token at all: then it is what the caller says."""

    name: str = ""
    rights: frozenset[Right] = frozenset()
    sites: frozenset[str] | None = None  # None: all sites
    role: Role | None = None
    digest: bytes = b""

    @classmethod
    def of(cls, token: Token) -> Caller:
        """The holder of a token."""
        return cls(token.name, RIGHTS[token.role], token.sites, token.role, token.digest)

    def sees(self, site: str) -> bool:
        """Whether a site is theirs."""
        return self.sites is None or site in self.sites

    def check(self, right: Right) -> None:
        """Raises 403 without this right."""
        if right not in self.rights:
            able = ", ".join(role for role in Role if right in RIGHTS[role])
            raise HTTPException(403, f"the role {self.role} may not do this; those may: {able}")

    def check_site(self, site: str) -> None:
        """Raises 403 for a site of others."""
        if not self.sees(site):
            raise HTTPException(403, f"the token {self.name!r} is not for the site {site[:40]!r}")

    def check_all_sites(self) -> None:
        """Raises 403 for one who has only some of the sites."""
        if self.sites is not None:
            raise HTTPException(403, f"the token {self.name!r} is not for all sites, and this concerns all")

    def who(self, said: str) -> str:
        """In whose name something is done: the token's; without one, as the caller says."""
        return self.name or said


ALONE: Final = Caller(rights=frozenset(Right), role=Role.ADMINISTRATOR)
"""Whoever calls from this machine while there is no token."""

NOBODY: Final = Caller()


def caller_of(connection: HTTPConnection) -> Caller:
    """Who makes a request."""
    caller: Caller = connection.state.caller
    return caller


class Access:
    """The layer that finds out who calls."""

    def __init__(self, app: ASGIApp, tokens: Tokens, signed_in: SignedIn, tries: Tries) -> None:
        self.app = app
        self._tokens = tokens
        self._signed_in = signed_in
        self._tries = tries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            caller = self._identify(connection)
            if caller is NOBODY and _is_closed(scope["path"]):
                raise HTTPException(401, _NONE)
        except TooManyTriesError as error:
            await _refuse(429, str(error), scope, receive, send, {"Retry-After": str(error.wait_s)})
        except HTTPException as error:
            await _refuse(
                error.status_code, error.detail, scope, receive, send, {"WWW-Authenticate": "Bearer"}
            )
        else:
            scope.setdefault("state", {}).update(caller=caller, still=self._still(connection, caller))
            await self.app(scope, receive, send)

    def _identify(self, connection: HTTPConnection) -> Caller:
        address = address_of(connection)
        if not self._tokens.required:
            if not is_loopback(address):
                raise HTTPException(403, "until a token is made only this machine itself is served")
            return ALONE
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = self._tokens.find(secret.strip())
            if token is None:
                self._tries.failed(address)
                self._tries.check(address)
                raise HTTPException(401, _UNKNOWN)
            return Caller.of(token)
        token = self._signed_in.find(connection.cookies.get(COOKIE, ""))
        if token is None:
            return NOBODY
        acts = connection.scope["type"] == "websocket" or connection.scope["method"] not in _SAFE
        if acts and "origin" not in connection.headers:
            # `Guard` has compared it, but only a browser says it: a cookie comes along unasked, so it must be there.
            raise HTTPException(
                403, "a page acts with its Origin; a program shows its token instead of a cookie"
            )
        return Caller.of(token)

    def _still(self, connection: HTTPConnection, caller: Caller) -> Callable[[], bool]:
        """Tells as time passes whether who called still might: for what goes on for long."""
        if caller is ALONE:
            return lambda: not self._tokens.required
        if "authorization" in connection.headers:
            return lambda: self._tokens.by_digest(caller.digest) is not None
        cookie = connection.cookies.get(COOKIE, "")
        return lambda: self._signed_in.find(cookie) is not None


def permit(
    site_of_alert: Callable[[str], Awaitable[str | None]],
) -> Callable[[HTTPConnection], Awaitable[None]]:
    """The check that stands before every route. `site_of_alert` finds the site of an alert by its id."""

    async def check(connection: HTTPConnection) -> None:
        scope = connection.scope
        if scope["type"] == "websocket" or scope["path"] in OPEN:
            return  # the live stream looks for itself: it answers by close codes
        caller = caller_of(connection)
        method = "GET" if scope["method"] in _SAFE else scope["method"]
        default = Right.READ if method == "GET" else Right.ADMINISTER
        caller.check(NEEDS.get((method, scope["route"].path_format), default))
        for site in (connection.path_params.get("site"), *connection.query_params.getlist("site")):
            if site is not None:
                caller.check_site(site)
        alert = connection.path_params.get("alert")
        if alert is not None and caller.sites is not None:
            site = await site_of_alert(alert)
            if site is not None:
                caller.check_site(site)

    return check


def address_of(connection: HTTPConnection) -> str:
    """From where somebody calls, as far as the connection tells."""
    return connection.client.host if connection.client is not None else ""


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, also as an IPv4 address in the form of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _is_closed(path: str) -> bool:
    return (path == "/metrics" or path == "/api" or path.startswith("/api/")) and path not in OPEN


async def _refuse(
    status: int, detail: str, scope: Scope, receive: Receive, send: Send, headers: dict[str, str]
) -> None:
    if scope["type"] == "http":
        await JSONResponse({"detail": detail}, status, headers)(scope, receive, send)
        return
    await receive()
    # Accepted first: a refused handshake tells a page nothing, a close code does.
    await send({"type": "websocket.accept"})
    code = FORBIDDEN if status == 403 else SIGNED_OUT
    await send({"type": "websocket.close", "code": code, "reason": detail[:120]})
