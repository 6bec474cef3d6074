"""Texts and details as the registry can hold them, whatever a source or a library says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dapu.secrets import redact
from dapu.text import shortened

_LONGEST = 20_000  # characters of one text among an event's details


def storable(text: str, most: int = _LONGEST) -> str:
    """A text without secrets, and without what no text of PostgreSQL can hold.

    NUL and halves of characters outside Unicode's first plane are written out.
    """
    cut = shortened(redact(text), most).replace("\0", "\\x00")
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


def storable_details(value: Any) -> Any:
    """The same for details, which become JSON: it has no NaN and no infinity either."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): storable_details(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable_details(each) for each in value]
    if isinstance(value, bytes | memoryview):
        return storable("\\x" + bytes(value).hex())
    return storable(str(value))
