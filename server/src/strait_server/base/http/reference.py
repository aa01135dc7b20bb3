"""The API reference: one page that needs nothing from anywhere, and the document behind it.

The page has no script, so its content policy allows none. It is made once.
"""

from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from typing import Final

import msgspec
from litestar import Router, get
from litestar.response import Redirect
from litestar.response.base import ASGIResponse

from strait_server.base.http.exchange import Answer
from strait_server.base.http.framework import Ready
from strait_server.base.http.guards import PUBLIC
from strait_server.base.http.headers import POLICY
from strait_server.base.http.schemas import Document

_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_JSON: Final = (b"content-type", b"application/json")
_STYLES_ONLY: Final = b"default-src 'none'; style-src 'unsafe-inline'"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8889 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
details { border-bottom: 1px solid var(--line); padding: .4rem 0 }
summary { cursor: pointer; display: flex; gap: .75rem; align-items: baseline }
summary b { font: 600 12px/1 ui-monospace, monospace; min-width: 4rem }
summary span { margin-left: auto; color: var(--soft) }
code, pre { font: 13px/1.5 ui-monospace, monospace }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--line); padding: .25rem .5rem .25rem 0; vertical-align: top }
"""


def make_router(document: Callable[[], Document]) -> Router:
    """Serve the document and its page. `document` is called once, on first use."""
    described = cache(document)

    @cache
    def as_json() -> bytes:
        return msgspec.json.encode(described())

    @cache
    def as_page() -> bytes:
        return "".join(_page(described())).encode()

    @get("/", opt=PUBLIC, include_in_schema=False)
    async def get_reference() -> ASGIResponse:
        return Ready(Answer(200, [_HTML, (POLICY, _STYLES_ONLY)], as_page()))

    @get("/openapi.json", opt=PUBLIC, include_in_schema=False)
    async def get_openapi() -> ASGIResponse:
        return Ready(Answer(200, [_JSON], as_json()))

    @get("/openapi.yaml", opt=PUBLIC, include_in_schema=False, status_code=301)
    async def get_openapi_yaml() -> Redirect:
        return Redirect("/reference/openapi.json", status_code=301)

    return Router("/reference", route_handlers=[get_reference, get_openapi, get_openapi_yaml])


def _page(document: Document) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    yield '<meta name=viewport content="width=device-width">'
    yield f"<style>{_STYLE}</style><h1>{title}</h1>"
    yield f"<p>{escape(document['info'].get('description', ''))} "
    yield 'The same for programs: <a href="/reference/openapi.json">OpenAPI document</a>.</p>'
    for tag, operations in sorted(_by_tag(document).items()):
        yield f"<h2>{escape(tag)}</h2>"
        for path, method, operation in operations:
            yield from _operation(path, method, operation)
    yield "<h2>schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
        yield f"{_json(schema)}</details>"


def _by_tag(document: Document) -> dict[str, list[tuple[str, str, Document]]]:
    operations: dict[str, list[tuple[str, str, Document]]] = {}
    for path, item in sorted(document["paths"].items()):
        for method in _METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["other"])[0]
                operations.setdefault(tag, []).append((path, method, item[method]))
    return operations


def _operation(path: str, method: str, operation: Document) -> Iterator[str]:
    name = escape(operation["operationId"])
    yield f"<details id='{name}'><summary><b>{method.upper()}</b><code>{escape(path)}</code>"
    yield f"<span>{name}</span></summary><p>{escape(operation.get('description', ''))}</p>"
    if scopes := operation.get("x-required-scopes"):
        yield f"<p>Scope: <code>{escape(' or '.join(scopes))}</code></p>"
    if parameters := operation.get("parameters"):
        yield "<table>"
        for it in parameters:
            yield f"<tr><td><code>{escape(it['name'])}</code><td>{it['in']}"
            yield f"<td>{'required' if it.get('required') else ''}"
            yield f"<td>{escape(it.get('description') or '')}"
        yield "</table>"
    if body := operation.get("requestBody"):
        yield f"<p>Body</p>{_json(body['content']['application/json']['schema'])}"
    yield "<table>"
    for status, answer in operation["responses"].items():
        said = answer.get("description") or answer["$ref"].rpartition("/")[2]
        yield f"<tr><td>{status}<td>{escape(said)}<td>"
        yield ", ".join(_schema_link(content) for content in answer.get("content", {}).values())
    yield "</table></details>"


def _schema_link(content: Document) -> str:
    schema = content.get("schema", {})
    if "$ref" not in schema:
        return ""
    name = escape(schema["$ref"].rpartition("/")[2])
    return f"<a href='#{name}'>{name}</a>"


def _json(value: object) -> str:
    return f"<pre>{escape(msgspec.json.format(msgspec.json.encode(value)).decode())}</pre>"
