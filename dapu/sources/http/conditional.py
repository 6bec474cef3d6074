"""Asking for an answer only if it has changed: RFC 9110, section 13."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from dapu.sources.http.messages import HttpAnswer


def condition(remembered: Mapping[str, Any], question: str) -> dict[str, str]:
    """Headers by which a server answers 304 when all is as it was; none for another question.

    remembered: what `marks` gave for an earlier answer.
    """
    if remembered.get("question") != question:
        return {}
    headers = {"If-None-Match": "etag", "If-Modified-Since": "last_modified"}
    return {header: remembered[key] for header, key in headers.items() if remembered.get(key)}


def marks(answer: HttpAnswer, question: str) -> dict[str, Any]:
    """What to remember of an answer. question: what distinguishes it from others."""
    etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    if modified is not None and not _is_sure(modified, answer.headers.get("Date")):
        modified = None
    return {"question": question, "etag": etag, "last_modified": modified}


def _is_sure(modified: str, now: str | None) -> bool:
    """Whether a further change would have another date, whose unit is a second.

    RFC 9110, section 8.8.2.2.
    """
    try:
        age = parsedate_to_datetime(now or "") - parsedate_to_datetime(modified)
    except (ValueError, TypeError):
        return False
    return age.total_seconds() >= 1
