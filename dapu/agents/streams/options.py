"""The options of the agents that read connectors."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from dapu.definitions.checks import Columns
from dapu.definitions.models import ActionOptions
from dapu.loading.options import LoadOptions, OnBadValue, SchemaChange
from dapu.rows.masked_columns import PART_KEPT, Mask
from dapu.sources.connectors.streams import Casing
from dapu.warehouse.yamlfile import Strict

ConnectorLoad = Literal["replace", "append", "merge"]


class StreamOptions(Strict):
    """One stream of several."""

    table: str | None = Field(None, description="Its table; default the stream's name")
    load: ConnectorLoad | None = Field(None, description="As `load` of the action")
    key: Columns | None = Field(None, description="Columns that identify its rows")
    hash: list[str] = Field([], description="As `hash` of the action")
    mask: dict[str, Mask] = Field({}, description="As `mask` of the action")


class _StreamLoad(LoadOptions):
    can_hash: ClassVar[bool] = True


class ConnectorOptions(ActionOptions):
    """Reads streams of a connector into tables."""

    reads = ("stream",)

    connection: str | None = Field(None, description="A connector; default the route's connection")
    stream: str | None = Field(None, description="The stream that becomes the task's table")
    streams: dict[str, StreamOptions | None] | None = Field(
        None, min_length=1, description="Or several, each with a table in the task's schema"
    )
    prefix: str = Field("", description="Before the name of each table of `streams`")
    casing: Casing = Field(
        "lower",
        description="Names of tables and columns: `lower` case and ASCII, or `keep` those of the "
        "connector",
    )
    load: ConnectorLoad | None = Field(
        None,
        description="`merge` and `append` read only what is new; default `merge` where a stream "
        "can be read so and has a key, else `replace`",
    )
    key: Columns | None = Field(
        None,
        description="Columns that identify rows of `stream`; default what the connector says",
    )
    hash: list[str] = Field(
        [],
        description="Columns of `stream` of which only a keyed hash is kept (HMAC-SHA256 with "
        "`hash_key` of warehouse.yaml)",
    )
    mask: dict[str, Mask] = Field({}, description=f"Columns of `stream` {PART_KEPT}")
    on_bad_value: OnBadValue = Field(
        "fail", description="A value that its column cannot hold: see Loading"
    )
    nul_characters: Literal["fail", "remove"] = Field(
        "fail", description="NUL characters in text, which PostgreSQL cannot hold"
    )
    schema_change: SchemaChange | None = Field(
        None, description="What to do when a stream's columns change"
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> ConnectorOptions:
        if (self.stream is None) == (self.streams is None):
            raise ValueError("give either `stream`, for the task's table, or `streams`")
        if self.streams is not None and (self.key or self.load or self.hash or self.mask):
            raise ValueError("with `streams` each has its own `load`, `key`, `hash` and `mask`")
        return self

    def wanted(self, table: str) -> dict[str, StreamOptions]:
        """The streams to read. table: the task's."""
        if self.stream is not None:
            own = self.model_dump(include={"load", "key", "hash", "mask"})
            return {self.stream: StreamOptions(table=table, **own)}
        return {name: given or StreamOptions() for name, given in (self.streams or {}).items()}

    def loading(self, stream: StreamOptions, load: ConnectorLoad, key: list[str]) -> LoadOptions:
        """How the rows of a stream get into its table."""
        return _StreamLoad(
            do=self.do,
            load=load,
            key=key or None,
            hash=stream.hash,
            mask=stream.mask,
            on_bad_value=self.on_bad_value,
            nul_characters=self.nul_characters,
            schema_change=self.schema_change,
        )
