"""`do: export`: queries of the warehouse become a file that people or programs pick up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal

import psycopg2
from psycopg2.extensions import cursor as Cursor
from pydantic import AfterValidator, Field, model_validator

from dapu.agents.base import Agent, Context
from dapu.agents.file_output import (
    FileName,
    naming_file,
    own_mark,
    remember,
    render_name,
    working_folder,
)
from dapu.definitions.models import ActionOptions
from dapu.definitions.script import ScriptStatement, fault_in_statement
from dapu.errors import JobError, WrongBackfill
from dapu.exporting.content import content_hash
from dapu.exporting.csv_ndjson import write_csv, write_ndjson
from dapu.exporting.query import Query
from dapu.exporting.titles import LONGEST_TITLE, title_faults
from dapu.loading.result import LoadResult
from dapu.sources.files.places.atomic_write import clear_leftovers, placing
from dapu.sources.files.places.changed_files import State
from dapu.sources.files.places.in_use import check_closed
from dapu.sources.files.places.place import FoundFile, Place, open_place

Format = Literal["xlsx", "csv", "tsv", "ndjson", "parquet"]
Packing = Literal["gzip", "snappy", "zstd", "none"]
_ENDINGS: dict[str, Format] = {
    ".xlsx": "xlsx",
    ".csv": "csv",
    ".tsv": "tsv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}
_PACKED_AS: dict[Format, tuple[Packing, ...]] = {
    "xlsx": (),
    "csv": ("gzip", "none"),
    "tsv": ("gzip", "none"),
    "ndjson": ("gzip", "none"),
    "parquet": ("snappy", "zstd", "gzip", "none"),
}
_ITEM = "file"  # what it remembers of the last file is kept under this name


def _sheets(sheets: dict[str, str]) -> dict[str, str]:
    for fault in title_faults(sheets):
        raise ValueError(fault)
    return sheets


def _delimiter(sign: str) -> str:
    if not sign.isascii() or sign in '"\r\n\0':
        raise ValueError("is one ASCII character, and no quote or line end")
    return sign


class ExportOptions(ActionOptions):
    """Writes queries of the warehouse to a workbook, CSV, NDJSON or Parquet file."""

    reads: ClassVar[tuple[str, ...]] = ("query", "file")

    do: Literal["export"]
    file: FileName = Field(
        min_length=1,
        description="Its name below the connection's folder; may be a template: "
        "`sales {{ today }}.xlsx`",
    )
    connection: str | None = Field(None, description="A `files` connection; default the route's")
    query: str | None = Field(None, description="A SQL file with one SELECT")
    sheets: Annotated[dict[str, str], AfterValidator(_sheets)] = Field(
        {}, description="Instead of `query`, for a workbook: SQL files by the names of their sheets"
    )
    format: Format | None = Field(None, description="Default: what the name's ending means")
    overwrite: bool = Field(
        True, description="`false`: it is an error when a file with other content is there"
    )
    header: bool = Field(True, description="Names of the columns come first; xlsx, csv and tsv")
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = Field(
        None, min_length=1, max_length=1, description="Between fields of csv; default a comma"
    )
    compression: Packing | None = Field(
        None,
        description="Default: `gzip` for a name that ends in `.gz`, `snappy` for parquet",
    )

    def sql_files(self) -> list[str]:
        """The queries."""
        return list(self.sheets.values()) if self.sheets else [self.query or ""]

    def texts(self) -> list[str]:
        """The file's name."""
        return [self.file]

    @property
    def kind(self) -> Format:
        """The file's format. Raises ValueError when nothing says which."""
        kind = self.format or _ENDINGS.get(PurePosixPath(self._unpacked).suffix)
        if kind is None:
            known = ", ".join(_ENDINGS)
            raise ValueError(f"the ending of {self.file} is none of {known}; give `format`")
        return kind

    @property
    def packing(self) -> Packing | None:
        """The compression; None where the format has its own."""
        if self.compression is not None:
            return self.compression
        if self.file.lower().endswith(".gz"):
            return "gzip"
        return "snappy" if self.kind == "parquet" else None

    @property
    def _unpacked(self) -> str:
        return self.file.lower().removesuffix(".gz")

    @model_validator(mode="after")
    def _goes_together(self) -> ExportOptions:
        kind = self.kind
        if bool(self.query) == bool(self.sheets):
            raise ValueError("give `query`, or `sheets` for a workbook of several")
        if self.sheets and kind != "xlsx":
            raise ValueError(f"`sheets` are for a workbook; a {kind} file has one `query`")
        if self.delimiter and kind != "csv":
            raise ValueError(f"`delimiter` is for csv; the file is {kind}")
        if not self.header and kind in ("ndjson", "parquet"):
            raise ValueError(f"`header` is for xlsx, csv and tsv; the file is {kind}")
        if self.packing is not None and self.packing not in _PACKED_AS[kind]:
            packed = ", ".join(_PACKED_AS[kind]) or "no other, it is packed already"
            raise ValueError(f"{kind} with {self.packing}; it can have: {packed}")
        return self


class ExportAgent(Agent[ExportOptions]):
    """Writes a file aside, and has it renamed right before the job's commit."""

    name = "export"
    options = ExportOptions

    def run(self, context: Context, options: ExportOptions) -> LoadResult:
        """Writes the file, unless it is there and would be just as it is.

        Raises JobError when it cannot be written, or a value has no place in it.
        """
        if context.backfill is not None:
            raise WrongBackfill("--from and --to need an action with a `watermark`")
        place = open_place(context.warehouse, options.connection or context.action.connection)
        context.job.exit_stack.enter_context(context.stoppable(place.stop))
        name = render_name(context, options.file)
        there = place.there(name)
        if there is not None and place.is_folder:
            check_closed(place, there, "written")
        mark = own_mark(context)
        clear_leftovers(place, name, mark)
        local = context.job.exit_stack.enter_context(working_folder(context)) / "export"
        with naming_file(name), context.session.cursor() as cursor:
            rows, notes = _Writing(context, options, cursor, place).write(local)
            sha256 = content_hash(local)
        state = {"name": name, "root": place.root, "sha256": sha256}
        if there is not None and _is_as_left(there, state, context.state_before.entries.get(_ITEM)):
            found = f"{name} in {place} would be as it is, and was not written again"
            return LoadResult(rows, (found, *notes), changed=False)
        if there is not None and not options.overwrite:
            _check_same(place, there, sha256, local.parent)
        context.job.exit_stack.enter_context(_remembered(context, place, state))
        context.job.exit_stack.enter_context(placing(place, local, name, f"{mark}0.new"))
        size = local.stat().st_size
        written = f"{name} ({size:,} bytes) to {place}"
        return LoadResult(rows, (written, *notes), data={"file": name, "bytes": size})


class _Writing:
    """One file while it is written."""

    def __init__(
        self, context: Context, options: ExportOptions, cursor: Cursor, place: Place
    ) -> None:
        self._context, self._options, self._cursor = context, options, cursor
        self._check = place.watched().call

    def write(self, path: Path) -> tuple[int, list[str]]:
        """Returns the number of rows, and what became of values that the format does not know."""
        options = self._options
        packed = options.packing == "gzip"
        match options.kind:
            case "xlsx":
                from dapu.exporting.write_workbook import write_workbook

                return write_workbook(self._sheets(), path, header=options.header)
            case "ndjson":
                return write_ndjson(self._query(options.query), path, packed=packed), []
            case "parquet":
                from dapu.exporting.parquet import write_parquet

                packing = options.packing or "none"
                return write_parquet(self._query(options.query), path, packing), []
            case "csv" | "tsv" as kind:
                query = self._query(options.query)
                sign = "\t" if kind == "tsv" else options.delimiter or ","
                rows = write_csv(query, path, delimiter=sign, header=options.header, packed=packed)
                return rows, []

    def _sheets(self) -> dict[str, Query]:
        if self._options.sheets:
            return {title: self._query(file) for title, file in self._options.sheets.items()}
        return {self._context.table.table[:LONGEST_TITLE]: self._query(self._options.query)}

    def _query(self, file: str | None) -> Query:
        assert file is not None  # the options have seen to it
        context = self._context
        query = context.sql(file).without_end().composed()

        def explained(text: str, error: psycopg2.Error) -> str:
            return str(
                fault_in_statement(context.action.folder / file, ScriptStatement(1, text), error)
            )

        return Query(self._cursor, query, file, self._check, explained)


def _is_as_left(there: FoundFile, state: State, before: State | None) -> bool:
    """Whether the file is what the last run put there, and has just this content."""
    left = state | {"size": there.size, "stamp": there.stamp}
    return before == left


def _check_same(place: Place, there: FoundFile, sha256: str, folder: Path) -> None:
    if content_hash(place.local(there, folder)) != sha256:
        raise JobError(
            f"{there.name} is in {place} already, with other content, and `overwrite: false` keeps "
            "it: move it away, or give the file another name"
        )


@contextmanager
def _remembered(context: Context, place: Place, state: State) -> Iterator[None]:
    """Remembers how the file is once it has its name."""
    yield
    found = place.there(state["name"])
    if found is not None:
        left = state | {"size": found.size, "stamp": found.stamp}
        remember(context, {_ITEM: left})
