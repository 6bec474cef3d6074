"""The JSON that callers send: read whole, within bounds, and checked before a job is queued."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dapu.errors import FaultyText
from dapu.sources.documents.exact_json import check_characters, parse

LONGEST = 20 << 20  # bytes of a body
_PATIENCE = 60.0  # seconds for a body to come


class Refused(Exception):
    """A request that is not carried out. status: of HTTP. message: why, for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Known(BaseModel):
    """What has to be there; whatever else stands beside it is handed on as it is."""

    model_config = ConfigDict(extra="allow")


class CatalogStream(_Known):
    """A stream of the connector's catalog."""

    name: str = Field(min_length=1)
    namespace: str | None = None
    json_schema: dict[str, Any]


class ConfiguredStream(_Known):
    """A stream, and how it is to be read."""

    stream: CatalogStream
    sync_mode: Literal["full_refresh", "incremental"]
    primary_key: list[list[str]] | None = None
    cursor_field: list[str] | None = None
    table_name: str | None = None


class ConfiguredCatalog(_Known):
    """Which streams are to be read."""

    streams: list[ConfiguredStream] = Field(min_length=1)


class ConfigBody(_Known):
    """The connector's configuration, for `check` and `discover`."""


class ReadBody(_Known):
    """What a read needs. state: from where it goes on; default where the last one ended."""

    config: dict[str, Any]
    catalog: ConfiguredCatalog
    state: dict[str, Any] | list[dict[str, Any]] | None = None


async def read_body(request: Request) -> bytes:
    """The body. Raises Refused for one that is too long, before it is all here, or too slow."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _whole(request)
    except TimeoutError:
        raise Refused(408, f"the body did not come within {_PATIENCE:g} seconds") from None


async def _whole(request: Request) -> bytes:
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > LONGEST:
            raise Refused(413, f"the body is longer than {LONGEST >> 20} MB")
        parts.append(part)
    return b"".join(parts)


def document(body: bytes, model: type[BaseModel]) -> dict[str, Any]:
    """The object that a body is, with all digits and in its order. Raises Refused."""
    try:
        found = parse(body)
        check_texts(found)
        model.model_validate(found)
    except FaultyText as error:
        raise Refused(400, f"the body {error}") from None
    except RecursionError:
        raise Refused(400, "the body is nested too deep") from None
    except ValidationError as error:
        raise Refused(400, first_fault(error.errors())) from None
    return dict(found)


def first_fault(errors: Any) -> str:
    """What is wrong first, with its place and without the value: it may be a secret."""
    first = errors[0]
    place = ".".join(str(step) for step in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":  # the only pattern is `parameters.Text`'s
        said = "has a control character, such as NUL or the end of a line"
    return f"{place or 'the body'}: {said}"


def check_texts(value: Any) -> None:
    """Raises FaultyText: PostgreSQL holds neither NUL nor half a character."""
    match value:
        case str():
            check_characters(value)
            if "\0" in value:
                raise FaultyText("has a NUL character in a text")
        case dict():
            for key, inner in value.items():
                check_texts(key)
                check_texts(inner)
        case list():
            for inner in value:
                check_texts(inner)
