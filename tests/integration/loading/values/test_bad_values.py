"""Values that PostgreSQL cannot hold: a policy, not an accident."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.errors import JobError
from dapu.loading.load import load
from dapu.loading.options import LoadOptions
from dapu.loading.result import LoadResult
from dapu.rows.rows import Column, CopyRows, RowOrigin
from dapu.statement import TableName

NAME = TableName("staging", "reading")
COLUMNS = [Column("id", "bigint"), Column("at", "date"), Column("note", "character varying(5)")]


def put(session: PgSession, lines: bytes, columns: Any = None, **options: Any) -> LoadResult:
    def write(file: Any) -> None:
        for start in range(0, len(lines), 7):  # cut anywhere, as a network does
            file.write(lines[start : start + 7])

    wanted = LoadOptions.model_validate({"do": "database", "load": "append", **options})
    with session, session.cursor() as cursor:
        return load(cursor, NAME, CopyRows(columns or COLUMNS, "csv", write), wanted)


def fetch(session: PgSession, query: str) -> list[tuple[Any, ...]]:
    with session, session.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


LINES = b"1,2024-02-29,abc\n2,2023-02-29,abc\n3,,abcdef\nx,2024-01-01,\n"


def test_fail_is_the_default_and_names_column_row_and_value(connection: PgSession) -> None:
    told = r'column at of staging.reading cannot hold "2023-02-29" \(row 2\)'
    with pytest.raises(JobError, match=told):
        put(connection, LINES)
    assert fetch(connection, "select to_regclass('staging.reading')::text") == [(None,)]
    merge = {"load": "merge", "key": ["id"]}
    put(connection, LINES[:17], **merge)
    with pytest.raises(JobError, match=told):
        put(connection, LINES, **merge)


def test_null_replaces_bad_values(connection: PgSession) -> None:
    result = put(connection, LINES, on_bad_value="null")
    assert fetch(connection, "select id, at::text, note from staging.reading order by id") == [
        (1, "2024-02-29", "abc"),
        (2, None, "abc"),
        (3, None, None),
        (None, "2024-01-01", None),
    ]
    assert "3 rows with bad values nulled, the first: at: '2023-02-29'" in str(result)
    assert "(row 2, id 2)" in str(result), "what a person finds the row by"
    places = [(row["row"], row["where"]) for row in result.data["bad rows"]]
    assert places == [(2, "row 2, id 2"), (3, "row 3, id 3"), (4, "row 4")]


def test_rejected_rows_are_kept_aside_with_the_reason(connection: PgSession) -> None:
    result = put(connection, LINES, on_bad_value="reject")
    assert fetch(connection, "select id from staging.reading") == [(1,)]
    assert "3 rows rejected" in str(result)
    rejected = fetch(
        connection, "select reason, record from staging.reading__rejected order by record->>'id'"
    )
    assert rejected == [
        ("at: '2023-02-29' does not fit date", {"id": "2", "at": "2023-02-29", "note": "abc"}),
        (
            "note: 'abcdef' does not fit character varying(5)",
            {"id": "3", "at": None, "note": "abcdef"},
        ),
        ("id: 'x' does not fit bigint", {"id": "x", "at": "2024-01-01", "note": None}),
    ]


def test_a_row_without_a_value_that_must_be_is_rejected_too(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "create schema staging; create table staging.reading "
            "(id bigint not null, at date, note varchar(5))"
        )
    put(connection, b",2024-01-01,a\n2,2024-01-01,b\n", on_bad_value="reject")
    assert fetch(connection, "select reason from staging.reading__rejected") == [
        ("id: no value does not fit bigint",)
    ]


def test_a_replace_keeps_only_its_own_rejected_rows(connection: PgSession) -> None:
    for _ in range(2):
        put(connection, LINES, load="replace", on_bad_value="reject")
    assert fetch(connection, "select count(*) from staging.reading__rejected") == [(3,)]


def test_text_that_is_not_utf8_and_nul_characters_are_bad_values(connection: PgSession) -> None:
    lines = b"1,,a\xffb\n2,,\xe2\x82\xac\n3,,a\x00b\n4,,\xe2\x82\n"
    with pytest.raises(JobError, match="invalid byte sequence"):
        put(connection, lines)
    put(connection, lines, on_bad_value="null")
    assert fetch(connection, "select id, note from staging.reading order by id") == [
        (1, None),
        (2, "€"),
        (3, None),
        (4, None),
    ]


def test_what_is_not_text_is_rejected_with_a_reason_and_a_value_to_read(
    connection: PgSession,
) -> None:
    lines = "1,,'\udcff\ufdd0\n2,,it's\0\n3,,\ufdd0abcde\n".encode("utf-8", "surrogateescape")
    result = put(connection, lines, on_bad_value="reject")
    query = "select reason, record ->> 'note' from staging.reading__rejected order by record->>'id'"
    assert fetch(connection, query) == [
        ("note: ''\\xff\ufdd0' is not UTF-8", "'\\xff\ufdd0"),
        ("note: 'it's\\x00' has a NUL character", "it's\\x00"),
        ("note: '\ufdd0abcde' does not fit character varying(5)", "\ufdd0abcde"),
    ]
    assert "the first: note: ''\\xff\ufdd0' is not UTF-8 (row 1, id 1)" in str(result)


@pytest.mark.parametrize(
    "policy",
    [{"on_bad_value": "null"}, {"on_bad_value": "reject"}, {"nul_characters": "remove"}],
)
def test_noncharacters_are_characters_like_others(
    connection: PgSession, policy: dict[str, str]
) -> None:
    texts = ["\ufdd0", "\ufdd0=", "\ufdd0ab", "\ufdd100", "\ufdd2", " \ufdd2(x", "\U0010ffff"]
    lines = "".join(f"{number},,{text}\n" for number, text in enumerate(texts))
    put(connection, lines.encode(), **policy)
    assert fetch(connection, "select note from staging.reading order by id") == [
        (text,) for text in texts
    ]


def test_nul_characters_can_be_removed(connection: PgSession) -> None:
    put(connection, b"1,,a\x00b\n", nul_characters="remove")
    assert fetch(connection, "select note from staging.reading") == [("ab",)]


def test_zero_dates_can_become_null_while_others_still_fail(connection: PgSession) -> None:
    with pytest.raises(JobError, match=r"\(`zero_dates: null` puts null in its place\)"):
        put(connection, b"1,0000-00-00,\n")
    put(connection, b"1,0000-00-00,\n", zero_dates="null")
    assert fetch(connection, "select id, at from staging.reading") == [(1, None)]
    with pytest.raises(
        JobError, match=r"1 row with values that do not fit, the first: at: '2023-02-30'"
    ):
        put(connection, b"1,2023-02-30,\n", zero_dates="null")


def test_where_a_value_stands_in_its_source_is_reported(connection: PgSession) -> None:
    def write(file: Any) -> None:
        file.write(b"1,x,\n")

    rows = CopyRows(
        COLUMNS, "csv", write, origin=RowOrigin(lambda row, column: f"Sheet1!B{row + 1}")
    )
    options = LoadOptions.model_validate({"do": "excel"})
    with pytest.raises(JobError, match=r"Sheet1!B2"), connection.cursor() as cursor:
        load(cursor, NAME, rows, options)


def test_rejects_of_a_table_with_a_long_name_have_a_table(connection: PgSession) -> None:
    name = TableName("staging", "ä" * 31)
    options = LoadOptions.model_validate({"do": "database", "on_bad_value": "reject"})

    def write(file: Any) -> None:
        file.write(b"x,,\n1,,\n")

    rows = CopyRows(COLUMNS, "csv", write)
    with connection, connection.cursor() as cursor:
        load(cursor, name, rows, options)
    names = fetch(connection, "select relname from pg_class where relname like '%rejected'")
    assert names == [("ä" * 26 + "__rejected",)]


@pytest.mark.parametrize("policy", [{"zero_dates": "null"}, {"on_bad_value": "null"}])
def test_a_value_of_the_watermark_does_not_become_null(
    connection: PgSession, policy: dict[str, str]
) -> None:
    mark = {"watermark": {"column": "at"}, **policy}
    told = r"at: '0000-00-00' \(row 2, id 2\) would become null.*lost with"
    with pytest.raises(JobError, match=told):
        put(connection, b"1,,a\n2,0000-00-00,b\n", **mark)
    put(connection, b"1,,a\n2,0000-00-00,b\n", load="merge", key=["id"], **mark)
    assert fetch(connection, "select count(*) from staging.reading where at is null") == [(2,)]


def test_a_row_that_is_read_again_is_rejected_once(connection: PgSession) -> None:
    for _ in range(2):
        put(connection, LINES + LINES[-14:], on_bad_value="reject", watermark={"column": "at"})
    count = "select count(*) from staging.reading__rejected"
    assert fetch(connection, count) == [(4,)], "the same row twice in the source is two"
    put(connection, LINES, on_bad_value="reject")
    assert fetch(connection, count) == [(7,)], "without a watermark each run brings new rows"


def test_nul_characters_of_documents_are_left_out_too(connection: PgSession) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("create schema staging; create table staging.reading (note jsonb)")
    lines = rb'"{""a"": ""x\u0000\u0000y\\u0000""}"' + b"\n"
    columns = [Column("note", "jsonb")]
    with pytest.raises(JobError, match="`nul_characters: remove` leaves"):
        put(connection, lines, columns=columns)
    put(connection, lines, columns=columns, nul_characters="remove")
    assert fetch(connection, "select note from staging.reading") == [({"a": "xy\\u0000"},)]


@pytest.mark.parametrize("longest", [4, 4000])
def test_of_a_long_value_the_beginning_is_reported(connection: PgSession, longest: int) -> None:
    note = "é\n" * longest
    columns = [COLUMNS[0], Column("note", f"character varying({longest})")]
    result = put(connection, f'1,"{note}"\n'.encode(), columns, on_bad_value="reject")
    start = note if longest == 4 else f"{note[:100]}..."
    reason = f"note: '{start}' does not fit character varying({longest})"
    assert f"the first: {reason} (row 1, id 1)" in str(result)
    rejected = "select reason, record ->> 'note' from staging.reading__rejected"
    assert fetch(connection, rejected) == [(reason, note)]
    with pytest.raises(JobError) as failure:
        put(connection, b"1," + b"2" * 5000, [COLUMNS[0], Column("note", "bigint")], load="replace")
    assert len(str(failure.value)) < 600, "nor does PostgreSQL's own message have it whole"
