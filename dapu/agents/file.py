"""`do: file`: CSV, JSON, Parquet and XML files become the rows of the task's table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from dapu.agents.base import Context
from dapu.agents.files_agent import FileParts, FilesAgent
from dapu.agents.files_options import ReadingOptions
from dapu.errors import JobError
from dapu.rows.rows import Rows
from dapu.sources.files.formats.csv_dialect import CsvStyle
from dapu.sources.files.formats.csv_part import open_csv
from dapu.sources.files.formats.json_part import JsonPart, open_json
from dapu.sources.files.formats.xml_part import XmlPart
from dapu.sources.files.places.place import FoundFile
from dapu.sources.files.places.unpack import Content, Format, contents_of, format_of
from dapu.sources.files.values.convert_texts import TextStyle


class FileOptions(ReadingOptions):
    """Reads CSV, TSV, JSON, NDJSON, Parquet or XML, plain, in gzip or in zip."""

    reads: ClassVar[tuple[str, ...]] = ("file", "member", "records")

    do: Literal["file"]
    file: str = Field(
        min_length=1, description="Its name below the connection's folder, or a pattern"
    )
    format: Format | None = Field(None, description="Default: what the name's ending means")
    member: str | None = Field(
        None, description="A pattern for members of a zip archive; default all of a known format"
    )
    encoding: str | None = Field(None, description="The character set; guessed when not given")
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="Between fields; guessed when not given"
    )
    quote: Literal['"', "'", "none"] = Field(
        '"', description="Around texts that hold delimiters or line ends"
    )
    header: PositiveInt | Literal["none"] | None = Field(
        None, description="The line that names the columns; guessed when not given"
    )
    escape: Literal["\\", "none"] | None = Field(
        None,
        description="What stands before a quote within a text; `none`: the quote is doubled; "
        "guessed when not given",
    )
    comment: str | None = Field(
        None, min_length=1, description="What lines begin with that are passed over"
    )
    records: str | None = Field(
        None,
        description="Where the records are: JMESPath for JSON, a path of elements for XML, which "
        "needs it",
    )
    document: str | None = Field(
        None, description="JSON: the one column, of type jsonb, that each record goes into whole"
    )

    @model_validator(mode="after")
    def _goes_with_format(self) -> FileOptions:
        if self.document is not None and self.columns is not None:
            raise ValueError("give `document` or `columns`; `columns: {'@': name}` is the document")
        return self

    @field_validator("delimiter")
    @classmethod
    def _can_divide(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (not delimiter.isascii() or delimiter in "\r\n\0\"'"):
            raise ValueError("a delimiter is an ASCII character, and no quote or line end")
        return delimiter

    @property
    def csv_style(self) -> CsvStyle:
        """What is said of CSV files."""
        return CsvStyle(
            encoding=self.encoding,
            delimiter=self.delimiter,
            quote="" if self.quote == "none" else self.quote,
            escape="" if self.escape == "none" else self.escape,
            header=False if self.header == "none" else self.header,
            comment=self.comment,
            decimal=self.decimal,
        )


class FileAgent(FilesAgent[FileOptions]):
    """Reads text files and Parquet."""

    name = "file"
    options = FileOptions

    def __init__(self) -> None:
        self._opened: FileParts | None = None
        self._check: Callable[[], None] = lambda: None

    @contextmanager
    def read(self, context: Context, options: FileOptions) -> Iterator[Rows | None]:
        """See `FilesAgent`. Reports columns that no record of JSON or XML has a value for."""
        self._check = context.job.stops.check
        with super().read(context, options) as rows:
            yield rows
        names = self._without_values(options)
        if names:
            context.note(f"no record has a value for {', '.join(names)}: are the paths right?")

    def _without_values(self, options: FileOptions) -> list[str]:
        parts = self._opened.parts if self._opened is not None else []
        documents = [part for part in parts if isinstance(part, JsonPart | XmlPart)]
        if len(documents) < len(parts) or not any(part.has_records for part in documents):
            return []  # another format's columns are there, or the part says so
        return [
            column.name
            for key, column in options.chosen_columns().wanted or ()
            if not any(part.find(key) in part.found for part in documents)
        ]

    def wanted(self, options: FileOptions) -> str:
        """The files."""
        return options.file

    def parts(
        self, options: FileOptions, files: Sequence[tuple[FoundFile, Path]], known: set[str]
    ) -> FileParts:
        """The files, and the members of archives."""
        contents = [
            content
            for file, path in files
            for content in contents_of(file.name, path, options.member, self._check)
        ]
        formats = {options.format or _format(content) for content in contents}
        parts = FileParts(of_cells=bool(formats & {"json", "ndjson"}))
        for content in contents:
            self._add(parts, content, options, known)
        self._opened = parts
        return parts

    def _add(
        self, parts: FileParts, content: Content, options: FileOptions, known: set[str]
    ) -> None:
        style = TextStyle(options.decimal, options.dates)
        match options.format or _format(content):
            case "csv" | "tsv" as kind:
                given = options.csv_style
                if kind == "tsv" and given.delimiter is None:
                    given = CsvStyle(**{**vars(given), "delimiter": "\t"})
                part = open_csv(content, given, known)
                guessed = part.dialect.guessed
                if guessed:
                    parts.guessed.append(", ".join(guessed))
                parts.add(part, TextStyle(part.dialect.decimal, options.dates))
            case "json" | "ndjson" as kind:
                where = options.records, options.document
                by_line = kind == "ndjson"
                parts.add(open_json(content, options.encoding, *where, by_line=by_line), style)
            case "parquet":
                from dapu.sources.files.formats.parquet_part import (
                    open_parquet,  # libraries of their own
                )

                parts.add(open_parquet(content), style)
            case "xml":
                if options.records is None:
                    raise JobError(f"{content.name} is XML: say with `records` what its rows are")
                parts.add(XmlPart(content, options.records), style)


def _format(content: Content) -> Format:
    found = format_of(content.name)
    if found is None:
        raise JobError(f"{content.name}: its ending names no format; give `format`")
    return found
