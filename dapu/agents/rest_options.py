"""The options of `do: rest`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from dapu.loading.options import LoadOptions
from dapu.sources.documents.column_types import ColumnType
from dapu.sources.http.pages import Format
from dapu.sources.http.paging import AnyPaging, JmesPath
from dapu.sources.http.request_placeholders import names_in
from dapu.suggest import nearest
from dapu.warehouse.yamlfile import Strict

WATERMARK = "watermark"
"""What stands in a request for the watermark."""


class RestColumn(Strict):
    """A column: a part of each record, or a value that the record was asked for with."""

    path: JmesPath | None = Field(
        None, description="JMESPath in the record, or in the row where `rows` is given"
    )
    record: JmesPath | None = Field(
        None, description="Or, with `rows`: JMESPath in the record that the row stands in"
    )
    repeat: str | None = Field(None, description="Or a name of `repeat`")
    type: ColumnType | None = Field(
        None, description="Type of PostgreSQL; default the table's, or found by the values"
    )

    @model_validator(mode="after")
    def _one_source(self) -> RestColumn:
        if [self.path, self.record, self.repeat].count(None) != 2:
            raise ValueError("a column has one of `path`, `record` and a name of `repeat`")
        return self


AnyColumn = Annotated[
    Annotated[JmesPath, Tag("path")] | Annotated[RestColumn, Tag("column")],
    Discriminator(lambda value: "path" if isinstance(value, str) else "column"),
]


class Repeat(Strict):
    """One question a row: of a query of the warehouse, or of a list."""

    query: str | None = Field(None, description="A SQL file; it runs in the warehouse")
    values: list[dict[str, str | int | float | bool | None]] | None = Field(
        None, description="Rows, each with the same names"
    )

    on_error: Literal["fail", "skip"] = Field(
        "fail",
        description="A question that fails fails the job, or is left out, counted and shown; with "
        "`load: append` or `merge`",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Repeat:
        if (self.query is None) == (self.values is None):
            raise ValueError("`repeat` is either a `query` or a list of `values`")
        if self.values and any(row.keys() != self.values[0].keys() for row in self.values):
            raise ValueError("the rows of `values` must all have the same names")
        return self


class RestOptions(LoadOptions):
    """Brings the records of a web service into the task's table."""

    reads: ClassVar[tuple[str, ...]] = ("path",)
    can_hash: ClassVar[bool] = True

    do: Literal["rest"]
    connection: str | None = Field(None, description="Default: the route's")
    path: str = Field("", description="Below the connection's url; `{name}` is filled in")
    method: Literal["GET", "POST"] = Field("GET", description="POST only for what merely reads")
    parameters: dict[str, str | int | float | bool | list[str | int]] = Field(
        {}, description="Of the address; one that is nothing but `{name}` may have no value"
    )
    headers: dict[str, str] = Field({}, description="Beside those of the connection")
    body: dict[str, Any] | list[Any] | str | None = Field(
        None, description="Sent as JSON, or a text as it is; `{name}` is filled in"
    )
    format: Format | None = Field(None, description="Of the answers; default what they say")
    records: JmesPath = Field("@", description="JMESPath in an answer to the list of its records")
    rows: JmesPath | None = Field(
        None,
        description="JMESPath in a record to a list in it: each element is a row, beside values of "
        "the record; default the record is the row",
    )
    columns: dict[str, AnyColumn] | None = Field(
        None,
        min_length=1,
        description="Names and JMESPaths; default the whole record in `document`, as jsonb",
    )
    pages: AnyPaging | Literal["none"] | None = Field(
        None,
        description="How an answer in pages goes on; `none`: one page is all, whatever it says",
    )
    repeat: Repeat | None = Field(None, description="One question a row of a query or a list")

    def sql_files(self) -> list[str]:
        """The query of `repeat`."""
        return [self.repeat.query] if self.repeat and self.repeat.query else []

    @model_validator(mode="after")
    def _fits_together(self) -> RestOptions:
        asked = {*names_in(self.path), *names_in(self.parameters), *names_in(self.body)}
        if self.watermark is not None:
            if self.watermark.column not in (self.columns or {}):
                raise ValueError(f"`watermark`: `columns` has no {self.watermark.column}")
            if WATERMARK not in asked:
                raise ValueError(
                    "`watermark`: nothing asks for it; give, for example, "
                    "`parameters: {since: '{watermark}'}`"
                )
        self._check_rows()
        if self.method == "GET" and self.body is not None:
            raise ValueError("a `body` needs `method: POST`")
        if self.repeat is not None and self.repeat.values:
            self._check_names(set(self.repeat.values[0]))
        if self.repeat is None:
            self._check_names(set())
        return self

    def _check_rows(self) -> None:
        for name, column in (self.columns or {}).items():
            if self.rows is None and isinstance(column, RestColumn) and column.record is not None:
                raise ValueError(f"columns.{name}: `record` goes with `rows`; give `path`")
        skips = self.repeat is not None and self.repeat.on_error == "skip"
        if skips and (self.load not in ("append", "merge") or self.watermark is not None):
            raise ValueError(
                "`repeat.on_error: skip` goes with `load: append` or `merge` and without a "
                "`watermark`: else the rows of a question that failed would be taken for deleted, "
                "or for read"
            )

    def _check_names(self, known: set[str]) -> None:
        for name, column in (self.columns or {}).items():
            asked = column.repeat if isinstance(column, RestColumn) else None
            if asked is not None and asked not in known:
                raise ValueError(f"columns.{name}: `repeat` has no {asked}{nearest(asked, known)}")
