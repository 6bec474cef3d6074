"""The parameters in the addresses of requests, in their callers' names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from dapu.errors import FaultyText
from dapu.server.bodies import check_texts
from dapu.sources.documents.exact_json import parse

_LONGEST = 500  # characters
_PRINTABLE = r"^[^\x00-\x1f]*$"


def _json_object(text: str) -> str:
    try:
        found = parse(text.encode())
        check_texts(found)
        if isinstance(found, dict):
            return text
    except (FaultyText, RecursionError):
        pass
    raise ValueError("is not a JSON object")


def _unless_empty(default: Any) -> BeforeValidator:
    """A caller may send a parameter without a value."""
    return BeforeValidator(lambda value: default if value == "" else value)


Text = Annotated[str, Field(max_length=_LONGEST, pattern=_PRINTABLE)]
BIGINT = 2**63 - 1  # the highest number of a job or an event
Name = Annotated[Text, Field(min_length=1)]
_Switch = WithJsonSchema({"anyOf": [{"type": "boolean"}, {"const": ""}]})
Off = Annotated[bool, _unless_empty(default=False), _Switch]
On = Annotated[bool, _unless_empty(default=True), _Switch]
_Json = Annotated[str, Field(max_length=10_000, pattern=_PRINTABLE), AfterValidator(_json_object)]
StartedBy = Annotated[_Json | None, _unless_empty(default=None)]


class ConnectorQuery(BaseModel):
    """Which connector."""

    package: Name = Field(description="`airbyte/source-faker`, or a connection of connections.yaml")
    version: Text = Field("latest", description="`latest`: the newest that there is now")


class SpecQuery(ConnectorQuery):
    """Of `/spec`."""

    connector_type: Literal["airbyte", ""] = Field("airbyte", alias="connectorType")


class CheckQuery(ConnectorQuery):
    """Of `/check`."""

    storage_key: Name = Field(alias="storageKey", description="Under which the answer is found")


class DiscoverQuery(CheckQuery):
    """Of `/discover`."""

    then_run: Text = Field(
        "",
        alias="thenRun",
        description="What follows: a task (route.schema.table), an address, or `true`: the console",
    )
    workspace_id: Text = Field("", alias="workspaceId", description="For the console")
    sync_id: Text = Field("", alias="syncId", description="For the console")
    task_id: Text = Field("", alias="taskId", description="For the console")
    full_sync: Off = Field(False, alias="fullSync", description="For the console")
    started_by: StartedBy = Field(None, alias="startedBy", description="What started it, as JSON")


class ReadQuery(ConnectorQuery):
    """Of `/read`."""

    sync_id: Name = Field(alias="syncId", description="One read of it at once")
    task_id: Name = Field(alias="taskId", description="This read; sent again, it changes nothing")
    namespace: Text = Field(
        "", description="Schema of the tables; `${SOURCE_NAMESPACE}`: the stream's; `${LEGACY}`"
    )
    table_name_prefix: Text = Field("", alias="tableNamePrefix")
    to_same_case: Off = Field(False, alias="toSameCase", description="Names in lower case, ASCII")
    add_meta: Off = Field(False, alias="addMeta", description="A column with the time of each row")
    deduplicate: On = Field(True, description="One row a key, where the stream has one")
    full_sync: Off = Field(False, alias="fullSync", description="From the beginning")
    debug: Off = Field(False, description="All that the connector logs")
    nodelay: Off = Field(False, description="Start now, also when a schedule started it")
    started_by: StartedBy = Field(
        None, alias="startedBy", description='`{"trigger": "scheduled"}` starts within a minute'
    )


class CancelQuery(BaseModel):
    """Of `/cancel`."""

    sync_id: Name = Field(alias="syncId")
    task_id: Name = Field(alias="taskId")
    package: Text = ""
