"""A service that a manifest can read: its URLs point here, and answers have what it looks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import ascii_letters, digits
from typing import Any

from hypothesis import find
from hypothesis.strategies import from_regex

_URL = re.compile(r"^\s*https?://(?:[^/{]|\{\{.*?\}\}|\{(?!\{))*")
_URL_IN_TEMPLATE = re.compile(r"""https?://[^/'"\s{}]+""")
_TOKENS = {"access_token": "token", "token": "token", "token_type": "bearer", "expires_in": 3600}
_RECORD = {"id": 1, "name": "made", "created_at": "2024-01-31T10:00:00Z"}
_DAYS = ("2024-01-01", "2024-01-01T00:00:00Z")
_TIMES = ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.000Z", "2024-01-01")


@contextmanager
def answering(manifest: Any) -> Iterator[str]:
    """Answers whatever a manifest asks for, while the block runs; yields the URL."""
    content = json.dumps(_answer(manifest)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET  # noqa: N815 - as the base class calls them

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def pointed_to(part: Any, url: str) -> Any:
    """The manifest with another server in each of its URLs."""
    if isinstance(part, Mapping):
        return {
            key: value if key in ("schema", "schemas", "spec") else pointed_to(value, url)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [pointed_to(value, url) for value in part]
    return _URL_IN_TEMPLATE.sub(url, _URL.sub(url, part)) if isinstance(part, str) else part


def made_config(schema: Mapping[str, Any], url: str) -> dict[str, Any]:
    """A configuration as a manifest's spec wants it."""
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or []
    return {
        name: _value(name, properties[name], url)
        for name in properties
        if name in wanted
        or _is_choice(properties[name])
        or "default" in properties[name]
        or "date" in name  # many manifests need them all the same
    }


def _is_choice(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("oneOf") or schema.get("anyOf"))


def _value(name: str, schema: Mapping[str, Any], url: str) -> Any:
    given = [schema.get("const"), schema.get("default"), *(schema.get("enum") or [])]
    for value in given:
        if value not in (None, ""):
            return value
    if _is_choice(schema):
        return _choice((schema.get("oneOf") or schema["anyOf"])[0], url)
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    match kinds[0]:
        case "object":
            return made_config(schema, url)
        case "array":
            return [_value(name, schema.get("items") or {}, url)]
        case "boolean":
            return False
        case "string":
            return _text(name, schema, url)
    return schema.get("minimum", 1)


def _choice(schema: Mapping[str, Any], url: str) -> Any:
    if schema.get("type", "object") != "object":
        return _value("", schema, url)
    found = made_config(schema, url)
    properties = schema.get("properties") or {}
    consts = {key: value["const"] for key, value in properties.items() if "const" in value}
    return found | consts


def _text(name: str, schema: Mapping[str, Any], url: str) -> str:
    """The first of some usual texts that the pattern allows, else one made after the pattern."""
    pattern = str(schema.get("pattern", ""))
    examples = schema.get("examples") or schema.get("example") or []
    usual = [examples] if isinstance(examples, str) else [str(one) for one in examples]
    if re.search(r"url|uri|domain|host", name):
        usual = [url if "http" in f"{pattern}{examples}" else url.removeprefix("http://"), *usual]
    elif schema.get("format") == "date-time" or "date" in name or pattern:
        is_time = schema.get("format") == "date-time" or "T" in str(pattern)
        days = _TIMES if is_time else _DAYS
        usual = [*(day.replace("-01-01", "-01-03") for day in days if "end" in name), *days, *usual]
    for text in [*usual, "word"]:
        if not pattern or re.search(pattern, text):
            return text
    return str(find(from_regex(pattern, alphabet=ascii_letters + digits + "-_"), lambda _: True))


def _answer(manifest: Any) -> dict[str, Any]:
    """A document that has records wherever the manifest looks for them."""
    answer: dict[str, Any] = dict(_RECORD) | _TOKENS
    for path in sorted(_paths(manifest), key=len):
        place: Any = answer
        for key in path[:-1]:
            place = place.setdefault(key, {}) if isinstance(place, dict) else {}
        if isinstance(place, dict) and not isinstance(place.get(path[-1]), dict):
            place[path[-1]] = [dict(_RECORD)]
    return answer


def _paths(part: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(part, Mapping):
        path = part.get("field_path")
        if part.get("type") == "DpathExtractor" and isinstance(path, list):
            keys = tuple(str(key) for key in path if key != "*")
            if keys and not any("{{" in key for key in keys):
                yield keys
        for inner in part.values():
            yield from _paths(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _paths(inner)
