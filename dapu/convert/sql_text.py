"""SQL files of dapu 0.8: their placeholders, which were replaced as text, in Jinja2.

`{{target_schema}}.{{target_table}}` is `{{ this }}`, and elsewhere the names themselves. What else
has braces was SQL and stays SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dapu.statement import PASSED_OVER, TableName

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_TABLE = re.compile(r"\{\{target_schema\}\}\.\{\{target_table\}\}(?!\w)")
_SHADOW = re.compile(r"\{\{target_schema\}\}\.\{\{target_table_shadow\}\}")
_NOT_SQL = re.compile(r"\{[{%#]")
# 0.8 pasted the last value as text between quotes, or behind the name of a type.
_LAST_VALUE = re.compile(r"(\b(?:timestamp|date)\s+)?'\{\{last_ts_value\}\}'", re.IGNORECASE)
_AFTER = re.compile(r">\s*$")
_MARK = "\0"
_THIS, _WATERMARK = "{{ this }}", "{{ watermark }}"


class Unsayable(ValueError):
    """What a SQL file says that has no match. line: from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Pasted:
    """What dapu 0.8 put into a file of a task.

    ts_column: of an export that goes by one; key_columns, data_columns: of a `runsql`; shadow: the
    temporary table that stands for the one which a `shadow` built.
    """

    table: TableName
    ts_column: str = ""
    key_columns: Sequence[str] = ()
    data_columns: Sequence[str] = ()
    shadow: str = ""

    @property
    def texts(self) -> Mapping[str, str]:
        """By placeholder."""
        return {
            "target_schema": self.table.schema,
            "target_table": self.table.table,
            "key_columns": ", ".join(self.key_columns),
            "data_columns": ", ".join(self.data_columns),
            "ts_column": self.ts_column,
        }


def converted_query(text: str, pasted: Pasted) -> str:
    """A query of a source: the last value is `{{ watermark }}`, and rows of that very moment too.

    dapu 0.8 cut the value to seconds, so that it read these again. Raises Unsayable.
    """
    parts: list[str] = []
    last = 0
    for match in _LAST_VALUE.finditer(text):
        before = _AFTER.sub(">= ", text[last : match.start()])
        cast = match[1].strip() if match[1] else ""
        value = f"cast({_MARK} as {cast})" if cast else _MARK
        parts += [before, value]
        last = match.end()
    marked = "".join([*parts, text[last:]])
    return _finished(_with_names(marked, pasted), text, _WATERMARK)


def converted_script(text: str, pasted: Pasted) -> str:
    """A script, or a query of the warehouse: the task's table is `{{ this }}`. Raises Unsayable."""
    original = text
    text = _SHADOW.sub(f"pg_temp.{pasted.shadow}", text) if pasted.shadow else text
    quoted = [(match.start(), match.end()) for match in PASSED_OVER.finditer(_masked(text))]

    def table(match: re.Match[str]) -> str:
        inside = any(start <= match.start() < end for start, end in quoted)
        return match[0] if inside else _MARK

    return _finished(_with_names(_TABLE.sub(table, text), pasted), original, _THIS)


def converted_step(text: str, pasted: Pasted) -> str:
    """A step of ver/: the names themselves, for it stays as it is for ever. Raises Unsayable."""
    return as_raw(_checked(_with_names(text, pasted), text))


def _masked(text: str) -> str:
    """With something else for placeholders, which would be passed over as Jinja2."""
    return _PLACEHOLDER.sub(lambda match: "x" * len(match[0]), text)


def _with_names(text: str, pasted: Pasted) -> str:
    texts = pasted.texts
    return _PLACEHOLDER.sub(lambda match: texts.get(match[1]) or match[0], text)


_UNKNOWN = re.compile(r"\{\{(target_table_shadow|last_ts_value|skip_count|limit_count|key_columns"
                      r"|data_columns|ts_column)\}\}")  # fmt: skip


def _checked(text: str, original: str) -> str:
    found = _UNKNOWN.search(text)
    if found is None:
        return text
    place = original.find(found[0])
    line = 1 + original.count("\n", 0, max(place, 0))
    raise Unsayable(line, f"{found[0]} has no match here")


def _finished(text: str, original: str, mark: str) -> str:
    """With what stands for the marks; braces of SQL's own are left as they are by Jinja2."""
    return mark.join(as_raw(piece) for piece in _checked(text, original).split(_MARK))


def as_raw(piece: str) -> str:
    """SQL that Jinja2 leaves as it is."""
    return f"{{% raw %}}{piece}{{% endraw %}}" if _NOT_SQL.search(piece) else piece
