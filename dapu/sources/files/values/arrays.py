"""Lists of JSON for columns of arrays."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from dapu.errors import FaultyDocument
from dapu.rows.python_text import array_text
from dapu.sources.documents.exact_json import parse

_LIST = re.compile(r"\s*\[(?!\s*[-+]?[0-9]+\s*[]:])|\s*\[\s*[-+]?[0-9]+\s*\]\s*$")
"""No text of an array begins like a list of JSON, but for its bounds, as in `[0:1]={a,b}`."""


def with_arrays(values: Any, type_name: str) -> list[Any]:
    """The values, lists among them as PostgreSQL reads arrays; a text may be a list of JSON.

    type_name: the column's, such as `numeric(10,2)[]`.
    """
    given = values.to_pylist() if isinstance(values, pa.Array) else values
    return [_with_array(value, type_name) for value in given]


def _with_array(value: Any, type_name: str) -> Any:
    if isinstance(value, str) and _LIST.match(value):
        try:
            value = parse(value.encode(errors="surrogatepass"))
        except FaultyDocument:
            return value  # PostgreSQL refuses it
    return array_text(value, type_name) if isinstance(value, list) else value
