"""What the agents that read files share: which files are read, and what becomes of their rows."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.agents.base import Context, SourceAgent
from dapu.agents.files_options import ReadingOptions
from dapu.checksum import sha256_of
from dapu.errors import Fault, JobError, WrongBackfill
from dapu.loading.table.relation import Relation, columns_of_query, describe
from dapu.loading.values.bad_value_policy import apply_value_policy
from dapu.named_sql import compose
from dapu.rows.hashed_columns import with_hashes
from dapu.rows.masked_columns import with_masks
from dapu.rows.rows import ArrowRows, Column, CopyRows, QueryRows, Rows, column_definitions
from dapu.sources.files.column_options import ORIGIN
from dapu.sources.files.combine import Gathering, in_plain_words
from dapu.sources.files.part import FilePart
from dapu.sources.files.places.changed_files import Reading, state_of, what_to_read
from dapu.sources.files.places.in_use import check_settled, check_unchanged
from dapu.sources.files.places.place import FoundFile, Place, open_place
from dapu.sources.files.values.convert_texts import TextStyle
from dapu.statement import Statement, TableName
from dapu.text import counted

Options = TypeVar("Options", bound=ReadingOptions)
_ROWS = TableName("pg_temp", "dapu_rows")
_SHOWN = 5  # names of files in an event


@dataclass
class FileParts:
    """What the files hold.

    styles: how the texts of each part are written. guessed: what of that nobody had said.
    """

    of_cells: bool
    parts: list[FilePart[Any]] = field(default_factory=list)
    styles: list[TextStyle] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)

    def add(self, part: FilePart[Any], style: TextStyle) -> None:
        """One more."""
        self.parts.append(part)
        self.styles.append(style)


class FilesAgent(SourceAgent[Options]):
    """Reads files of a `files` connection into the task's table."""

    @abstractmethod
    def wanted(self, options: Options) -> str:
        """The name or pattern of the files."""

    @abstractmethod
    def parts(
        self, options: Options, files: Sequence[tuple[FoundFile, Path]], known: set[str]
    ) -> FileParts:
        """Opens the files. known: names that columns have."""

    def statements(self, context: Context, options: Options) -> dict[str, Statement]:
        """See `Agent`."""
        return {file: context.sql(file, rows=_ROWS) for file in options.sql_files()}

    @contextmanager
    def read(self, context: Context, options: Options) -> Iterator[Rows | None]:
        """The rows of the files; None when all are as the last run left them.

        Raises JobError when a file is missing, open elsewhere, broken, or changes meanwhile.
        """
        if context.backfill is not None:
            raise WrongBackfill("--from and --to need an action with a `watermark`")
        place = open_place(context.warehouse, options.connection or context.action.connection)
        with ExitStack() as stack:
            stack.enter_context(context.stoppable(place.stop))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dapu-")))
            cursor = stack.enter_context(context.session.cursor())
            run = _FilesRun(context, options, self.wanted(options), place, folder, cursor)
            reading = run.plan()
            if not reading.files:
                context.state_after.entries.update(reading.remember)
                yield None
                return
            check_settled(place, reading.files)
            files = [(file, place.local(file, folder)) for file in reading.files]
            hashes = stack.enter_context(_hashes(files, context.job.stops.check))
            parts = self.parts(options, files, run.known_names())
            run.note_reading(parts)
            gathering = run.gathering(parts)
            rows = gathering.rows()
            run.delete_replaced(reading)
            try:
                with run.queried(rows) as result:
                    yield result
            except JobError as error:
                raise in_plain_words(error, gathering.kinds) from error
            check_unchanged(place, reading.files)
            context.state_after.entries.update(reading.remember)
            for file, sha256 in zip(reading.files, hashes, strict=True):
                before = context.state_before.entries.get(file.name) if run.adds else None
                state = state_of(file, sha256.result(), run.how, before)
                context.state_after.entries[file.name] = state


@contextmanager
def _hashes(
    files: Sequence[tuple[FoundFile, Path]], check: Callable[[], None]
) -> Iterator[list[Future[str]]]:
    """The files' hashes, worked out while the files are read, and no longer.

    check: raises what ends the job.
    """
    is_left = threading.Event()

    def go_on() -> None:
        check()
        if is_left.is_set():  # the reading failed
            raise CancelledError

    with ThreadPoolExecutor(1, "dapu-hash") as thread:
        try:
            yield [thread.submit(sha256_of, path, go_on) for _, path in files]
        finally:
            is_left.set()


class _FilesRun:
    """One reading of the files."""

    def __init__(
        self,
        context: Context,
        options: ReadingOptions,
        wanted: str,
        place: Place,
        folder: Path,
        cursor: Cursor,
    ) -> None:
        self._context, self._options, self._wanted = context, options, wanted
        self._place, self._folder, self._cursor = place, folder, cursor
        self._target: Relation | None = describe(cursor, context.table)
        self.how = self._how()

    @property
    def _appends(self) -> bool:
        return self._options.load == "append"

    @property
    def adds(self) -> bool:
        """Whether the rows of a file's earlier content stay when it changes."""
        return self._appends and not self._replaces_changed

    @property
    def _origin(self) -> bool:
        given = self._options.origin
        return given if given is not None else self._appends or self._is_pattern

    @property
    def _is_pattern(self) -> bool:
        return any(character in self._wanted for character in "*?[")

    def _how(self) -> str:
        """A mark of the definition: when it changes, files are read though they did not."""
        text = self._options.model_dump_json()
        for file in self._options.sql_files():
            text += (self._context.action.folder / file).read_text("utf-8")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def plan(self) -> Reading:
        """Which files are to be read now."""
        seen = self._context.state_before.entries if self._target is not None else {}
        found = self._place.find(self._wanted)
        if not found and not (self._appends and self._is_pattern):
            what = "no file matches" if self._is_pattern else "there is no file"
            raise JobError(f"{what} {self._wanted} in {self._place}")
        check = self._context.job.stops.check
        return what_to_read(
            found,
            seen,
            self.how,
            lambda file: sha256_of(self._place.local(file, self._folder), check),
            only_new=self._appends,
            adds=self.adds,
        )

    def known_names(self) -> set[str]:
        """Names that columns have, in the definition or in the table."""
        in_table = {column.name for column in self._target.columns} if self._target else set()
        return in_table | set(self._options.columns or {})

    def note_reading(self, parts: FileParts) -> None:
        """Says what is read, and what was guessed."""
        labels = [part.file + (f" ({part.sheet})" if part.sheet else "") for part in parts.parts]
        more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
        text = f"reads {', '.join(labels[:_SHOWN])}{more} from {self._place}"
        if parts.guessed:
            text += f"; guessed: {'; '.join(dict.fromkeys(parts.guessed))}"
        self._context.note(text)

    def gathering(self, parts: FileParts) -> Gathering:
        """The parts as one."""
        # The table's types say nothing of rows that go through a query first.
        target = self._target.columns if self._target and not self._options.query else ()
        return Gathering(
            parts.parts,
            self._options.chosen_columns(),
            {column.name: column.type for column in target},
            parts.styles,
            of_cells=parts.of_cells,
            has_steps=self._context.action.has_steps,
            origin=self._origin,
            hash_key=self._context.hash_key,
        )

    def delete_replaced(self, reading: Reading) -> None:
        """Before an append: rows of files that are read again are deleted.

        Raises JobError when nothing says which these are.
        """
        has_file = self._target and any(c.name == ORIGIN[0] for c in self._target.columns)
        if not self._appends or not has_file:
            return
        # Without any memory (the first run, `--full`) every file may have been read before.
        names = (
            reading.changed
            if self._context.state_before.entries
            else [file.name for file in reading.files]
        )
        pieces = {"table": self._context.table.identifier, "file": sql.Identifier(ORIGIN[0])}
        if self._replaces_changed:
            self._cursor.execute(compose("files.delete_rows", **pieces), {"names": names})
            if self._cursor.rowcount:
                self._context.note(
                    f"{counted(self._cursor.rowcount, 'row')} of files that were read before "
                    "replaced"
                )
        elif not self._context.state_before.entries:
            self._cursor.execute(compose("files.has_rows", **pieces), {"names": names})
            row = self._cursor.fetchone()
            if row and row[0]:
                raise JobError(
                    f"{self._context.table} has rows of {', '.join(names[:_SHOWN])} already, and "
                    "dapu does not remember of which content; delete those rows first, or give "
                    "`changed: replace`"
                )

    @property
    def _replaces_changed(self) -> bool:
        given = self._options.changed
        return given == "replace" or (given is None and self._is_pattern)

    @contextmanager
    def queried(self, rows: ArrowRows) -> Iterator[Rows]:
        """The result of `query` over the rows, or the rows themselves."""
        file = self._options.query
        if file is None:
            self._check_origin(rows.columns)
            yield rows
            return
        table = sql.Identifier(_ROWS.table)
        self._fill(table, rows)
        try:
            query = self._context.sql(file, rows=_ROWS).without_end().composed()
            result = QueryRows(columns_of_query(self._cursor, query), query)
            self._check_origin(result.columns)
            with tempfile.TemporaryFile(dir=self._folder) as spool:
                yield self._hidden(result, {column.name for column in rows.columns}, spool)
        except (psycopg2.Error, JobError) as error:
            cause = error.__cause__ if isinstance(error, JobError) else error
            if not isinstance(cause, psycopg2.Error) or isinstance(
                cause, psycopg2.errors.QueryCanceled | psycopg2.OperationalError
            ):
                raise
            reason = cause.diag.message_primary or str(cause)
            line = self._context.sent.line_of(cause)
            raise JobError(str(Fault(self._context.action.folder / file, line, reason))) from error
        self._cursor.execute(compose("table.drop", table=table))

    def _hidden(self, result: QueryRows, read: set[str], spool: IO[bytes]) -> Rows:
        """The result with hashes and masks of what the query computed, which takes it through dapu.

        read: columns that were read, so that theirs are made. spool: a file for the result.
        """
        options = self._options
        hashed = [name for name in options.hash if name not in read]
        masked = {name: how for name, how in options.mask.items() if name not in read}
        if not hashed and not masked:
            return result
        plain = sql.SQL("format text")
        text = compose("copy.to_stdout", query=result.query, options=plain).as_string(self._cursor)
        self._cursor.copy_expert(text, spool)
        spool.seek(0)
        rows = CopyRows(result.columns, "text", partial(shutil.copyfileobj, spool))
        return with_masks(with_hashes(rows, hashed, self._context.hash_key), masked)

    def _fill(self, table: sql.Identifier, rows: ArrowRows) -> None:
        definitions = column_definitions(rows.columns)
        self._cursor.execute(compose("copy.create_whole", whole=table, columns=definitions))
        checked = apply_value_policy(self._cursor, self._context.table, None, rows, self._options)
        checked.rows.fill(self._cursor, table)
        for note in checked.notes:
            self._context.note(note, checked.data)

    def _check_origin(self, columns: Sequence[Column]) -> None:
        if self._appends and not any(column.name == ORIGIN[0] for column in columns):
            raise JobError(
                f"`load: append` needs the column {ORIGIN[0]}, by which the rows of a file are "
                f"found again; let the query give it"
            )
