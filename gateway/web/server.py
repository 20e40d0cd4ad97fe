"""The web server of a service: uvicorn, inside the event loop that the service runs in."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator
from typing import Final

import uvicorn

from gateway.service import Service, ServiceError
from gateway.web.app import create_app
from gateway.web.connections import PatientProtocol
from gateway.web.live import Live

_CLOSE_S: Final = 1.0
"""How long requests and pages have to end when the server closes (s)."""

_LARGEST_WS_MESSAGE: Final = 4096
"""Pages have nothing to say on the live stream (bytes)."""


class WebServer:
    """Serves pages and API of a running service. `start`, then `close`; both in the service's event loop."""

    def __init__(self, service: Service, host: str, port: int, names: Iterable[str] = ()) -> None:
        """`port` 0 takes a free one, see `self.port` after `start`. `names`: see `create_app`."""
        self.host = host
        self.port = port
        self._app = create_app(service, (host, *names))
        self.live: Live = self._app.state.live
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._tls = service.tls

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the pages."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host and host[0] != '[' else host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises `ServiceError` when the address cannot be had."""
        listening = await self._listen()
        self.port = listening.getsockname()[1]
        tls = self._tls
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            http=PatientProtocol,
            ws="websockets-sansio",
            ws_max_size=_LARGEST_WS_MESSAGE,
            ws_per_message_deflate=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            ssl_context_factory=None if tls is None else lambda *_: tls.pages,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listening]), name="web server")
        begun = asyncio.create_task(self._server.begun.wait())
        await asyncio.wait((begun, self._task), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._task.done():
            self._task.result()

    async def close(self) -> None:
        """Stop listening, end what is under way and close the live streams, within 2 s."""
        self.live.close()
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        for connection in list(self._server.server_state.connections):
            # A page that reads nothing more would keep its connection for ever.
            connection.transport.abort()
        self._server = self._task = None

    async def _listen(self) -> socket.socket:
        where = f"{self.host}:{self.port}"
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, _, _, _, address = found[0]
            return socket.create_server(address, family=family, backlog=512)
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                raise ServiceError(
                    f"cannot serve pages on {where}: another program uses this port. "
                    "Stop that program, or set PATROL_HTTP to another port"
                ) from None
            raise ServiceError(
                f"cannot serve pages on {where}: {fault.strerror or fault}. "
                "Check that the address in PATROL_HTTP belongs to this machine and that the port is allowed"
            ) from None


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to the service, and says when it has begun."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
