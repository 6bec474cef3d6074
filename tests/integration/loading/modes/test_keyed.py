"""The load strategies with a key: merge, snapshot, history. Only differences are written."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.rows.rows import Column, CopyRows
from dapu.statement import TableName

NAME = TableName("staging", "customer")
COLUMNS = [Column("id", "bigint"), Column("name", "text"), Column("score", "numeric")]


def put(session: PgSession, lines: str, **options: Any) -> str:
    """Loads lines `id,name,score` of CSV with the key `id`."""

    def write(file: Any) -> None:
        file.write("".join(f"{line}\n" for line in lines.split()).encode())

    wanted = LoadOptions.model_validate({"do": "database", "key": ["id"], **options})
    with session, session.cursor() as cursor:
        return str(load(cursor, NAME, CopyRows(COLUMNS, "csv", write), wanted))


def table(session: PgSession, columns: str = "id, name, score::text") -> list[tuple[Any, ...]]:
    with session, session.cursor() as cursor:
        cursor.execute(f"select {columns} from staging.customer order by 1, 2")
        return cursor.fetchall()


def test_merge_writes_what_is_new_or_changed(connection: PgSession) -> None:
    assert put(connection, "1,ann,1 2,bob,2", load="merge") == "2 rows, table made"
    before = dict(table(connection, "id, ctid::text"))
    result = put(connection, "1,ann,1 2,bo,2 3,cid,", load="merge")
    assert result == "3 rows, 1 inserted, 1 updated, 1 unchanged"
    assert table(connection) == [(1, "ann", "1"), (2, "bo", "2"), (3, "cid", None)]
    after = dict(table(connection, "id, ctid::text"))
    assert after[1] == before[1], "a row that did not change is not written"


def test_merge_sees_a_difference_that_only_the_text_shows(connection: PgSession) -> None:
    put(connection, "1,ann,1.0", load="merge")
    assert "1 updated" in put(connection, "1,ann,1.00", load="merge")
    assert table(connection) == [(1, "ann", "1.00")]


@pytest.mark.parametrize("load_mode", ["merge", "snapshot", "history"])
def test_a_key_whose_text_alone_changes_is_written(connection: PgSession, load_mode: str) -> None:
    put(connection, "1,ann,1.0 2,bob,2", load=load_mode, key=["score"])
    put(connection, "1,ann,1.00 2,bob,2", load=load_mode, key=["score"])
    now = "where is_current" if load_mode == "history" else ""
    with connection, connection.cursor() as cursor:
        cursor.execute(f"select score::text from staging.customer {now} order by 1")
        assert cursor.fetchall() == [("1.00",), ("2",)]


@pytest.mark.parametrize("load_mode", ["merge", "snapshot", "history"])
def test_of_rows_with_one_key_the_newest_stays(connection: PgSession, load_mode: str) -> None:
    newest = {} if load_mode == "snapshot" else {"watermark": {"column": "score"}}
    put(connection, "1,new,5 1,old,4", load=load_mode, **newest)
    expected = "old" if load_mode == "snapshot" else "new"  # without a watermark: the last read
    assert table(connection, "id, name") == [(1, expected)]
    result = put(connection, "1,b,9 1,a,8", load=load_mode, **newest)
    assert "1 left out, since another row has their key" in result
    assert " unchanged" not in result or "0 unchanged" in result
    assert (1, "a" if load_mode == "snapshot" else "b") in table(connection, "id, name")


def test_keys_that_are_too_long_for_an_index_are_kept_apart(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create schema staging")
        cursor.execute("create table staging.customer (id text, name text, score numeric)")
    long = "".join(sha256(str(number).encode()).hexdigest() for number in range(200))
    put(connection, f"{long}1,ann,1 {long}2,bob,2 {long}2,bo,2", load="snapshot")
    result = put(connection, f"{long}1,ann,1 {long}2,bob,2", load="snapshot")
    assert result == "2 rows, 0 inserted, 1 updated, 0 deleted, 1 unchanged"


def test_a_row_without_a_key_is_refused(connection: PgSession) -> None:
    put(connection, "1,ann,1", load="merge")
    with pytest.raises(JobError, match=r"1 row for staging.customer without a value in the key"):
        put(connection, ",nobody,1", load="merge")


def test_a_key_that_the_query_does_not_give_is_named(connection: PgSession) -> None:
    with pytest.raises(JobError, match="key column number of staging"):
        put(connection, "1,ann,1", load="merge", key=["number"])


def test_snapshot_deletes_what_the_source_no_longer_has(connection: PgSession) -> None:
    put(connection, "1,ann,1 2,bob,2 3,cid,3", load="snapshot")
    result = put(connection, "1,ann,1 3,kid,3 4,dan,4", load="snapshot")
    assert result == "3 rows, 1 inserted, 1 updated, 1 deleted, 1 unchanged"
    assert table(connection, "id, name") == [(1, "ann"), (3, "kid"), (4, "dan")]
    assert put(connection, "", load="snapshot").startswith("0 rows, 0 inserted, 0 updated, 3 del")


def test_snapshot_marks_what_the_source_no_longer_has_and_unmarks_what_is_back(
    connection: PgSession,
) -> None:
    soft = {"load": "snapshot", "deletes": "soft"}
    put(connection, "1,ann,1 2,bob,2", **soft)
    put(connection, "1,ann,1", **soft)
    marked = table(connection, "id, _deleted_at is not null")
    assert marked == [(1, False), (2, True)]
    when = table(connection, "id, _deleted_at::text")
    assert put(connection, "1,ann,1", **soft) == (
        "1 row, 0 inserted, 0 updated, 0 deleted, 1 unchanged"
    )
    assert table(connection, "id, _deleted_at::text") == when, "the time of the deletion stays"
    put(connection, "1,ann,1 2,bob,2", **soft)
    assert table(connection, "id, _deleted_at is not null") == [(1, False), (2, False)]


def test_history_keeps_every_version(connection: PgSession) -> None:
    versions = "id, valid_from, name, is_current, began_by, ended_by, valid_to is not null"
    put(connection, "1,ann,1 2,bob,2", load="history")
    put(connection, "1,anna,1 2,bob,2", load="history")
    put(connection, "1,anna,1", load="history")
    put(connection, "1,anna,1 2,bob,2", load="history")
    shown = [(row[0], *row[2:]) for row in table(connection, versions)]
    assert shown == [
        (1, "ann", False, "new", "changed", True),
        (1, "anna", True, "changed", None, False),
        (2, "bob", False, "new", "gone", True),
        (2, "bob", True, "returned", None, False),
    ]
    gaps = "id, valid_from, valid_to, lead(valid_from) over (partition by id order by valid_from)"
    for _, start, end, following in table(connection, gaps):
        assert end is None or (start < end <= following)


def test_what_a_table_needs_for_a_history_is_reported_at_once(connection: PgSession) -> None:
    put(connection, "1,ann,1", load="merge")
    with pytest.raises(JobError, match=r"no columns valid_from, .*: alter table .*;$") as told:
        put(connection, "1,ann,1", load="history")
    with connection, connection.cursor() as cursor:
        cursor.execute("alter" + str(told.value).partition(": alter")[2])
    with pytest.raises(JobError, match=r"primary key .* \(id\) has room for one version of a row"):
        put(connection, "1,ann,1", load="history")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "alter table staging.customer drop constraint customer_pkey,"
            "add primary key (id, valid_from)"
        )
    assert "0 versions begun" in put(connection, "1,ann,1", load="history")
    assert "1 versions begun, 1 ended" in put(connection, "1,anna,1", load="history")


@pytest.mark.parametrize("load_mode", ["merge", "history", "append"])
def test_a_watermark_in_other_letters_than_the_column_is_reported(
    connection: PgSession, load_mode: str
) -> None:
    mark = {"column": "Score"}
    with pytest.raises(JobError, match=r"column Score is not in .*; did you mean `score`"):
        put(connection, "1,ann,1", load=load_mode, watermark=mark)
    with pytest.raises(JobError, match=r"key column Id of .* is not in .*; did you mean `id`"):
        put(connection, "1,ann,1", load="merge", key=["Id"])


def test_history_of_what_was_read_since_a_watermark_ends_nothing_else(
    connection: PgSession,
) -> None:
    changes = {"load": "history", "watermark": {"column": "score"}}
    put(connection, "1,ann,1 2,bob,2", **changes)
    put(connection, "2,bobby,3", **changes)
    current = [row for row in table(connection, "id, name, is_current") if row[2]]
    assert current == [(1, "ann", True), (2, "bobby", True)]


@pytest.mark.parametrize("load_mode", ["append", "merge", "snapshot", "history"])
def test_a_key_needs_not_be_simple(connection: PgSession, load_mode: str) -> None:
    key = {"load": load_mode, "key": ["id", "name"]}
    put(connection, "1,a,1 1,b,1", **key)
    if load_mode != "append":
        put(connection, "1,a,1 1,b,2", **key)
    assert {row[:2] for row in table(connection, "id, name")} == {(1, "a"), (1, "b")}


def test_what_does_not_go_together_is_refused_before_anything_runs() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"load": "merge"}, "needs `key`"),
        ({"load": "merge", "key": ["id", "id"]}, "names id twice"),
        ({"load": "replace", "watermark": {"column": "id"}}, "needs all rows"),
        ({"load": "period"}, "needs `period:"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            LoadOptions.model_validate({"do": "x", **options})


@pytest.mark.parametrize("load_mode", ["replace", "append", "merge"])
def test_a_type_without_order_cannot_be_a_key(connection: PgSession, load_mode: str) -> None:
    def write(file: Any) -> None:
        file.write(b"(1,2)\n")

    rows = CopyRows([Column("place", "point")], "text", write)
    options = LoadOptions.model_validate({"do": "x", "load": load_mode, "key": ["place"]})
    with (
        pytest.raises(JobError, match=r"\(place\) cannot be a key: data type point has no"),
        connection,
        connection.cursor() as cursor,
    ):
        load(cursor, NAME, rows, options)


@pytest.mark.parametrize("load_mode", ["replace", "append"])
def test_what_cannot_be_a_key_is_reported_with_what_to_do(
    connection: PgSession, load_mode: str
) -> None:
    with pytest.raises(JobError, match=r"\(id\)=\(1\) .*; give a `key` that identifies"):
        put(connection, "1,ann,1 1,bob,2", load=load_mode)
    with pytest.raises(JobError, match=r"each row needs a v|no value for the column id"):
        put(connection, ",ann,1", load=load_mode)
    with pytest.raises(JobError, match="the key column nope of"):
        put(connection, "1,ann,1", load=load_mode, key=["nope"])
