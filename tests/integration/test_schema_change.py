"""When the source's columns change."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.definitions.templates import TableName
from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.loading.rows import Column, CopyRows

NAME = TableName("staging", "item")


def put(
    session: PgSession,
    columns: dict[str, str],
    line: str,
    *,
    has_steps: bool = False,
    **options: Any,
) -> str:
    wanted = LoadOptions.model_validate({"do": "database", **options})

    def write(file: Any) -> None:
        file.write(f"{line}\n".encode())

    rows = CopyRows([Column(*pair) for pair in columns.items()], "csv", write)
    with session, session.cursor() as cursor:
        return str(load(cursor, NAME, rows, wanted, has_steps=has_steps))


def table(session: PgSession) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    with session, session.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = 'staging.item'::regclass and attnum > 0 order by attnum"
        )
        types = dict(cursor.fetchall())
        cursor.execute("select * from staging.item order by 1")
        return types, cursor.fetchall()


@pytest.mark.parametrize("mode", [
    {"load": "replace"}, {"load": "append"}, {"load": "merge", "key": ["id"]},
    {"load": "snapshot", "key": ["id"]}, {"load": "history", "key": ["id"]},
])  # fmt: skip
def test_new_columns_are_added_and_narrow_ones_widened(
    connection: PgSession, mode: dict[str, Any]
) -> None:
    put(connection, {"id": "integer"}, "1", **mode)
    result = put(connection, {"id": "bigint", "Größe": "numeric(4,1)"}, "5000000000,2.5", **mode)
    assert "the new column Größe (numeric(4,1)) is added" in result
    assert "the column id is widened from integer to bigint" in result
    types, rows = table(connection)
    assert types["id"] == "bigint"
    assert types["Größe"] == "numeric(4,1)"
    assert 5000000000 in [row[0] for row in rows]


def test_new_columns_can_be_ignored_or_refused(connection: PgSession) -> None:
    put(connection, {"id": "bigint"}, "1")
    two = {"id": "bigint", "extra": "text"}
    result = put(connection, two, "2,x", schema_change={"added": "ignore"})
    assert "the new column extra is left out" in result
    assert table(connection) == ({"id": "bigint"}, [(2,)])
    with pytest.raises(JobError, match=r'alter table staging.item add column "extra" text;'):
        put(connection, two, "2,x", schema_change={"added": "fail"})


def test_columns_that_are_gone_stay_empty_or_are_refused(connection: PgSession) -> None:
    put(connection, {"id": "bigint", "old": "text"}, "1,x")
    put(connection, {"id": "bigint"}, "2")
    assert table(connection)[1] == [(2, None)]
    with pytest.raises(JobError, match=r'alter table staging.item drop column "old";'):
        put(connection, {"id": "bigint"}, "3", schema_change={"removed": "fail"})


def test_a_table_with_steps_is_not_altered_unasked(connection: PgSession) -> None:
    put(connection, {"id": "integer"}, "1")
    with pytest.raises(JobError, match="put this into the next step in ver/: alter table"):
        put(connection, {"id": "integer", "new": "text"}, "1,x", has_steps=True)
    with pytest.raises(JobError, match=r'alter table staging.item alter column "id" type bigint;'):
        put(connection, {"id": "bigint"}, "1", has_steps=True)
    put(connection, {"id": "bigint"}, "1", has_steps=True, schema_change={"retyped": "widen"})
    assert table(connection)[0] == {"id": "bigint"}


def test_a_view_that_hinders_a_wider_column_is_told(connection: PgSession) -> None:
    put(connection, {"id": "integer"}, "1")
    with connection, connection.cursor() as cursor:
        cursor.execute("create view staging.v as select id from staging.item")
    by_hand = 'drop view staging.v; alter table staging.item alter column "id" type bigint;'
    with pytest.raises(JobError, match=f"cannot alter type .* in one transaction: {by_hand}"):
        put(connection, {"id": "bigint"}, "1")


def test_names_that_postgresql_would_cut_are_refused(connection: PgSession) -> None:
    long = "ä" * 32
    with pytest.raises(JobError, match=f"`{long}` for staging.item has a name of more than 63"):
        put(connection, {"id": "integer", long: "text"}, "1,x")


def test_floats_that_become_numerics_keep_each_digit(connection: PgSession) -> None:
    before = {"id": "integer", "a": "real", "b": "double precision"}
    put(connection, before, "1,1.2345678,0.12345678901234566")
    after = {"id": "integer", "a": "numeric", "b": "numeric"}
    with pytest.raises(JobError, match='alter column "a" type numeric using "a"::text::numeric;'):
        put(connection, after, "2,1,1", has_steps=True)
    put(connection, after, "2,1,1", load="append")
    found = [[str(value) for value in row] for row in table(connection)[1]]
    assert found == [["1", "1.2345678", "0.12345678901234566"], ["2", "1", "1"]]


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("valid_from", {"load": "history", "key": ["id"]}),
        ("_deleted_at", {"load": "snapshot", "key": ["id"], "deletes": "soft"}),
        ("dapu_row", {"on_bad_value": "null"}),
    ],
)
def test_a_column_that_the_load_fills_itself_is_refused(
    connection: PgSession, column: str, options: dict[str, Any]
) -> None:
    with pytest.raises(JobError, match=f"a column `{column}`, which this way of loading fills"):
        put(connection, {"id": "integer", column: "text"}, "1,x", **options)
    put(connection, {"id": "integer", column: "text"}, "1,x")
