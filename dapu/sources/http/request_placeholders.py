"""`{name}` in paths, parameters and bodies, filled with values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from dapu.errors import JobError
from dapu.suggest import nearest

_PLACE = re.compile(r"\{(\w+)\}")


def names_in(value: Any) -> Iterator[str]:
    """The names of all placeholders in a text, or in the texts of a list or an object."""
    match value:
        case str():
            yield from _PLACE.findall(value)
        case list():
            for item in value:
                yield from names_in(item)
        case dict():
            for item in value.values():
                yield from names_in(item)


def fill_path(path: str, values: Mapping[str, Any]) -> str:
    """A path with values encoded so that none can leave its place in it."""

    def one(match: re.Match[str]) -> str:
        text = _text(_known(match[1], values))
        if text in (None, "", ".", ".."):
            raise JobError(f"path: {{{match[1]}}} is {text!r}, which cannot be part of an address")
        return quote(text, safe="")

    return _PLACE.sub(one, path)


def fill_parameters(
    parameters: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, str | list[str]]:
    """Parameters as text; one without a value is left out."""
    filled: dict[str, str | list[str]] = {}
    for name, value in parameters.items():
        if isinstance(value, list):
            texts = [_fill_parameter(name, item, values) for item in value]
            filled[name] = [text for text in texts if text is not None]
        elif (text := _fill_parameter(name, value, values)) is not None:
            filled[name] = text
    return filled


def fill_body(body: Any, values: Mapping[str, Any]) -> Any:
    """A body; a text that is nothing but a placeholder becomes the value itself.

    Braces around anything but a known name stay, since bodies have braces of their own.
    """
    match body:
        case dict():
            return {key: fill_body(value, values) for key, value in body.items()}
        case list():
            return [fill_body(item, values) for item in body]
        case str():
            whole = _PLACE.fullmatch(body)
            if whole is not None and whole[1] in values:
                return _plain(values[whole[1]])
            return _PLACE.sub(lambda match: _in_text(match, values), body)
    return body


def _fill_parameter(name: str, value: Any, values: Mapping[str, Any]) -> str | None:
    if not isinstance(value, str):
        return _text(value)
    whole = _PLACE.fullmatch(value)
    if whole is not None:
        return _text(_known(whole[1], values))

    def one(match: re.Match[str]) -> str:
        text = _text(_known(match[1], values))
        if text is None:
            raise JobError(f"parameters.{name}: {{{match[1]}}} has no value")
        return text

    return _PLACE.sub(one, value)


def _in_text(match: re.Match[str], values: Mapping[str, Any]) -> str:
    if match[1] not in values:
        return match[0]
    text = _text(values[match[1]])
    return "" if text is None else text


def _known(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise JobError(f"there is no value for {{{name}}}{nearest(name, values)}")
    return values[name]


def _text(value: Any) -> str | None:
    plain = _plain(value)
    if plain is None or isinstance(plain, str):
        return plain
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def _plain(value: Any) -> Any:
    """A value as JSON has it; times in the form of ISO 8601."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value if isinstance(value, str | int | Decimal | list | dict | None) else str(value)
