"""The plan of a read that was asked for: which streams of its catalog go into which tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from dapu.agents.streams.plan import StreamPlan, check_tables
from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.registry.store import Registry
from dapu.sources.connectors.streams import Casing, Stream, streams_of
from dapu.statement import TableName

_OF_POSTGRES = re.compile(r"pg_|information_schema$")
_NAMESPACE, _LEGACY = "${SOURCE_NAMESPACE}", "${LEGACY}"
STAMP = "_jitsu_timestamp"  # as the callers of such a server know it


@dataclass(frozen=True)
class ReadParameters:
    """How a read is to be done.

    catalog: the configured one, of the protocol. schema: of tables without a namespace.
    namespace, prefix: of tables; see docs/server.md.
    """

    catalog: Mapping[str, Any]
    schema: str
    namespace: str
    prefix: str
    casing: Casing
    add_stamp: bool
    deduplicate: bool
    debug: bool

    @classmethod
    def of_request(cls, parameters: Mapping[str, Any]) -> ReadParameters:
        """From the parameters of the request."""
        return cls(
            parameters["catalog"],
            parameters["schema"],
            parameters["namespace"],
            parameters["tableNamePrefix"],
            "lower" if parameters["toSameCase"] else "keep",
            parameters["addMeta"],
            parameters["deduplicate"],
            parameters["debug"],
        )


def plan_catalog(parameters: ReadParameters, registry: Registry) -> list[StreamPlan]:
    """The plan of a configured catalog.

    Raises JobError for a stream that cannot be understood, and for a table that is dapu's own or
    another stream's.
    """
    plans = []
    for configured in parameters.catalog["streams"]:
        try:
            plan = _plan(configured, parameters)
            plan.columns()
        except (TypeError, ValueError, AttributeError) as error:  # its schema may have anything
            name = configured["stream"]["name"]
            raise JobError(f"the stream {name} cannot be understood: {error}") from None
        schema = plan.table.schema
        if schema == registry.schema or _OF_POSTGRES.match(schema):
            whose = "dapu" if schema == registry.schema else "PostgreSQL"
            raise JobError(f"the schema {schema} is {whose}'s own; give another `namespace`")
        plans.append(plan)
    check_tables(plans)
    return plans


def _plan(configured: Mapping[str, Any], parameters: ReadParameters) -> StreamPlan:
    stream = _stream(configured, parameters.casing)
    table = _table(stream, configured, parameters)
    options = _loading(stream, configured["sync_mode"], parameters)
    return StreamPlan(stream, table, options, STAMP if parameters.add_stamp else None)


def _stream(configured: Mapping[str, Any], casing: Casing) -> Stream:
    (stream,) = streams_of([configured["stream"]]).values()
    key = stream.key or configured.get("primary_key") or []
    cursor = configured.get("cursor_field") or stream.cursor
    return replace(stream, key=key, cursor=cursor, casing=casing)


def _table(stream: Stream, configured: Mapping[str, Any], parameters: ReadParameters) -> TableName:
    space = stream.name.namespace or ""
    is_legacy = parameters.namespace == _LEGACY
    schema = "" if is_legacy else parameters.namespace.replace(_NAMESPACE, space)
    prefix = parameters.prefix.replace(_NAMESPACE, space)
    name = configured.get("table_name") or prefix + (
        str(stream.name) if is_legacy else stream.name.name
    )
    return TableName(stream.name_in(schema or parameters.schema), stream.name_in(name) or "stream")


def _loading(stream: Stream, sync_mode: str, parameters: ReadParameters) -> LoadOptions:
    mode: Literal["replace", "append", "merge"] = "replace"
    key: list[str] = []
    if sync_mode == "incremental":
        key = _key(stream) if parameters.deduplicate else []
        mode = "merge" if key else "append"
    return LoadOptions(do="connector", load=mode, key=key or None)


def _key(stream: Stream) -> list[str]:
    try:
        return stream.key_columns()
    except JobError:
        raise JobError(
            f"the key of the stream {stream.name} lies inside another value, and its rows cannot "
            "be told apart by it: `deduplicate=false` appends them"
        ) from None
