"""The forms that pages send: short, whole, and from a page of this server."""

from __future__ import annotations

import hmac
from typing import Annotated
from urllib.parse import parse_qs, quote

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from dapu.errors import FaultyText
from dapu.server.access.asking import asking
from dapu.server.access.people import brings_token
from dapu.server.bodies import Refused
from dapu.sources.documents.exact_json import check_characters

_LONGEST = 64 << 10  # bytes
_MOST = 1000  # fields
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form. Raises Refused where it is not one of this server's pages.

    Who brings a token is no browser, whose owner another site could use.
    """
    body = await _body(request)
    if body and request.headers.get("content-type", "").partition(";")[0].strip() != _TYPE:
        raise Refused(415, f"send a form: {_TYPE}")
    fields = _fields(body)
    if not brings_token(request.headers):
        given = (fields.pop("csrf", None) or [""])[0]
        if not hmac.compare_digest(given.encode(), asking().csrf().encode()):
            raise Refused(403, "the form is not of this session: load the page again")
    return fields


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            raise Refused(413, f"the form is longer than {_LONGEST >> 10} kB")
    return body


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        fields = parse_qs(body.decode("ascii"), True, errors="strict", max_num_fields=_MOST)
        for value in [text for texts in fields.values() for text in texts]:
            check_characters(value)
            if "\0" in value:
                raise FaultyText("has a NUL character")
    except (ValueError, FaultyText):
        raise Refused(400, "the form cannot be read") from None
    return fields


Form = Annotated[dict[str, list[str]], Depends(read_form)]


def local(path: str) -> str:
    """A path of this server, its letters beyond ASCII percent-encoded; anything else is `/`."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\"))
    is_plain = all(" " < one != "\x7f" and one != "\\" for one in path)
    encoded = quote(path, safe=_ASCII, errors="replace")
    return encoded if is_path and is_plain and len(encoded) <= 2000 else "/"


def address_of(request: HTTPConnection) -> str:
    """The page that is asked for, as its address has it: what `next` says of it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.scope["path"]) + query
