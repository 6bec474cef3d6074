"""The actions of dapu 0.8, each as actions of task.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dapu.convert.excel import convert_excel
from dapu.convert.filecopy import convert_filecopy
from dapu.convert.old_action import OldAction
from dapu.convert.rest import convert_json, convert_restapi
from dapu.convert.select_columns import with_columns
from dapu.convert.shipped_sql import shipped_sql
from dapu.convert.sql_text import Pasted, converted_query, converted_script
from dapu.definitions.script import transaction_faults
from dapu.statement import LONGEST_NAME, without_end
from dapu.warehouse.yamlfile import read_text

_SHADOW = "_shadow"  # behind the name of the table that 0.8 built beside
_FIRST_VALUE = "1990-01-01 00:00:00"  # from which 0.8 read when it had no last one
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)


def _scripts(action: OldAction, key: str, pasted: Pasted | None = None) -> list[dict[str, Any]]:
    names = []
    for path in action.existing(key):
        names.append(action.add(path, converted_script, pasted or Pasted(action.table)))
        action.faults.extend(transaction_faults(path, read_text(path)))
    return [{"do": "sql", "file": names[0] if len(names) == 1 else names}] if names else []


def _runsql(action: OldAction) -> list[dict[str, Any]]:
    action.others("file", "key_columns", "data_columns")
    columns = (action.names("key_columns"), action.names("data_columns"))
    found = _scripts(action, "file", Pasted(action.table, "", *columns))
    if not found:
        action.fault("names no file that is there", "file")
    return found


def _export(action: OldAction) -> list[dict[str, Any]]:
    action.others("file", "changedetection", "ts_col", "pkcols", "cols", "to")
    columns, key = action.names("cols"), action.names("pkcols")
    if action.keys.get("to", "file") != "direct":
        action.fault(
            "only `to: direct` has a match. The file was for the next action: where that only "
            "loads it into this table, say `to: direct` and leave the next one out",
            "to",
        )
    if not key:
        action.fault(f"`pkcols` is needed: the columns of ak_{action.table.table}_4_uniq")
    path = next(action.existing("file"), None)
    if path is None or not columns:
        action.fault("`file` and `cols` are needed")
        return []
    made: dict[str, Any] = {"do": "database", "query": "", "load": "merge", "key": key}
    made |= _watermark(action, columns)
    watermark = made.get("watermark", {})
    # One that is not loaded came last.
    last = [] if watermark.get("column", columns[0]) in columns else [watermark["column"]]

    def convert(text: str, pasted: Pasted) -> str:
        return with_columns(converted_query(text, pasted), [*columns, *last], action.driver)

    made["query"] = action.add(path, convert, Pasted(action.table, watermark.get("column", "")))
    if "{{ watermark }}" not in action.files[made["query"]]:
        watermark.pop("initial", None)
    return [made]


def _watermark(action: OldAction, columns: Sequence[str]) -> dict[str, Any]:
    if action.keys.get("changedetection") != "ts":
        return {}
    column = str(action.keys.get("ts_col") or "")
    if not _COLUMN.fullmatch(column):
        action.fault("the watermark's column must be a name", "ts_col")
    made: dict[str, Any] = {"watermark": {"column": column, "initial": _FIRST_VALUE}}
    return made if column in columns else {**made, "schema_change": {"added": "ignore"}}


def _shadow(action: OldAction) -> list[dict[str, Any]]:
    action.others(
        "input", "pkcol", "before", "update", "hash_before", "hash_after", "after", "afternew",
        "afterold",
    )  # fmt: skip
    for key in ("hash_before", "hash_after"):
        if action.names(key):
            action.note("is left out: rows are compared without it", key)
    path = next(action.existing("input"), None)
    if path is None:
        action.fault("names no file that is there", "input")
        return []
    built, query = _built(action, path)
    made: dict[str, Any] = {"do": "transform", "query": query}
    if action.names("pkcol"):
        made["key"] = action.names("pkcol")
    return [
        *_scripts(action, "before"),
        *built,
        made,
        *({**one, "when": "changed"} for one in _scripts(action, "afternew")),
        *({**one, "when": "unchanged"} for one in _scripts(action, "afterold")),
        *_scripts(action, "after"),
    ]


def _built(action: OldAction, path: Path) -> tuple[list[dict[str, Any]], str]:
    """What comes before the table's query, and that query.

    Where something updates what was built, a temporary table is built, and the query reads that.
    """
    if not list(action.existing("update")):
        return [], action.add(path, converted_script, Pasted(action.table))
    shadow = f"{action.table.table[: LONGEST_NAME - len(_SHADOW)]}{_SHADOW}"

    def build(text: str, pasted: Pasted) -> str:
        query = without_end(converted_script(text, pasted))
        return shipped_sql("shadow_build", shadow=shadow, query=query)

    first = {"do": "sql", "file": action.add(path, build, Pasted(action.table))}
    action.files["shadow_result.sql"] = shipped_sql("shadow_result", shadow=f"pg_temp.{shadow}")
    updates = _scripts(action, "update", Pasted(action.table, shadow=shadow))
    return [first, *updates], "shadow_result.sql"


def _history(action: OldAction) -> list[dict[str, Any]]:
    action.others("imp", "curr", "key_columns", "data_columns")
    key, columns = action.names("key_columns"), action.names("data_columns")
    source = str(action.keys.get("imp") or action.keys.get("curr") or "")
    if not source or not key:
        action.fault("`imp` or `curr`, and `key_columns` are needed")
        return []
    if "." not in source:
        source = f"{action.table.schema}.{source}"
    listed = ", ".join([*key, *columns])
    action.files["history.sql"] = shipped_sql("history_query", columns=listed, source=source)
    action.files[f"ver/{action.next_step:03d}_history_of_0_8.sql"] = shipped_sql(
        "history", table=str(action.table), key=", ".join(key), zone=action.zone
    )
    return [{"do": "transform", "query": "history.sql", "load": "history", "key": key}]


_KINDS: dict[str, Callable[[OldAction], list[dict[str, Any]]]] = {
    "agent_exceltartu": convert_excel,
    "agent_export": _export,
    "agent_filecopy": convert_filecopy,
    "agent_history": _history,
    "agent_json": convert_json,
    "agent_restapi": convert_restapi,
    "agent_runsql": _runsql,
    "agent_shadow": _shadow,
}
_OWN = {
    "export": "agent_export", "excel": "agent_exceltartu", "runsql": "agent_runsql",
    "stream": "agent_stream", "shadow": "agent_shadow", "history": "agent_history",
    "restapi": "agent_restapi", "json": "agent_json", "filecopy": "agent_filecopy",
}  # fmt: skip


def modules_of(agents: Mapping[str, Any]) -> dict[str, str]:
    """The module of each agent, by the name that actions call it. agents: conf/agents.yaml."""
    own = {
        name: str(one.get("module"))
        for name, one in agents.items()
        if isinstance(one, dict) and one.get("package") == "dapu.agents"
    }
    return _OWN | own | dict.fromkeys(agents.keys() - own.keys(), "")


def convert_action(action: OldAction, modules: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    """The actions that do the same; what they cannot say stands in the action's faults."""
    name = str(action.keys.get("do") or "")
    module = modules.get(name)
    convert = _KINDS.get(module or "")
    if convert is not None:
        return convert(action)
    if module is None:
        action.fault(f"there is no agent `{name}`", "do")
    else:
        action.fault(f"`{name}` is to be written by hand", "do")
    return []
