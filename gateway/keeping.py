"""What is done about secrets while no gateway runs: straight in the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from gateway.clock import SYSTEM_CLOCK
from gateway.passwords import Passwords, password_json
from gateway.store.opening import open_store
from gateway.store.port import Commit, KeyRow, Store
from gateway.tokens import Tokens, token_json

T = TypeVar("T")


class KeysOfStore:
    """The secrets of a store that no gateway uses now."""

    def __init__(self, store: Store, rows: Sequence[KeyRow], by: str) -> None:
        self._store = store
        self._tokens = Tokens(rows)
        self._passwords = Passwords(rows)
        self._by = by

    async def make_token(self, name: str, role: str, sites: Sequence[str]) -> str:
        """Make a token; answers its secret. Raises `TokenError`."""
        secret, row = self._tokens.make(name, role, sites, SYSTEM_CLOCK.now(), self._by, "command")
        await self._keep(row)
        return secret

    async def revoke_token(self, name: str) -> None:
        """End a token. Raises `TokenError`."""
        await self._keep(self._tokens.revoke(name, SYSTEM_CLOCK.now(), self._by, "command"))

    async def tokens_json(self) -> list[dict[str, Any]]:
        """All tokens, without their secrets."""
        return [token_json(each) for each in (*self._tokens.live, *self._tokens.ended)]

    async def make_password(self, device: str, grace_s: float) -> dict[str, Any]:
        """Make or change a device's password; answers it, and until when an old one is good. Raises `PasswordError`."""
        secret, row = self._passwords.make(device, SYSTEM_CLOCK.now(), self._by, "command", grace_s)
        await self._keep(row)
        self._passwords.take(row)
        made = next(each for each in self._passwords.all() if each.device == device)
        return {**password_json(made), "password": secret}

    async def revoke_password(self, device: str) -> None:
        """End a device's password. Raises `PasswordError`."""
        await self._keep(self._passwords.revoke(device, SYSTEM_CLOCK.now(), self._by, "command"))

    async def passwords_json(self) -> list[dict[str, Any]]:
        """Which devices have passwords."""
        return [password_json(each) for each in self._passwords.all()]

    async def _keep(self, row: KeyRow) -> None:
        # At the time of the last sign of life: a commit of now would tell the next start that the gateway ran until
        # now, and hide how long it was down (laws 4 and 7).
        last_sign = await self._store.last_sign()
        await self._store.commit(Commit(row.at if last_sign is None else last_sign, keys=[row]))


async def change_keys(
    database: str, do: Callable[[KeysOfStore], Awaitable[T]], *, existing: bool = False
) -> T:
    """Do something about the secrets of a database (its URL), and let go of it. `existing`: make none.

    Raises `InUseError` while a gateway uses it.
    """
    store = await open_store(database, alone=True, existing=existing)
    try:
        return await do(KeysOfStore(store, await store.keys(), "console"))
    finally:
        await store.close()
