"""`on_bad_value`: what becomes of values that the table's columns cannot hold.

`fail` needs nothing: COPY refuses. For `null` and `reject` the rows are staged as text, looked at
by PostgreSQL itself, and go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dapu.errors import JobError
from dapu.loading.options import LoadOptions
from dapu.loading.table.relation import Relation
from dapu.loading.values.find_row import key_of
from dapu.loading.values.reject_limit import check_rejected
from dapu.loading.values.rejected import REMARK_PATTERN, KeyRange, RejectedRows
from dapu.loading.values.scrub import BAD_BYTE, MARK, NUL, OWN_MARK, Scrubbed
from dapu.named_sql import compose, statement
from dapu.rows.display import names_a_row
from dapu.rows.exactness import exactness, is_only_known_to_postgresql
from dapu.rows.refused_value import Locate
from dapu.rows.rows import ArrowRows, Column, CopyRows, QueryRows, Rows
from dapu.statement import TableName
from dapu.text import counted

_TEXTS = sql.Identifier("pg_temp", "dapu_texts")
ROW_NUMBER = "dapu_row"  # a column of ours beside those of the rows
_HAS_IS_VALID = 160000
_OUTCOMES = {
    "fail": "with values that do not fit",
    "null": "with bad values nulled",
    "reject": "rejected",
}


@dataclass
class CheckedRows:
    """Rows that went through the policy. notes, data: what was found, for the event."""

    rows: Rows
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def apply_value_policy(
    cursor: Cursor,
    name: TableName,
    relation: Relation | None,
    rows: Rows,
    options: LoadOptions,
    key_range: sql.Composable | None = None,
    *,
    keeps_rejected: bool = True,
) -> CheckedRows:
    """Applies the policies for values that do not fit.

    relation: the target as it is, or None when it will be made from the rows' columns.
    key_range: the part of the table that was read (a condition on its first key column).
    keeps_rejected: rows that are rejected are put aside; else they are left out.
    """
    if isinstance(rows, ArrowRows):
        rows = rows.as_copy()
    if not isinstance(rows, CopyRows) or not (options.checks_values or _cuts(relation, rows)):
        return CheckedRows(rows)
    if rows.format == "binary":
        if rows.origin.again is None or not _may_refuse(relation, rows.columns, options):
            return CheckedRows(rows)  # what comes as binary has the target's own types
        rows = rows.origin.again()
    columns, locate = _typed(rows.columns, relation), rows.origin.locate
    key = key_of(options.key, relation, columns, or_first=locate is None)
    stage = _TextStage(cursor, name, columns, options, _domains(relation), key)
    stage.fill(rows, _required(relation))
    found = stage.bad_rows(locate)
    if options.on_bad_value == "reject" and keeps_rejected:
        stage.reject(key_range, locate)
    stage.check_watermark(locate)
    return CheckedRows(stage.good(), *found)


def _cuts(relation: Relation | None, rows: CopyRows) -> bool:
    """Whether a column would cut a value in silence, whatever a reader puts behind it."""
    if relation is None or rows.format == "binary":
        return False
    given = {column.name for column in rows.columns}
    types = (column.type for column in relation.columns if column.name in given)
    return any(map(is_only_known_to_postgresql, types))


def _may_refuse(relation: Relation | None, columns: Sequence[Column], options: LoadOptions) -> bool:
    """Whether the table may refuse values of its own types, of which a policy is asked."""
    if relation is None or options.on_bad_value == "fail":
        return False
    given = {column.name for column in columns}
    return any(
        column.domain is not None
        or "(" in column.type  # a length: a query's values may be longer
        or (column.required and options.on_bad_value == "reject")
        for column in relation.columns
        if column.name in given
    )


def _typed(columns: Sequence[Column], relation: Relation | None) -> list[Column]:
    types = {column.name: column.type for column in relation.columns} if relation else {}
    return [Column(column.name, types.get(column.name, column.type)) for column in columns]


def _domains(relation: Relation | None) -> dict[str, str]:
    """The domains of columns that have one: they may refuse more than their type does."""
    return {c.name: c.domain for c in relation.columns if c.domain} if relation else {}


def _required(relation: Relation | None) -> set[str]:
    return {column.name for column in relation.columns if column.required} if relation else set()


class _TextStage:
    """The rows as text in a temporary table.

    domains: of columns that have one, by name. key: the columns by which a person finds a row.
    """

    def __init__(
        self,
        cursor: Cursor,
        name: TableName,
        columns: Sequence[Column],
        options: LoadOptions,
        domains: Mapping[str, str],
        key: Sequence[str],
    ) -> None:
        self._cursor, self._name, self._columns, self._options = cursor, name, columns, options
        self._domains, self._key = domains, key
        self._valid: dict[str, sql.Composable] = {}
        self._has_own_marks = False
        self._rows = 0

    def fill(self, rows: CopyRows, required: set[str]) -> None:
        definitions = sql.SQL(", ").join(
            sql.SQL("{} text").format(sql.Identifier(column.name)) for column in self._columns
        )
        self._cursor.execute(statement("bad_value_policy.drop_texts"))
        self._cursor.execute(compose("bad_value_policy.create_texts", columns=definitions))
        if self._cursor.connection.server_version < _HAS_IS_VALID:
            self._cursor.execute(statement("bad_value_policy.create_is_valid"), {})
        nul = "" if self._options.nul_characters == "remove" else NUL

        def write(file: BinaryIO) -> None:
            scrubbed = Scrubbed(file, nul)
            rows.write(cast(BinaryIO, scrubbed))
            scrubbed.finish()
            self._has_own_marks = scrubbed.has_own_marks

        texts = replace(rows, write=write, origin=replace(rows.origin, locate=None))
        self._rows = texts.fill(self._cursor, _TEXTS, freeze=True)
        self._valid = {
            column.name: self._is_valid(column, column.name in required) for column in self._columns
        }

    def bad_rows(self, locate: Locate | None) -> tuple[list[str], dict[str, Any]]:
        """What is wrong, in a line, and with the first 20 rows for the event."""
        self._cursor.execute(
            compose(
                "bad_value_policy.bad_rows",
                reasons=self._reasons(),
                valid=self._all_valid(),
                bad_column=self._bad_column(),
                key=self._key_texts(),
            )
        )
        found = self._cursor.fetchall()
        if not found:
            return [], {}
        shown = [
            {"row": row, "what": reasons, "where": self._where(row, column, key, locate)}
            for row, reasons, column, key, _ in found
        ]
        what = _OUTCOMES[self._options.on_bad_value]
        count = counted(found[0][-1], "row")
        note = f"{count} {what}, the first: {found[0][1][0]} ({shown[0]['where']})"
        if self._options.on_bad_value == "fail":
            first = {"column": found[0][2], "bad rows": shown}
            raise JobError(f"{self._name}: {note}", first)
        if self._options.on_bad_value == "reject":
            check_rejected(self._name, self._options, found[0][-1], self._rows, note)
        return [note], {"bad rows": shown}

    def _where(
        self, row: int, column: str, key: Sequence[str | None], locate: Locate | None
    ) -> str:
        place = locate(row, column) if locate else f"row {row}"
        return place + names_a_row(dict(zip(self._key, key, strict=True)), self._key, but=column)

    def _key_texts(self) -> sql.Composable:
        return sql.SQL(", ").join(map(_shown, self._key))

    def reject(self, key_range: sql.Composable | None, locate: Locate | None) -> None:
        part = None
        if key_range is not None and self._options.key:
            key = next(c for c in self._columns if c.name == self._options.key[0])
            part = KeyRange(key, key_range, self._ask)
        rejected = RejectedRows(self._cursor, self._name)
        places = self._places(locate) if locate else {}
        reasons, valid = self._reasons(), self._all_valid()
        rejected.put(self._options, part, reasons=reasons, places=places, valid=valid)

    def _places(self, locate: Locate) -> dict[int, str]:
        pieces = {"bad_column": self._bad_column(), "valid": self._all_valid()}
        self._cursor.execute(compose("bad_value_policy.bad_places", **pieces))
        return {row: locate(row, column) for row, column in self._cursor.fetchall()}

    def check_watermark(self, locate: Locate | None) -> None:
        """Raises JobError when an append would lose a row.

        A row without a value of the watermark is read each time, and put in the place of all that
        are there without one; a row whose value becomes null here is read once only.
        """
        mark = self._options.watermark
        column = next((c for c in self._columns if mark and c.name == mark.column), None)
        if column is None or self._options.load != "append":
            return
        bad = sql.SQL("false")
        if self._options.on_bad_value == "null":
            bad = sql.SQL("not {}").format(self._valid[column.name])  # type: ignore[assignment]
        pieces = {"column": sql.Identifier(column.name), "text": self._text(column), "bad": bad}
        pieces["shown"] = _shown(column.name)
        self._cursor.execute(compose("bad_value_policy.nulled", key=self._key_texts(), **pieces))
        for row, value, key in self._cursor.fetchall():
            where = self._where(row, column.name, key, locate)
            raise JobError(
                f"{self._name}: {column.name}: {value!r} ({where}) would become null, and is of "
                "the watermark: the row would be lost with the next run; leave such rows out of "
                "the query, or let the query itself give null in its place"
            )

    def good(self) -> QueryRows:
        """The rows that go on, with the columns' own types."""
        null_bad = self._options.on_bad_value == "null"
        values = sql.SQL(", ").join(self._value(column, null_bad) for column in self._columns)
        if self._options.on_bad_value == "reject":
            query = compose("bad_value_policy.good_rows", values=values, valid=self._all_valid())
        else:
            query = compose("bad_value_policy.mended_rows", values=values)
        return QueryRows(self._columns, query)

    def _value(self, column: Column, null_bad: bool) -> sql.Composable:
        text = sql.SQL("({})::{}").format(self._text(column), sql.SQL(column.type))
        if null_bad:
            valid = self._valid[column.name]
            text = sql.SQL("case when {} then {} end").format(valid, text)
        return sql.SQL("{} as {}").format(text, sql.Identifier(column.name))

    def _text(self, column: Column) -> sql.Composable:
        name: sql.Composable = sql.Identifier(column.name)
        if self._has_own_marks:
            pieces = {"own_mark": sql.Literal(OWN_MARK), "mark": sql.Literal(MARK)}
            name = compose("bad_value_policy.unmarked", value=name, **pieces)
        if self._options.zero_dates == "null" and column.type.startswith(("date", "timestamp")):
            return sql.SQL("case when {0} not like '0000-00-00%' then {0} end").format(name)
        if self._options.nul_characters == "remove" and column.type in ("json", "jsonb"):
            return compose("bad_value_policy.without_nul", document=name)
        return name

    def _is_valid(self, column: Column, required: bool) -> sql.Composable:
        text = self._text(column)
        type_name = sql.Literal(self._domains.get(column.name, column.type))
        marks = sql.Literal(f"{BAD_BYTE}|{REMARK_PATTERN}")
        empty = sql.SQL("false" if required and self._options.on_bad_value == "reject" else "true")
        exact = exactness(column.type)
        kept = sql.SQL("true") if exact is None else exact.is_kept(text)
        valid = sql.SQL("{}({}, {})").format(self._ask, text, type_name)
        pieces = {"text": text, "empty": empty, "valid": valid, "marks": marks, "kept": kept}
        return compose("bad_value_policy.is_valid", value=sql.Identifier(column.name), **pieces)

    @property
    def _ask(self) -> sql.Composable:
        newer = self._cursor.connection.server_version >= _HAS_IS_VALID
        return sql.SQL("pg_input_is_valid" if newer else "pg_temp.dapu_is_valid")

    def _all_valid(self) -> sql.Composable:
        return sql.SQL(" and ").join(self._valid.values())

    def _reasons(self) -> sql.Composable:
        return sql.SQL(", ").join(
            compose(
                "bad_value_policy.reason",
                valid=self._valid[column.name],
                label=sql.Literal(f"{column.name}: "),
                value=sql.Identifier(column.name),
                shown=_shown(column.name),
                nul=sql.Literal(NUL),
                bad_byte=sql.Literal(BAD_BYTE),
                remark=sql.Literal(REMARK_PATTERN),
                does_not_fit=sql.Literal(f" does not fit {column.type}"),
            )
            for column in self._columns
        )

    def _bad_column(self) -> sql.Composable:
        """The first column whose value is bad."""
        cases = sql.SQL(" ").join(
            sql.SQL("when not {} then {}").format(
                self._valid[column.name], sql.Literal(column.name)
            )
            for column in self._columns
        )
        return sql.SQL("case {} end").format(cases)


def _shown(column: str) -> sql.Composable:
    """A staged value as a person reads it."""
    return compose(
        "bad_value_policy.shown",
        value=sql.Identifier(column),
        remark=sql.Literal(REMARK_PATTERN),
        bad_byte=sql.Literal(BAD_BYTE),
        own_mark=sql.Literal(OWN_MARK),
        mark=sql.Literal(MARK),
    )
