"""Whatever is shown, typed or made: no secret is in the log, the database or any other file of the gateway."""

from __future__ import annotations

from pathlib import Path

import aiomqtt
import httpx
import pytest

from gateway.web.signed_in import COOKIE
from tests.integration.service.process import Gateway, command
from tests.integration.service.yard import YARD

WRONG_TOKEN = "pgt_not-a-token-but-somebodys-secret"
WRONG_PASSWORD = "not-the-password-but-somebodys-secret"


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, YARD, PATROL_LOG_LEVEL="debug")
    settings = gateway.settings
    made = await command("token", "create", "--name", "a", "--role", "administrator", cwd=None, **settings)
    token = made.out.splitlines()[-1]
    await gateway.start()
    try:
        async with httpx.AsyncClient(base_url=gateway.api, headers={"Origin": gateway.api}) as http:
            for shown in (WRONG_TOKEN, token):
                await http.get("/api/sites", headers={"Authorization": f"Bearer {shown}"})
                await http.get(f"/api/sites?token={shown}")
                await http.post("/api/session", json={"token": shown})
            cookie = http.cookies[COOKIE]
            assert (await http.get("/api/session")).json()["name"] == "a"
            answer = await http.post("/api/passwords", json={"device": "yard/scanner-1"})
            password = answer.json()["password"]
            told = [
                (await http.get(path)).text
                for path in ("/api/tokens", "/api/passwords", "/api/session", "/metrics")
            ]
        for shown in (WRONG_PASSWORD, password):
            client = aiomqtt.Client("127.0.0.1", gateway.mqtt, username="yard/scanner-1", password=shown)
            if shown == password:
                async with client:
                    pass
            else:
                with pytest.raises(aiomqtt.MqttError):
                    async with client:
                        pass
    finally:
        assert await gateway.stop() == 0
    log = gateway.log.read_text()
    assert "who says to be yard/scanner-1 shows a wrong password" in log  # that it happened is told
    assert "a wrong token was shown from 127.0.0.1" in log
    files = files_in(tmp_path)
    assert gateway.database in files and gateway.log in files
    for secret in (token, password, cookie, WRONG_TOKEN, WRONG_PASSWORD):
        assert [path.name for path in files if secret.encode() in path.read_bytes()] == []
        assert not any(secret in text for text in told)
