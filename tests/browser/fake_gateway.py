"""A gateway that only looks like one: it serves the built pages and the contract, and shows what a test tells it to.

By itself, `python -m tests.browser.fake_gateway --scene bad` serves a scene to look at or to develop against.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.browser import scenes
from tests.browser.scenes import Json

PAGES = Path(__file__).resolve().parents[2] / "gateway" / "_dashboard"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DONE = {"acknowledge": "acknowledged", "resolve": "resolved", "note": None}


class FakeGateway:
    """Everything that a test may change or look at. Its methods are called from the test's own thread."""

    def __init__(self, *, tick_s: float = 0.5) -> None:
        self.tick_s = tick_s
        self.port = 0
        self.thread: threading.Thread | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.server: uvicorn.Server | None = None
        self.reset()

    def reset(self) -> None:
        self.board = scenes.quiet()
        self.build = json.loads((PAGES / "build.json").read_text(encoding="utf-8"))["build"]
        self.speed = 1.0
        self.seq = 41
        self.ticking = True
        self.accepting = True
        self.conflict: str | None = None
        self.closed: list[Json] = []  # alerts that have left the board
        self.log: list[Json] = []
        self.acts: list[Json] = []
        self.occurrences: list[Json] = []
        self.connections: list[dict[str, str]] = []
        self.sockets: list[WebSocket] = []
        self.started = time.monotonic()

    # -- what tests do

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, board: Json) -> None:
        """The board of the next snapshot."""
        self.board = board

    def now(self) -> str:
        passed = (time.monotonic() - self.started) * self.speed
        return scenes.at(timedelta(seconds=passed) / timedelta(minutes=1))

    def push(self, **sections: Any) -> None:
        """A delta to every page; one that is cut off finds it when it comes back."""
        self._soon(lambda: self._change(**sections))

    def skip(self) -> None:
        """A delta that never arrives."""
        self.seq += 1
        self.log.append({"type": "delta", "seq": self.seq, "now": self.now(), "sections": {}})

    def cut(self) -> None:
        """Closes every live stream and takes no new one until `accepting` again."""
        self.accepting = False
        self._soon(self._close_all)

    # -- the service

    def _soon(self, make: Callable[[], Any]) -> None:
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(make(), self.loop).result(5)

    async def _change(self, **sections: Any) -> None:
        self.board = self.board | sections
        self.seq += 1
        delta = {"type": "delta", "seq": self.seq, "now": self.now(), "sections": sections}
        self.log.append(delta)
        await self._send_all(delta)

    async def _send_all(self, message: Json) -> None:
        for ws in list(self.sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await ws.send_json(message)

    async def _close_all(self) -> None:
        for ws in list(self.sockets):
            with contextlib.suppress(RuntimeError):
                await ws.close(1012)
        self.sockets.clear()

    async def live(self, ws: WebSocket) -> None:
        self.connections.append(dict(ws.query_params))
        await ws.accept()
        if not self.accepting:
            await ws.close(1013)
            return
        if ws.query_params["site"] != self.board["site"]["id"]:
            await ws.close(4404)
            return
        zone = self.board["site"]["timezone"]
        await ws.send_json(
            {
                "type": "hello",
                "build": self.build,
                "site": "riverside",
                "tz": zone,
                "now": self.now(),
                "speed": self.speed,
            }
        )
        since = ws.query_params.get("since")
        missed = [delta for delta in self.log if since is not None and delta["seq"] > int(since)]
        if since is not None and int(since) + len(missed) == self.seq:
            for delta in missed:
                await ws.send_json(delta)
        else:
            await ws.send_json(
                {"type": "snapshot", "seq": self.seq, "board": self.board | {"now": self.now()}}
            )
        self.sockets.append(ws)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await ws.receive_text()
        if ws in self.sockets:
            self.sockets.remove(ws)

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(self.tick_s)
            if self.ticking:
                await self._send_all({"type": "tick", "seq": self.seq, "now": self.now()})

    async def sites(self, request: Request) -> Response:
        site = self.board["site"]
        return JSONResponse([{**site, "plan_version": self.board["plan_version"]}])

    async def plan(self, request: Request) -> Response:
        return JSONResponse(scenes.plan())

    async def some_occurrences(self, request: Request) -> Response:
        return JSONResponse(self.occurrences)

    async def act(self, request: Request) -> Response:
        alert_id, action = request.path_params["alert"], request.path_params["action"]
        body = await request.json()
        self.acts.append({"alert": alert_id, "action": action, **body})
        if self.conflict:
            return JSONResponse({"detail": {"state": self.conflict}}, 409)
        found = next((one for one in self.board["alerts"] if one["id"] == alert_id), None)
        if found is None:
            return JSONResponse({"detail": "no such alert"}, 404)
        state = DONE[action] or found["state"]
        entry = {
            "at": self.now(),
            "what": DONE[action] or "noted",
            "by": body["by"],
            "params": {"note": body.get("note")},
        }
        changed = found | {"state": state, "history": [*found["history"], entry]}
        if state == "resolved":
            changed["closed_at"] = self.now()
        await self._change(alerts=[changed if one["id"] == alert_id else one for one in self.board["alerts"]])
        return JSONResponse(changed)

    async def one_alert(self, request: Request) -> Response:
        alert_id = request.path_params["alert"]
        known = [*self.board["alerts"], *self.closed]
        found = next((one for one in known if one["id"] == alert_id), None)
        return JSONResponse(found or {"detail": "no such alert"}, 200 if found else 404)

    async def excuse(self, request: Request) -> Response:
        occurrence_id, body = request.path_params["occurrence"], await request.json()
        self.acts.append({"occurrence": occurrence_id, "action": "excuse", **body})
        roles = {person["id"]: person["role"] for person in scenes.PEOPLE}
        if roles.get(body["by"]) not in ("shift_leader", "supervisor", "manager"):
            return JSONResponse({"detail": f"{body['by']!r} may not excuse"}, 403)
        known = [*self.board["rounds"], *self.occurrences]
        found = next((one for one in known if one["id"] == occurrence_id), None)
        if found is None:
            return JSONResponse({"detail": "no such occurrence"}, 404)
        if self.conflict:
            return JSONResponse({"detail": {"state": self.conflict}}, 409)
        changed = scenes.excused(found, body["by"], body["note"], 0)
        # As the service does: what is over and in order leaves the board.
        await self._change(rounds=[one for one in self.board["rounds"] if one["id"] != occurrence_id])
        return JSONResponse(changed)

    async def command(self, request: Request) -> Response:
        device, body = request.path_params["device"], await request.json()
        self.acts.append({"device": device, "action": "command", **body})
        if self.conflict:
            return JSONResponse({"detail": {"state": self.conflict, "message": "…", "command": None}}, 409)
        roles = {person["id"]: person["role"] for person in scenes.PEOPLE}
        if roles.get(body["by"]) not in ("shift_leader", "supervisor", "manager"):
            return JSONResponse({"detail": f"{body['by']!r} may not command"}, 403)
        made = scenes.command(device, body["cmd"], "sent", 0) | {"by": body["by"], "reason": body["reason"]}
        await self._change(gates=self._with_command(made))
        return JSONResponse(made)

    async def settle(self, request: Request) -> Response:
        command_id, body = request.path_params["command"], await request.json()
        self.acts.append({"command": command_id, "action": "settle", **body})
        gates = [one for one in self.board["gates"] if (one["command"] or {}).get("id") == command_id]
        made = gates[0]["command"] | {"state": "done" if body["done"] else "failed"}
        await self._change(gates=self._with_command(made))
        return JSONResponse(made)

    def _with_command(self, made: Json) -> list[Json]:
        return [
            one | {"command": made} if one["device"] == made["device"] else one for one in self.board["gates"]
        ]

    async def silence(self, request: Request) -> Response:
        body = await request.json()
        self.acts.append({"action": "silence", **body})
        made = scenes.silence("riverside-s9", begins=0, until=60) | {
            key: value for key, value in body.items() if value is not None
        }
        alerts = [
            one | {"silenced_by": made["id"]}
            if made["from"] <= self.now()
            and one["subject"] in (made["subjects"] or [one["subject"]])
            and one["kind"] in (made["kinds"] or [one["kind"]])
            else one
            for one in self.board["alerts"]
        ]
        await self._change(silences=[*self.board["silences"], made], alerts=alerts)
        return JSONResponse(made)

    async def end_silence(self, request: Request) -> Response:
        silence_id, body = request.path_params["silence"], await request.json()
        self.acts.append({"silence": silence_id, "action": "end", **body})
        ended = next(one for one in self.board["silences"] if one["id"] == silence_id)
        alerts = [
            one | {"silenced_by": None} if one["silenced_by"] == silence_id else one
            for one in self.board["alerts"]
        ]
        await self._change(
            silences=[one for one in self.board["silences"] if one["id"] != silence_id], alerts=alerts
        )
        return JSONResponse(ended | {"to": self.now(), "ended_by": body["by"]})

    async def page(self, request: Request) -> Response:
        path = request.path_params["path"]
        file = (PAGES / path).resolve()
        if path and file.is_file() and PAGES in file.parents:
            return FileResponse(file, headers={"Content-Security-Policy": POLICY})
        if path.startswith("assets/"):
            return Response(status_code=404)
        return FileResponse(PAGES / "index.html", headers={"Content-Security-Policy": POLICY})

    def app(self) -> Starlette:
        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> Any:
            self.loop = asyncio.get_running_loop()
            ticking = asyncio.create_task(self.tick())
            yield
            ticking.cancel()

        return Starlette(
            routes=[
                Route("/api/sites", self.sites),
                Route("/api/sites/{site}/plan", self.plan),
                Route("/api/rounds", self.some_occurrences),
                Route("/api/radio-checks", self.some_occurrences),
                Route("/api/alerts/{alert}", self.one_alert),
                Route("/api/sites/{site}/occurrences/{occurrence}/excuse", self.excuse, methods=["POST"]),
                Route("/api/sites/{site}/devices/{device}/commands", self.command, methods=["POST"]),
                Route("/api/commands/{command}/settle", self.settle, methods=["POST"]),
                Route("/api/sites/{site}/silences", self.silence, methods=["POST"]),
                Route("/api/sites/{site}/silences/{silence}/end", self.end_silence, methods=["POST"]),
                Route("/api/alerts/{alert}/{action}", self.act, methods=["POST"]),
                WebSocketRoute("/api/live", self.live),
                Route("/{path:path}", self.page),
            ],
            lifespan=lifespan,
        )

    @contextlib.contextmanager
    def running(self, port: int = 0) -> Iterator[FakeGateway]:
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            self.port = listening.getsockname()[1]
            self.server = uvicorn.Server(
                uvicorn.Config(self.app(), log_level="critical", ws="websockets-sansio")
            )
            self.thread = threading.Thread(
                target=self.server.run, kwargs={"sockets": [listening]}, daemon=True
            )
            self.thread.start()
            deadline = time.monotonic() + 10
            while not self.server.started and time.monotonic() < deadline:
                time.sleep(0.01)
            try:
                yield self
            finally:
                self.server.should_exit = True
                self.server.force_exit = True
                self.thread.join(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", choices=sorted(scenes.SCENES), default="bad")
    parser.add_argument("--port", type=int, default=8080)
    chosen = parser.parse_args()
    gateway = FakeGateway(tick_s=2)
    gateway.show(scenes.SCENES[chosen.scene]())
    with gateway.running(chosen.port):
        print(f"{gateway.url} shows the scene {chosen.scene}; Ctrl+C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
