"""The fields of Execute's document types, as `/fetch/document/schema` describes them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from dapu.errors import JobError

RECORD, LIST = "RECORD", "RECORD LIST"


class FieldType(BaseModel):
    """One field of a document, a record, or the records of a list."""

    active: bool = Field(True, alias="ACTIVE")
    type: str = Field(alias="TYPE")
    unzoned: bool | None = Field(None, alias="DATE_UNZONED")
    record: dict[str, FieldType] | None = Field(None, alias="RECORD_TYPE")


Schema = dict[str, dict[str, FieldType]]
_MODEL = TypeAdapter(Schema)


def read_schema(
    text: bytes, types: Collection[str] | None = None, *, hide_inactive: bool = False
) -> Schema:
    """The fields of each document type.

    types: the document types that are wanted; None for all.
    hide_inactive: leave out the fields that are no longer in use.
    Raises JobError when the text is not a schema, or a wanted type is not in it.
    """
    try:
        schema = _MODEL.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its text"
        raise JobError(f"Execute's schema cannot be read: {place}: {first['msg']}") from None
    if types is not None:
        if unknown := sorted(set(types) - set(schema)):
            raise JobError(
                f"Execute has no document type {', '.join(unknown)}; it has: {', '.join(schema)}"
            )
        schema = {name: fields for name, fields in schema.items() if name in types}
    return {name: _active(fields) for name, fields in schema.items()} if hide_inactive else schema


def _active(fields: dict[str, FieldType]) -> dict[str, FieldType]:
    shown = {name: field for name, field in fields.items() if field.active}
    return {
        name: field.model_copy(update={"record": _active(field.record)}) if field.record else field
        for name, field in shown.items()
    }


def as_json(schema: Schema) -> dict[str, Any]:
    """The schema as JSON values, to compare it with another."""
    return {
        name: {key: field.model_dump() for key, field in fields.items()}
        for name, fields in schema.items()
    }
