"""Who receives notices in the tests: a real HTTP server and a real mail server, which fail and hang when told to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class Message(NamedTuple):
    """What came in over HTTP."""

    path: str
    key: str
    body: dict[str, Any]


class HttpReceiver:
    """An HTTP server. `status` is what it answers; `hangs`: it takes a message and answers nothing."""

    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.answer: dict[str, Any] = {}
        self.hangs = False
        self.trickles = False
        self.tried: list[Message] = []
        self.taken: list[Message] = []
        self._ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        message = Message(request.path, request.headers.get("Idempotency-Key", ""), body)
        self.tried.append(message)
        if self.hangs:
            self._ended.wait()
            return
        with contextlib.suppress(OSError):  # whoever asked has gone meanwhile
            while self.trickles and not self._ended.wait(0.05):
                request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            answer = json.dumps(self.answer).encode()
            if self.status == 200:
                self.taken.append(message)
            request.send_response(self.status)
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)

    @property
    def titles(self) -> list[str]:
        """The titles of what was taken."""
        return [message.body["title"] for message in self.taken]

    @property
    def keys(self) -> list[str]:
        return [message.key for message in self.taken]

    def url(self, path: str = "/hook", query: str = "") -> str:
        return f"json://127.0.0.1:{self.port}{path}{query and '?'}{query}"

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class MailReceiver:
    """A mail server. `refuses`: with what it answers to each recipient; None: it takes mail."""

    def __init__(self) -> None:
        self.refuses: str | None = None
        self.tried = 0
        self.taken: list[EmailMessage] = []
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=_free_port(),
            auth_required=False,
            auth_require_tls=False,
            authenticator=lambda server, session, envelope, mechanism, data: AuthResult(
                success=getattr(data, "password", b"") == b"right", handled=False
            ),
        )
        self._controller.start()
        self.port = self._controller.port

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried += 1
        if self.refuses is not None:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        return "250 taken"

    def url(self, password: str = "") -> str:
        who = f"alerts:{password}@" if password else ""
        return (
            f"mailto://{who}127.0.0.1:{self.port}?from=alerts@example.org&to=duty@example.org&smtp=127.0.0.1"
        )

    def close(self) -> None:
        self._controller.stop()


@contextlib.contextmanager
def closing_all(*receivers: HttpReceiver | MailReceiver) -> Iterator[None]:
    try:
        yield
    finally:
        for receiver in receivers:
            receiver.close()
