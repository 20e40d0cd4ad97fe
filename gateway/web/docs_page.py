"""`/api/docs`: the OpenAPI document as a plain page. Swagger UI is loaded from elsewhere, which the policy forbids."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

Document = dict[str, Any]

_STYLE: Final = """\
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1b2330 }
h2 { margin-top: 2.5rem; text-transform: capitalize }
h3 { margin: 2rem 0 0; font: 600 1rem ui-monospace, monospace }
h3 b { color: #0a6b5e }
p { margin: .3rem 0 }
table { border-collapse: collapse; margin: .5rem 0; width: 100% }
td { border-top: 1px solid #d5dae3; padding: .2rem .6rem .2rem 0; vertical-align: top }
td:first-child { width: 11rem; font-family: ui-monospace, monospace }
"""


def add_docs_page(app: FastAPI) -> None:
    """Serve the page and its style."""

    @app.get("/api/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(_page(app.openapi()))

    @app.get("/api/docs.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_STYLE, media_type="text/css")


def _page(document: Document) -> str:
    info = document["info"]
    description = "".join(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(info["title"])} API</title><link rel="stylesheet" href="/api/docs.css"></head><body>'
        f"<h1>{escape(info['title'])} API</h1>{description}"
        '<p>This page is made of <a href="/api/openapi.json">/api/openapi.json</a>, which has all shapes in full.</p>'
        f"{''.join(_sections(document))}</body></html>"
    )


def _sections(document: Document) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"


def _operation(method: str, path: str, operation: Document) -> str:
    rows = [
        (each["name"], f"{each['in']}{', needed' if each['required'] else ''}: {each.get('description', '')}")
        for each in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    rows += [("body", f"{kind}: {_shape(content)}") for kind, content in body.items()]
    for status, response in operation["responses"].items():
        shapes = {_shape(content) for content in response.get("content", {}).values()} - {""}
        rows.append((status, f"{response['description']} {', '.join(sorted(shapes))}"))
    table = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows)
    return (
        f"<h3><b>{method.upper()}</b> {escape(path)}</h3><p>{escape(operation['description'])}</p>"
        f"<table>{table}</table>"
    )


def _shape(content: Document) -> str:
    """The name of a shape, as the document calls it."""
    schema = content.get("schema", {})
    if schema.get("type") == "array":
        return f"list of {_shape({'schema': schema['items']})}"
    return str(schema.get("$ref", "").rpartition("/")[2] or schema.get("title", schema.get("type", "")))
