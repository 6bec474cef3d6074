"""What is asked of a server, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from dapu.sources.documents.exact_json import dump

Parameters = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Request:
    """One question.

    parameters: added to the address, encoded.
    body: a text goes as it is, anything else as JSON.
    """

    url: str
    method: str = "GET"
    parameters: Parameters = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def with_parameters(self, given: Parameters) -> Request:
        """The same request with further parameters, or with others that replace its own."""
        return replace(self, parameters={**self.parameters, **given})

    def with_headers(self, given: Mapping[str, str]) -> Request:
        """The same question with further headers."""
        return replace(self, headers={**self.headers, **given})

    def encoded_body(self) -> bytes | None:
        """The body as it goes over the wire (UTF-8)."""
        if self.body is None:
            return None
        return (self.body if isinstance(self.body, str) else dump(self.body)).encode()

    @property
    def identity(self) -> str:
        """What distinguishes it from other requests."""
        return repr((self.method, self.url, sorted(self.parameters.items()), self.body))


@dataclass(frozen=True)
class HttpAnswer:
    """What a server said beside the body. url: where the answer came from in the end."""

    status: int
    headers: Mapping[str, str]
    url: str
    next_link: str | None = None

    @property
    def media_type(self) -> str:
        """The type of its content in small letters, such as `application/json`; may be empty."""
        return self._type().get_content_type() if "Content-Type" in self.headers else ""

    @property
    def charset(self) -> str | None:
        """The encoding of its text, where it says so."""
        return self._type().get_content_charset()

    def _type(self) -> Message:
        message = Message()
        message["Content-Type"] = self.headers.get("Content-Type", "")
        return message


def below(url: str, path: str) -> str:
    """The address of a path below another address; a query of that address stays."""
    parts = urlsplit(url)
    joined = f"{parts.path.rstrip('/')}/{path.lstrip('/')}" if path else parts.path
    joined, _, query = joined.partition("?")
    queries = "&".join(filter(None, (parts.query, query)))
    return urlunsplit((parts.scheme, parts.netloc, joined, queries, ""))


def same_place(here: str, there: str) -> bool:
    """Whether what the server of one address may know, that of another may know too."""
    one, other = urlsplit(here), urlsplit(there)
    if one.hostname != other.hostname:
        return False
    ports = (_port(one), _port(other))
    upgraded = (one.scheme, other.scheme, *ports) == ("http", "https", 80, 443)
    return upgraded or (one.scheme == other.scheme and ports[0] == ports[1])


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
