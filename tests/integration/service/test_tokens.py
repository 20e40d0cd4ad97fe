"""`patrol-gateway token`, with the service running and without."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx

from tests.integration.service.process import Gateway, command
from tests.integration.service.test_cli import check_refusal
from tests.integration.service.yard import YARD


def secret_of(out: str) -> str:
    secret = out.splitlines()[-1]
    assert secret.startswith("pgt_") and len(secret) == 47, out
    return secret


async def sites(gateway: Gateway, secret: str = "") -> int:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with httpx.AsyncClient(base_url=gateway.api, headers=headers) as http:
        return (await http.get("/api/sites")).status_code


async def test_tokens_are_made_listed_and_revoked_before_the_first_start_and_while_it_runs(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path, YARD)
    settings = gateway.settings
    made = await command("token", "create", "--name", "boss", "--role", "administrator", **settings)
    boss = secret_of(made.out)

    await gateway.start()
    try:
        assert (await sites(gateway), await sites(gateway, boss)) == (401, 200)
        refused = await command("token", "create", "--name", "li", "--role", "operator", **settings)
        check_refusal(refused, "PATROL_TOKEN")
        settings |= {"PATROL_TOKEN": boss}
        made = await command(
            "token", "create", "--name", "li", "--role", "operator", "--site", "yard", **settings
        )
        li = secret_of(made.out)
        assert await sites(gateway, li) == 200
        listed = await command("token", "list", **settings)
        assert "boss: administrator, all sites; made" in listed.out
        assert "li: operator, yard; made" in listed.out and "by boss" in listed.out
        assert boss not in listed.text and li not in listed.text
        assert (await command("token", "revoke", "li", **settings)).out == "li: revoked\n"
        assert await sites(gateway, li) == 401
        check_refusal(await command("token", "revoke", "li", **settings), "there is no token 'li'")
        less = settings | {"PATROL_TOKEN": secret_of((await command(
            "token", "create", "--name", "eye", "--role", "auditor", **settings)).out)}  # fmt: skip
        check_refusal(await command("token", "list", **less), "role auditor may not", "administrator")
        assert (await command("quarantine", "list", "--api", gateway.api, **less)).code == 0
    finally:
        assert await gateway.stop() == 0
    assert boss not in gateway.log.read_text() and li not in gateway.log.read_text()
    assert boss.encode() not in gateway.database.read_bytes()
    assert (await gateway.verify()).code == 0


async def test_a_token_that_is_made_while_nothing_runs_hides_no_downtime(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, YARD)
    await gateway.start()
    assert await gateway.stop() == 0

    def last_sign() -> int:
        with sqlite3.connect(gateway.database) as database:
            found = "SELECT max(at) FROM (SELECT at FROM signs UNION ALL SELECT at FROM commits)"
            return int(database.execute(found).fetchone()[0])

    before = last_sign()
    secret_of((await command("token", "create", "--name", "a", "--role", "auditor", **gateway.settings)).out)
    assert last_sign() == before
    assert (await gateway.verify()).code == 0


async def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    where = {"PATROL_DATABASE": f"sqlite:///{tmp_path}/p.sqlite"}
    check_refusal(await command("token", "create", "--name", "a", "--role", "boss", **where), "boss")
    check_refusal(
        await command("token", "create", "--name", "A B", "--role", "auditor", **where), "small letters"
    )
    check_refusal(
        await command("token", "list", PATROL_DATABASE=f"sqlite:///{tmp_path}/no.sqlite"), "no database"
    )
    nobody = await command("token", "list", "--api", "http://127.0.0.1:9", **where)
    check_refusal(nobody, "no answer from http://127.0.0.1:9")
