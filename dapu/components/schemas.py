"""JSON Schemas of the files that people write, for editors.

They say what `dapu validate` says, as far as a schema can: which keys there are, what each does,
and which values it takes. Editors that know yaml-language-server show that at the cursor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dapu.definitions.case_file import CaseFile
from dapu.definitions.grants import Grants
from dapu.definitions.models import ActionOptions, Route, task_model
from dapu.durations import PATTERN
from dapu.warehouse.connection_kinds import UrlConnection
from dapu.warehouse.connections import BY_DRIVER
from dapu.warehouse.explain_fault import json_schema
from dapu.warehouse.settings import Settings
from dapu.warehouse.yamlfile import Strict

Schema = dict[str, Any]
Actions = tuple[type[ActionOptions], ...]
FOLDER = ".schemas"  # in the warehouse directory
WHERE: Mapping[str, str] = {
    "warehouse.yaml": "warehouse.yaml",
    "connections.yaml": "connections.yaml",
    "grants.yaml": "grants.yaml",
    "route.yaml": "routes/*/route.yaml",
    "task.yaml": "routes/*/*/*/task.yaml",
    "tests/*.yaml": "routes/*/*/*/tests/*.yaml",
}
"""The files, and where they stand in a warehouse directory."""
_PLACEHOLDER = {"type": "string", "pattern": r"\$\{[^}]+\}"}


def schema_of(file: str, actions: Actions) -> Schema:
    """The JSON Schema of a file. file: one of WHERE. actions: those that task.yaml may have."""
    task = _of_model(task_model(actions))
    made: dict[str, Callable[[], Schema]] = {
        "task.yaml": lambda: task,
        "route.yaml": lambda: _with_defaults(_of_model(Route), task),
        "warehouse.yaml": lambda: _fillable(_with_defaults(_of_model(Settings), task)),
        "connections.yaml": lambda: _fillable(_connections()),
        "grants.yaml": lambda: _of_model(Grants),
        "tests/*.yaml": lambda: _of_model(CaseFile),
    }
    return {"$schema": "http://json-schema.org/draft-07/schema#"} | made[file]()


def write_schemas(folder: Path, actions: Actions) -> list[Path]:
    """Writes the schemas, and editors' settings where there are none; returns what it wrote.

    folder: a warehouse directory.
    """
    written = [_write(folder / FOLDER / _name(file), schema_of(file, actions)) for file in WHERE]
    settings = folder / ".vscode"
    if not settings.exists():
        by_schema = {f"{FOLDER}/{_name(file)}": where for file, where in WHERE.items()}
        written.append(_write(settings / "settings.json", {"yaml.schemas": by_schema}))
        recommended = {"recommendations": ["redhat.vscode-yaml"]}
        written.append(_write(settings / "extensions.json", recommended))
    return written


def _name(file: str) -> str:
    return file.replace("/*", "").replace(".yaml", ".json")


def _write(path: Path, value: Schema) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _of_model(model: type[Strict]) -> Schema:
    schema: Schema = _plain(json_schema(model))
    return schema | {"$defs": schema.get("$defs", {})}


def _plain(schema: Any) -> Any:
    """Without titles, which say no more than the key; what a key chooses, as conditions."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "discriminator" in schema:
        return _chosen_by(schema["discriminator"])
    if schema.get("pattern") == PATTERN:  # a bare 0 is a length of time too
        schema = {**schema, "type": ["string", "integer"], "maximum": 0}
    is_named = isinstance(schema.get("properties"), dict)
    kept = {name: _plain(value) for name, value in schema.items() if name != "title"}
    if is_named:  # a key may be called `title`
        kept["properties"] = {key: _plain(value) for key, value in schema["properties"].items()}
    return kept


def _chosen_by(discriminator: Mapping[str, Any]) -> Schema:
    """One of several models, of which a key tells which: else an editor shows faults of another."""
    key, models = discriminator["propertyName"], discriminator["mapping"]
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": sorted(models)}},
        "allOf": [_when(key, value, {"$ref": model}) for value, model in sorted(models.items())],
    }


def _when(key: str, value: str, then: Schema) -> Schema:
    return {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": then}


def _with_defaults(schema: Schema, task: Schema) -> Schema:
    """`defaults` takes the keys of task.yaml, and needs none of them."""
    keys = {name: value for name, value in task["properties"].items() if name != "actions"}
    said = schema["properties"]["defaults"]["description"]
    defaults = {"type": "object", "description": said, "properties": keys}
    return schema | {
        "properties": schema["properties"] | {"defaults": defaults},
        "$defs": task["$defs"] | schema["$defs"],
    }


def _connections() -> Schema:
    """A list; `driver` tells the kind, and `url` stands for the database's own."""
    kinds = {driver: _of_model(kind) for driver, kind in BY_DRIVER.items()}
    url = _of_model(UrlConnection)
    shared = {
        name: value for kind in [*kinds.values(), url] for name, value in kind["$defs"].items()
    }
    cases = [_when("driver", driver, _bare(kind)) for driver, kind in kinds.items()]
    without = {"if": {"not": {"required": ["driver"]}}, "then": _bare(url)}
    item = {
        "type": "object",
        "required": ["name"],
        "properties": {"driver": {"enum": sorted(kinds)}},
        "allOf": [*cases, without],
    }
    return {"type": "array", "items": item, "$defs": shared}


def _bare(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name != "$defs"}


def _fillable(schema: Any) -> Any:
    """Where a number or a word is to stand, `${NAME}` may."""
    if isinstance(schema, list):
        return [_fillable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    filled = {name: _fillable(value) for name, value in schema.items() if name != "if"}
    if "if" in schema:
        filled["if"] = schema["if"]
    if schema.get("type") in ("integer", "number", "boolean") or "enum" in schema:
        said = {name: filled.pop(name) for name in ("description", "default") if name in filled}
        return {"anyOf": [filled, _PLACEHOLDER], **said}
    return filled
