"""Fields of documents of which only a hash or a part is kept: their values are never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from dapu.errors import JobError
from dapu.execute.documents import Change
from dapu.execute.helper_views import TEXT_TYPES
from dapu.execute.schema import FieldType, Schema
from dapu.rows.hashed_columns import hashed_text, needed_key
from dapu.rows.masked_columns import masked_text
from dapu.sources.documents import exact_json
from dapu.suggest import nearest

TextChange = Callable[[str | None], str | None]


def hidden_fields(
    hashes: Sequence[str], masks: Mapping[str, str], key: bytes | None, schema: Schema
) -> Change | None:
    """What becomes of a document's text; None where all is kept.

    hashes, masks: by paths of fields: `CONTACT.EMAIL`; what is in lists is meant too.
    Raises JobError for a path that no document type has, for one whose values are no texts (they
    can only be hidden), and without a key for hashes.
    """
    changes: dict[str, TextChange] = {path: masked_text(how) for path, how in masks.items()}
    changes |= {path: partial(hashed_text, needed_key(key)) for path in hashes}
    if not changes:
        return None
    known = [found for fields in schema.values() for found in _fields(fields)]
    for path in changes:
        types = {field.type for name, field in known if name == path}
        if not types:
            names = sorted({name for name, _ in known})
            raise JobError(f"Execute has no field {path} to hide{nearest(path, names)}")
        other = sorted(types - TEXT_TYPES)
        if other and masks.get(path) != "hide":
            raise JobError(f"Execute's field {path} is {other[0]}: only `mask: hide` goes with it")
    paths = [(path.split("."), change) for path, change in changes.items()]

    def changed(line: bytes) -> bytes:
        document = exact_json.parse(line, "utf-8")
        for keys, change in paths:
            _change(document, keys, change)
        return exact_json.dump(document).encode("utf-8", "surrogatepass")

    return changed


def _fields(fields: Mapping[str, FieldType], above: str = "") -> Iterator[tuple[str, FieldType]]:
    """All fields that are values, with their paths."""
    for name, field in fields.items():
        if field.record is None:
            yield f"{above}{name}", field
        else:
            yield from _fields(field.record, f"{above}{name}.")


def _change(value: Any, keys: Sequence[str], change: TextChange) -> None:
    if isinstance(value, list):
        for one in value:
            _change(one, keys, change)
    elif isinstance(value, dict) and keys[0] in value:
        name, *below = keys
        if below:
            _change(value[name], below, change)
        else:
            value[name] = _changed(value[name], change)


def _changed(value: Any, change: TextChange) -> str | None:
    if value is None or isinstance(value, str):
        return change(value)
    return change(exact_json.dump(value))
