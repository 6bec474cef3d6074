"""`do: restapi` and `do: json` of dapu 0.8, which passed files to each other, as one `do: rest`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from dapu.convert.old_action import OldAction
from dapu.convert.old_project import as_list, as_mapping
from dapu.convert.select_columns import with_columns
from dapu.convert.services import OF_REQUESTS, from_environment, service_name
from dapu.convert.sql_text import Pasted, converted_script

_REST = (
    "api_source", "repeat", "repeat_sql", "repeat_index", "single_destination", "continue_on_error",
)  # fmt: skip
_JSON = ("origin", "extract", "cols", "pkcols")
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NAME = re.compile(r"\w+")
_FORM = "application/x-www-form-urlencoded"
_TYPES = {
    "int": "bigint", "integer": "bigint", "dec": "numeric", "decimal": "numeric",
    "numeric": "numeric", "float": "numeric", "bool": "boolean", "boolean": "boolean",
    "json": "json", "jsonb": "jsonb", "text[]": "text[]", "varchar[]": "text[]",
    "int[]": "bigint[]", "integer[]": "bigint[]", "dec[]": "numeric[]", "decimal[]": "numeric[]",
    "numeric[]": "numeric[]", "float[]": "numeric[]", "bool[]": "boolean[]",
    "boolean[]": "boolean[]",
}  # fmt: skip


def convert_restapi(action: OldAction) -> list[dict[str, Any]]:
    """The questions, with what the `json` behind them makes of the answers."""
    action.others(*_REST)
    source = as_mapping(action.keys.get("api_source"))
    block = action.around.services.get(str(source.get("api")))
    if block is None:
        action.fault(f"route.yaml has no service {source.get('api')} with a url", "api_source")
    reader = next((one for one in action.later if _reads(one, action.keys)), None)
    if reader is None:
        action.fault(
            "no `json` behind it in this task reads its answers; here `do: rest` asks and loads, "
            "in the task whose table it is"
        )
    if block is None or reader is None:
        return []
    made: dict[str, Any] = {
        "do": "rest",
        "connection": service_name(action.around.route, source["api"]),
    }
    made |= _request(action, {**{key: block.get(key) for key in OF_REQUESTS}, **source})
    made |= _repeat(action)
    made |= _rows(action, reader)
    return [made]


def convert_json(action: OldAction) -> list[dict[str, Any]]:
    """Nothing where the questions before it have become one action with it."""
    if not any(_reads(action.keys, one) for one in action.earlier):
        action.fault(
            "no `restapi` before it in this task makes the file that it reads: write `do: file` "
            "for a file, or `do: rest` for a service",
            "origin",
        )
    return []


def _reads(reader: Mapping[str, Any], asker: Mapping[str, Any]) -> bool:
    """Whether a `json` reads what a `restapi` wrote."""
    origin = as_mapping(reader.get("origin"))
    if "cols" not in reader or "api_source" not in asker:
        return False
    several = "repeat" in asker or "repeat_sql" in asker
    given = as_mapping(asker.get("repeat_index" if several else "single_destination"))
    written = given.get("file", "unprocessed_files.json" if several else None)
    here = "type" not in origin or origin["type"] == given.get("type", "task")
    return here and origin.get("file") == written and origin.get("dir") == given.get("dir")


def _request(action: OldAction, source: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if source.get("path"):
        made["path"] = _PLACEHOLDER.sub(r"{\1}", str(source["path"])).lstrip("/")
    method = str(source.get("method") or "GET").upper()
    if method != "GET":
        made["method"] = method
    if source.get("params"):
        made["parameters"] = source["params"]
    headers = as_mapping(source.get("headers"))
    body = from_environment(source.get("body"))
    if body is not None and method == "POST":
        made["body"], more = _body(action, body)
        headers = {**more, **headers}
    if headers:
        made["headers"] = {key: str(one) for key, one in headers.items()}
    if "${" in json.dumps(made, default=str):
        action.fault("has a name of the environment, which only connections.yaml may have")
    return made


def _body(action: OldAction, body: Any) -> tuple[Any, dict[str, str]]:
    """The body, and a header that goes with it: a mapping was sent as a form."""
    if isinstance(body, dict):
        return urlencode(body, doseq=True), {"Content-Type": _FORM}
    try:
        found = json.loads(body)
    except (TypeError, ValueError):
        found = None
    if isinstance(found, dict | list):
        return found, {}
    if "{" in str(body):
        action.fault("has braces, which stand for values here", "api_source", "body")
    return str(body), {}


def _repeat(action: OldAction) -> dict[str, Any]:
    values, query = action.keys.get("repeat"), as_mapping(action.keys.get("repeat_sql"))
    if values and query:
        action.fault("`repeat` and `repeat_sql` together: put the values into the query", "repeat")
    skip = {"on_error": "skip"} if action.keys.get("continue_on_error") else {}
    if values:
        rows = [as_mapping(as_mapping(one).get("params")) for one in as_list(values)]
        return {"repeat": {"values": rows, **skip}}
    if not query:
        return {}
    path = next(action.existing("file", query), None)
    places = {place: name for name, place in as_mapping(query.get("mapping")).items()}
    if path is None or not places or not all(isinstance(place, int) for place in places):
        action.fault("`file` and a `mapping` to the query's columns are needed", "repeat_sql")
        return {}
    names = [str(places.get(n, f"unused_{n}")) for n in range(1, max(places) + 1)]

    def convert(text: str, pasted: Pasted) -> str:
        return with_columns(converted_script(text, pasted), names, "pg")

    return {"repeat": {"query": action.add(path, convert, Pasted(action.table)), **skip}}


def _rows(action: OldAction, reader: Mapping[str, Any]) -> dict[str, Any]:
    """What becomes of the answers."""
    for key in reader.keys() - {"do", *_JSON}:
        action.note(f"`{key}` of the `json` behind it has no match")
    child = reader.get("extract")
    columns = {}
    for column in map(as_mapping, as_list(reader.get("cols"))):
        columns[str(column.get("name"))] = _column(action, column, is_child=child is not None)
    keys = [str(one) for one in as_list(reader.get("pkcols"))]
    if not keys:
        needed = f"the columns of ak_{action.table.table}_4_uniq"
        action.fault(f"`pkcols` of the `json` behind it is needed: {needed}")
    made = {"columns": columns, "load": "merge", "key": keys}
    return {"rows": str(child), **made} if child is not None else made


def _column(action: OldAction, column: Mapping[str, Any], *, is_child: bool) -> dict[str, Any]:
    kind, data = column.get("from"), column.get("data")
    path = "@" if data is None else str(data)
    made: dict[str, Any] = {"path": path}
    if kind == "const":
        literal = json.dumps(data, ensure_ascii=False, default=str).replace("`", "\\`")
        made = {"path": f"`{literal}`"}
    elif kind == "params":
        made = {"repeat": path}
        if not _NAME.fullmatch(path):
            action.fault(f"the column {column.get('name')} takes {path} of a question's values")
    elif kind == "data" and is_child:
        made = {"record": path}
    elif kind not in ("data", "extract"):
        action.fault(f"the column {column.get('name')} is from `{kind}`, which has no match")
    word = str(column.get("type", "text")).lower()
    if word in ("raw", "sql"):
        action.fault(f"the column {column.get('name')} is SQL of the answer, which is not run")
    if action.next_step == 1:  # no step made the table, so that nothing else says its types
        made["type"] = _TYPES.get(word, "text")
    return made
