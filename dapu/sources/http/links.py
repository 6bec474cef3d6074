"""The header `Link` (RFC 8288): where an answer says that there is a further page.

`requests` reads it too, but takes names and types by their case, one type a link, and any `;` for
an end, which an address may have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# https://www.rfc-editor.org/rfc/rfc8288#appendix-B.2
_LINK = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,"]*)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,]*)))?')
_ESCAPED = re.compile(r"\\(.)")


def next_link(header: str) -> str | None:
    """The address of the next page as the header has it; None when it has none."""
    for address, parameters in _links(header):
        relations = parameters.get("rel", "").lower().split()
        # A link with an anchor says where another page than this one goes on.
        if "next" in relations and "anchor" not in parameters:
            return address
    return None


def _links(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Addresses, with their parameters: names in small letters, the first of each."""
    at = 0
    while link := _LINK.match(header, at):
        at = link.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            name, quoted, bare = parameter.groups(default="")
            parameters.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or bare)
        yield link[1].strip(), parameters
