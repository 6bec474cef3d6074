"""The catalog of a manifest, kept beside the airbyte-cdk that made it.

`discover` starts the CDK, which takes two seconds, and then only says what the manifest says where
each stream has its schema in it. Such a catalog depends on the manifest and on the environment of
the CDK alone: not on the configuration, nor on what the service answers. All others are asked for
at each reading.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dapu.errors import FaultyDocument
from dapu.sources.connectors.messages import Document
from dapu.sources.documents.exact_json import dump, parse

_FOLDER = "catalogs"
_DEEPEST = 20  # references that lead to references
# The parts of a stream that stand in its catalog, beside its schema.
_IN_CATALOG = ("name", "primary_key", "cursor_field")
_OF_MANIFEST = re.compile(r"\{\{\s*parameters(\.\w+|\[\s*(['\"])\w+\2\s*\])\s*\}\}")


@dataclass(frozen=True)
class KeptCatalog:
    """A file for the streams of one manifest."""

    file: Path

    def read(self) -> list[Document] | None:
        """The streams; None where they are not kept, or cannot be read."""
        try:
            found = parse(self.file.read_bytes())
        except (OSError, FaultyDocument):
            return None
        return found if isinstance(found, list) else None

    def write(self, streams: list[Document]) -> None:
        """Keeps them. Whoever reads at the same time finds all of them or none."""
        self.file.parent.mkdir(exist_ok=True)
        partial = self.file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        partial.write_text(dump(streams), "utf-8")
        partial.replace(self.file)


def catalog_of(manifest: Mapping[str, Any], environment: Path) -> KeptCatalog | None:
    """Where the catalog of a manifest is kept; None where it depends on more than the manifest.

    environment: of the CDK that runs it; what it makes goes with it.
    """
    if not _says_all(manifest):
        return None
    text = json.dumps(manifest, default=repr)  # YAML has dates, too
    digest = hashlib.sha256(text.encode()).hexdigest()
    return KeptCatalog(environment / _FOLDER / f"{digest}.json")


def _says_all(manifest: Mapping[str, Any]) -> bool:
    if manifest.get("dynamic_streams") or not manifest.get("streams"):
        return False
    has_schemas = all(_has_schema(stream, manifest) for stream in manifest["streams"])
    return has_schemas and not any("{{" in text or "{%" in text for text in _templates(manifest))


def _has_schema(given: Any, manifest: Mapping[str, Any]) -> bool:
    stream = _resolved(given, manifest)
    if stream.get("type", "DeclarativeStream") != "DeclarativeStream":
        return False  # which there are, or which is read, is for the configuration or the state
    loader = _resolved(stream.get("schema_loader"), manifest)
    return loader.get("type") == "InlineSchemaLoader" and "schema" in loader


def _resolved(part: Any, manifest: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """What stands there, or where it refers to; empty where that is not simple."""
    if depth > _DEEPEST:
        return {}
    if isinstance(part, str) and part.startswith("#/"):
        return _resolved(_at(part, manifest), manifest, depth + 1)
    if not isinstance(part, Mapping):
        return {}
    if "$ref" not in part:
        return part
    base = _resolved(_at(str(part["$ref"]), manifest), manifest, depth + 1)
    return {**base, **{key: value for key, value in part.items() if key != "$ref"}}


def _at(reference: str, manifest: Mapping[str, Any]) -> Any:
    found: Any = manifest
    for key in reference.removeprefix("#/").split("/"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _templates(part: Any) -> Iterator[str]:
    """The texts that stand in a catalog, without what the manifest itself says of them."""
    if isinstance(part, list):
        for inner in part:
            yield from _templates(inner)
    elif isinstance(part, Mapping):
        for key, inner in part.items():
            if key in _IN_CATALOG and not isinstance(inner, Mapping):
                yield _OF_MANIFEST.sub("", str(inner))
            else:
                yield from _templates(inner)
