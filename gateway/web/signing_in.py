"""Routes for signing in and out, for tokens, and for the passwords of devices."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from gateway.passwords import PasswordError, password_json
from gateway.shapes import Json
from gateway.tokens import TokenError, token_json
from gateway.web.access import NOBODY, Caller, address_of, caller_of
from gateway.web.context import Context, answer
from gateway.web.models import (
    MadePassword,
    MadeToken,
    NewPassword,
    NewToken,
    OfDevice,
    PasswordShape,
    Problem,
    SignedInAs,
    SignIn,
    TokenShape,
)
from gateway.web.signed_in import COOKIE, TooManyTriesError

_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No token, or one that is not known."},
    429: {
        "model": Problem,
        "description": "Too many wrong tokens from this address: `Retry-After` says how long.",
    },
}
_WRONG: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "It cannot be made or revoked, and why."}
}


def signing_routes(context: Context) -> APIRouter:
    """Signing in and out of pages; tokens made, listed and revoked."""
    routes = APIRouter(prefix="/api")
    service = context.service
    passwords = service.passwords
    tokens, signed_in, tries = service.tokens, context.signed_in, context.tries

    def session_json(caller: Caller) -> Json:
        return {
            "required": tokens.required,
            "name": caller.name or None,
            "role": caller.role,
            "sites": None if caller.sites is None else sorted(caller.sites),
        }

    @routes.get(
        "/session", response_model=SignedInAs, responses=_REFUSED, tags=["tokens"], summary="Who calls"
    )
    async def session(request: Request) -> Response:
        """Whose token was shown, or with whose this page has signed in."""
        caller = caller_of(request)
        if caller is NOBODY:
            raise HTTPException(401, "this page must sign in")
        return answer(session_json(caller))

    @routes.post(
        "/session", response_model=SignedInAs, responses=_REFUSED, tags=["tokens"], summary="Sign in"
    )
    async def sign_in(request: Request, shown: SignIn) -> Response:
        """A page shows a token once, and gets a cookie that no script can read."""
        address = address_of(request)
        try:
            tries.check(address)
            token = tokens.find(shown.token.strip())
            if token is None:
                tries.failed(address)
                tries.check(address)
                raise HTTPException(401, "this token is not known here, or was revoked")
        except TooManyTriesError as error:
            raise HTTPException(429, str(error), {"Retry-After": str(error.wait_s)}) from None
        tries.succeeded(address)
        response = answer(session_json(Caller.of(token)))
        response.set_cookie(
            COOKIE,
            signed_in.sign_in(token),
            max_age=400 * 86_400,  # the longest that browsers keep one; the gateway decides when it ends
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @routes.delete("/session", status_code=204, tags=["tokens"], summary="Sign out")
    async def sign_out(request: Request) -> Response:
        """The cookie no longer counts."""
        signed_in.sign_out(request.cookies.get(COOKIE, ""))
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    @routes.get("/tokens", response_model=list[TokenShape], tags=["tokens"], summary="Tokens")
    async def every_token() -> Response:
        """Those that count, by name, then those that were revoked."""
        return answer([token_json(each) for each in (*tokens.live, *tokens.ended)])

    @routes.post(
        "/tokens", response_model=MadeToken, responses=_WRONG, tags=["tokens"], summary="Make a token"
    )
    async def make(request: Request, wanted: NewToken) -> Response:
        """The secret is told this once: only a digest of it is kept. With the first one, everybody must show theirs."""
        by, origin = caller_of(request).name, address_of(request)
        async with context.keeping:
            try:
                secret, row = tokens.make(wanted.name, wanted.role, wanted.sites, context.now(), by, origin)
            except TokenError as error:
                raise HTTPException(409, str(error)) from None
            await service.keep(row)
        return answer({"name": wanted.name, "token": secret})

    @routes.post(
        "/tokens/{token}/revoke",
        response_model=TokenShape,
        responses=_WRONG,
        tags=["tokens"],
        summary="Revoke a token",
    )
    async def revoke(
        request: Request, token: Annotated[str, Path(max_length=64, examples=["wang-jg"])]
    ) -> Response:
        """From now on it counts no more; pages that signed in with it are signed out."""
        by, origin = caller_of(request).name, address_of(request)
        async with context.keeping:
            try:
                row = tokens.revoke(token, context.now(), by, origin)
            except TokenError as error:
                raise HTTPException(409, str(error)) from None
            await service.keep(row)
        return answer(token_json(tokens.ended[-1]))

    @routes.get(
        "/passwords", response_model=list[PasswordShape], tags=["passwords"], summary="Passwords of devices"
    )
    async def every_password() -> Response:
        """Which devices have passwords at the gateway's own endpoint, and since when."""
        return answer([password_json(each) for each in passwords.all()])

    @routes.post(
        "/passwords",
        response_model=MadePassword,
        responses=_WRONG,
        tags=["passwords"],
        summary="Give a device a password, or a new one",
    )
    async def make_password(request: Request, wanted: NewPassword) -> Response:
        """It is told this once. With the first of a site, all its devices must show theirs: who cannot is cut off."""
        by, origin = caller_of(request).name, address_of(request)
        async with context.keeping:
            try:
                secret, row = passwords.make(wanted.device, context.now(), by, origin, wanted.grace_s)
            except PasswordError as error:
                raise HTTPException(409, str(error)) from None
            await service.keep(row)
        made = next(each for each in passwords.all() if each.device == wanted.device)
        return answer({**password_json(made), "password": secret})

    @routes.post(
        "/passwords/revoke",
        status_code=204,
        responses=_WRONG,
        tags=["passwords"],
        summary="Revoke a device's password",
    )
    async def revoke_password(request: Request, of: OfDevice) -> Response:
        """The device is cut off, and cannot connect until it has a new one."""
        by, origin = caller_of(request).name, address_of(request)
        async with context.keeping:
            try:
                row = passwords.revoke(of.device, context.now(), by, origin)
            except PasswordError as error:
                raise HTTPException(409, str(error)) from None
            await service.keep(row)
        return Response(status_code=204)

    return routes
