"""What in an answer says that there is more than it has, by the names that services give it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NOT_IN_NAMES = re.compile(r"[^a-z]")
_DEEPEST = 5  # objects in objects
_MORE = {
    "hasmore", "hasnext", "hasnextpage", "more", "moreresults", "moreavailable",
    "moredataavailable", "moreresult", "istruncated", "truncated", "incompleteresults",
    "resultsetincomplete", "exceededtransferlimit", "hasmoreitems",
}  # fmt: skip
_IS_LAST = {"last", "islast", "lastpage", "islastpage", "done"}
_NEXT = {
    "next", "nextlink", "nextpage", "nexturl", "nexturi", "nextpageurl", "nextpageuri", "nexthref",
    "nexttoken", "nextpagetoken", "nextcursor", "nextmarker", "nextoffset", "nextstart",
    "nextrecordsurl", "nextpagelink", "odatanextlink", "continuationtoken", "continuation",
    "cursor", "scrollid", "resumptiontoken",
}  # fmt: skip
_TOTAL = {
    "total", "totalcount", "totalresults", "totalrecords", "totalitems", "totalelements",
    "totalhits", "count", "recordcount", "numfound", "odatacount", "numbermatched", "matched",
    "recordstotal", "totalentries", "totalrows", "totalsize", "resultcount", "totalcnt",
}  # fmt: skip
_PAGES = {
    "totalpages",
    "pages",
    "pagecount",
    "lastpage",
    "numpages",
    "pagestotal",
    "totalpagecount",
}


def says_more(body: Any, records: list[Any]) -> str | None:
    """What in an answer says that there are further records, with its key; None: nothing does.

    records: those that came with it. What is in them says nothing of others.
    """
    found = list(_facts(body, records, "", _DEEPEST))
    ends = any(
        (name in _MORE and _truth(value) is False) or (name in _IS_LAST and _truth(value) is True)
        for _, name, value in found
    )
    for path, name, value in found:
        if (not ends and _goes_on(name, value)) or _is_greater(name, value, len(records)):
            shown = value if isinstance(value, str | int) else "…"
            return f"{path}: {shown}"
    return None


def _facts(
    body: Any, records: list[Any], path: str, deepest: int
) -> Iterator[tuple[str, str, Any]]:
    """Each value with its path and the letters of its key, and links by what they are."""
    if not isinstance(body, Mapping) or not deepest or any(body is one for one in records):
        return
    for key, value in body.items():
        here = f"{path}.{key}" if path else str(key)
        yield here, _NOT_IN_NAMES.sub("", str(key).lower()), value
        yield from _facts(value, records, here, deepest - 1)
        if isinstance(value, list) and value is not records:
            for link in value:
                if isinstance(link, Mapping) and link.get("rel") == "next":
                    yield f"{here}[rel=next]", "next", link.get("href", link)


def _goes_on(name: str, value: Any) -> bool:
    if name == "offset":  # a number is where this page began; a text (Airtable) is for the next one
        return isinstance(value, str) and bool(value) and _number(value) is None
    if name in _MORE:
        return _truth(value) is True
    if name in _IS_LAST:
        return _truth(value) is False
    if name not in _NEXT or isinstance(value, list):
        return False
    if isinstance(value, Mapping):
        return any(isinstance(inner, str) and inner for inner in value.values())
    return bool(value) and str(value).lower() not in ("0", "false", "null", "none", "-1")


def _is_greater(name: str, value: Any, count: int) -> bool:
    """Whether a number says that there are more records, or more pages than one."""
    number = _number(value)
    if number is None:
        return False
    return (name in _TOTAL and number > count > 0) or (name in _PAGES and number > 1)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower())


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value) else None
