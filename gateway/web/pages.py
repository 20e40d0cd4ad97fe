"""The pages: what the build hook left in `gateway/_dashboard`, held in memory."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

BUILT: Final = Path(__file__).resolve().parent.parent / "_dashboard"
"""Where the build hook puts the pages."""

NOT_BUILT: Final = "none"
"""The build id of pages that are not there."""

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"

_NOT_BUILT_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Patrol Gateway</title></head>
<body>
<h1>Patrol Gateway</h1>
<p>The gateway runs, but its pages have not been built. In the sources, build them with
<code>python hatch_build.py build</code>, then start the gateway again.</p>
<p>The API works without them: <a href="/api/docs">/api/docs</a>.</p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Pages:
    """An ASGI app that answers what no route of the API does. `build` is the id of the pages."""

    build: str = NOT_BUILT
    files: Mapping[str, _File] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path = BUILT) -> Pages:
        """Read what was built; no pages where nothing was."""
        try:
            build = str(json.loads((folder / "build.json").read_text("utf-8"))["build"])
        except (OSError, ValueError, KeyError):
            return cls()
        files = {
            path.relative_to(folder).as_posix(): _read(path) for path in folder.rglob("*") if path.is_file()
        }
        return cls(build, files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, or with the index page: the paths of its views are its own."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        request = Request(scope, receive)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.url.path.lstrip("/")
        area = path.partition("/")[0]
        if area == "api":
            raise HTTPException(404, f"there is no /{path}")
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, "pages can only be read", {"Allow": "GET, HEAD"})
        file = self.files.get(path)
        if area == "assets":
            if file is None:
                # Never the index page: a script that is not there must not become HTML.
                raise HTTPException(404, f"there is no /{path}")
            return Response(file.content, media_type=file.media_type, headers={"Cache-Control": _FOR_EVER})
        file = file or self.files.get("index.html")
        if file is None:
            return HTMLResponse(_NOT_BUILT_PAGE, 503)
        headers = {"Cache-Control": _ASK_AGAIN, "ETag": file.etag}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(content, media_type, f'"{sha256(content).hexdigest()[:16]}"')
