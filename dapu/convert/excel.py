"""`do: excel` of dapu 0.8: one sheet, whose columns are called by their letters."""

from __future__ import annotations

from typing import Any

from dapu.convert.old_action import OldAction
from dapu.convert.old_project import as_list, as_mapping
from dapu.convert.shipped_sql import shipped_sql

_KNOWN = ("source", "management", "delete", "delete_date_column", "insert", "cols")
_PERIODS = ("day", "month", "year")
_DATES = ["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y"]  # as dapu 0.8 tried them
_TYPES: dict[str | None, dict[str, Any]] = {
    None: {},
    "to_date": {"type": "date", "format": _DATES},
    "to_dec": {"type": "decimal"},
    "to_hash": {"type": "text"},
}


def convert_excel(action: OldAction) -> list[dict[str, Any]]:
    """A sheet that is read whole; what of the table it replaces, `delete` says."""
    action.others(*_KNOWN)
    source = as_mapping(action.keys.get("source"))
    if not source.get("name"):
        action.fault("`source` with a `name` is needed")
        return []
    if action.keys.get("management", "hash") != "hash":
        action.fault("the file is not deleted here; move it with `do: filecopy`", "management")
    return [
        {
            "do": "excel",
            "workbook": str(source["name"]),
            "sheet": source.get("sheet", 1),
            "header": "none",
            "start_row": source.get("start_row", 1),
            "columns": _columns(action),
            **_hashes(action),
            **_load(action),
        }
    ]


def _hashes(action: OldAction) -> dict[str, Any]:
    """A query that makes the hashes of dapu 0.8, so that tables can be joined with old ones."""
    columns = [one for one in map(as_mapping, as_list(action.keys.get("cols"))) if one.get("from")]
    if not any(one.get("transform") == "to_hash" for one in columns):
        return {}
    action.note("has spaces at the ends of a text taken away before its hash is made", "cols")
    shown = [
        shipped_sql("hashed_column", column=name) if one.get("transform") == "to_hash" else name
        for one in columns
        if (name := _quoted(str(one.get("name"))))
    ]
    action.files["hashed.sql"] = shipped_sql("hashed_sheet", columns=",\n    ".join(shown))
    return {"query": "hashed.sql"}


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _columns(action: OldAction) -> dict[str, Any]:
    """By their letters; one that makes several columns has them in a list."""
    found: dict[str, list[Any]] = {}
    for position, column in enumerate(map(as_mapping, as_list(action.keys.get("cols")))):
        letter, name = column.get("from"), column.get("name")
        if letter is None:
            action.note("was not loaded by dapu 0.8: it has no `from`", "cols", position)
            continue
        transform = column.get("transform")
        if transform not in _TYPES:
            action.fault(f"`{transform}` has no match", "cols", position, "transform")
        more = _TYPES.get(transform, {})
        made = {"name": str(name), **more} if more else str(name)
        found.setdefault(str(letter).upper(), []).append(made)
    if not found:
        action.fault("names no column", "cols")
    return {letter: one[0] if len(one) == 1 else one for letter, one in found.items()}


def _load(action: OldAction) -> dict[str, Any]:
    delete = action.keys.get("delete", "month")
    column = action.keys.get("delete_date_column")
    if delete == "all":
        return {"load": "replace"}
    if delete in _PERIODS and column:
        return {"load": "period", "period": {"column": str(column), "by": str(delete)}}
    action.fault(
        "rows are only added: `load: append` needs the columns _file, _sheet and _row; add them in "
        "a step in ver/",
        "delete",
    )
    return {"load": "append"}
