"""Functions and operators in `public` run in no load, at the source or in the warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dapu.sources.databases.blocks import hashes
from tests.conftest import Database, MakeWarehouse
from tests.support.components import write
from tests.support.one_task import FOLDER, OneTask

# Each fits what dapu gives it better than PostgreSQL's own does, or as well. What ran counts, even
# in a query that may write nothing: there it fails.
_FUNCTIONS = """
    lower(varchar) text; left(varchar, int) text; length(varchar) int; char_length(varchar) int
    replace(varchar, text, text) text; starts_with(varchar, text) boolean
    regexp_replace(varchar, text, text) text; translate(varchar, text, text) text
    unnest(text[]) text; cardinality(text[]) int; array_remove(text[], text) text[]
    array_to_string(text[], text) text; format(text, text, text) text; format(text, varchar) text
    date_trunc(text, date) timestamp; hash_record_extended(record, int) bigint
    mod(bigint, int) bigint; width_bucket(int, int[]) int; width_bucket(text, text[]) int
    to_regclass(varchar) regclass; convert_to(varchar, text) bytea; encode(bytea, varchar) text
    now(int) timestamptz
"""
_OPERATORS = "= <> < > <= >= || ~"


_SPRING = "language plpgsql as $$ begin perform nextval('public.sprung'); return null; end $$"


def _traps() -> Iterator[str]:
    yield "create sequence public.sprung"
    for signature in filter(None, map(str.strip, re.split("[;\n]", _FUNCTIONS))):
        name, _, result = signature.rpartition(" ")
        yield f"create function public.{name} returns {result} {_SPRING}"
    for number, operator in enumerate(_OPERATORS.split()):
        result = "text" if operator == "||" else "boolean"
        for right in ("varchar", "text"):
            yield f"create function public.op{number}(varchar, {right}) returns {result} {_SPRING}"
            yield (
                f"create operator public.{operator} (leftarg = varchar, rightarg = {right}, "
                f"function = public.op{number})"
            )
    yield f"create function public.step(varchar, varchar) returns varchar {_SPRING}"
    for name in ("max", "min", "count", "sum"):
        yield (f"create aggregate public.{name}(varchar) (sfunc = public.step, stype = varchar)")


@pytest.fixture
def task(make_warehouse: MakeWarehouse, database: Database) -> OneTask:
    """A task that reads `shop.item` of a database in which all traps are set."""
    task = OneTask(make_warehouse, database)
    task.execute("; ".join(_traps()))
    task.make_table("k int primary key, name varchar(40), at timestamp, day date", "shop.item")
    _fill(task, 1, 300)
    return task


def _fill(task: OneTask, first: int, last: int) -> None:
    task.execute(
        "insert into shop.item select n, 'Item ' || n::text, timestamp '2024-01-01' + n * interval "
        f"'1 hour', date '2024-01-01' + n / 10 from generate_series({first}, {last}) n"
    )


def _sprung(task: OneTask) -> bool:
    [(sprung,)] = task.rows("select is_called from public.sprung")
    return bool(sprung)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("load: replace", 319),
        ("load: append\nwatermark: {column: at}", 320),
        ("load: merge\nkey: [k]\nwatermark: {column: at}", 320),
        ("load: merge\nkey: [k]\nwatermark: {column: at}\ndeletes: {every: 0 s}", 319),
        ("load: merge\nkey: [name]", 320),
        ("load: snapshot\nkey: [name]", 319),
        ("load: snapshot\nkey: [k]\ndeletes: soft", 320),
        ("load: snapshot\nkey: [k]\nchanges: blocks", 319),
        ("load: snapshot\nkey: [name]\nchanges: blocks", 319),
        ("load: history\nkey: [name]", 300 + 42 + 20),
        ("load: period\nperiod: {column: day, by: month}", 319),
        ("load: replace\nsplit: {column: k, parts: 3}", 319),
        ("load: replace\nsplit: {column: at, every: 1 month}", 319),
        ("load: replace\non_bad_value: reject", 319),
        ("load: merge\nkey: [name]\non_bad_value: 'null'", 320),
    ],
)
def test_no_load_runs_them(
    task: OneTask, mode: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SIZE", 50)
    query = {"q.sql": "select k, name, at, day from shop.item"}
    task.has(f"url: {task.database.uri}", f"do: database\nquery: q.sql\n{mode}", query)
    task.run()
    if "replace" in mode:  # what hangs on the table is made anew with it
        task.execute(
            "create view shop.names as select name from staging.thing; create index on "
            "staging.thing (day); comment on column staging.thing.day is 'of sale'; "
            "create statistics shop.seen on k, day from staging.thing; "
            "grant select on staging.thing to public"
        )
    _fill(task, 301, 320)
    task.execute("update shop.item set day = day + 1 where k % 7 = 0")
    task.execute("delete from shop.item where k = 5")
    task.run()
    assert len(task.rows()) == expected
    assert not _sprung(task)


def test_checks_transforms_and_exports_do_not_run_them(task: OneTask, tmp_path: Path) -> None:
    definition = """
        actions:
        - {do: database, query: q.sql, load: replace}
        - {do: export, connection: drive, file: out.xlsx, query: all.sql}
        checks:
        - unique: [name]
        - not_null: [k, name]
        - sql: none.sql
    """
    drive = f"\n- name: drive\n  driver: files\n  path: {tmp_path}\n"
    task.has(f"url: {task.database.uri}", "do: transform\nquery: q.sql")
    files = {
        "q.sql": "select k, name, at, day from shop.item",
        "all.sql": "select name, day from staging.thing",
        "none.sql": "select 1 where false",
        "task.yaml": definition,
    }
    write(task.folder / FOLDER, files)
    connections = task.folder / "connections.yaml"
    connections.write_text(connections.read_text() + drive)
    assert "300 rows" in task.run()
    assert (tmp_path / "out.xlsx").exists()
    assert not _sprung(task)


# As the extension has it, which the tests' server has not.
_CITEXT = """
create type citext;
create function citextin(cstring) returns citext language internal immutable strict as 'textin';
create function citextout(citext) returns cstring language internal immutable strict as 'textout';
create type citext (input = citextin, output = citextout, like = text, category = 'S');
create cast (citext as text) without function as implicit;
create cast (text as citext) without function as assignment;
create cast (varchar as citext) without function as assignment;
create function citext_cmp(a citext, b citext) returns int language sql immutable strict as
    $$ select pg_catalog.bttextcmp(pg_catalog.lower(a::text), pg_catalog.lower(b::text)) $$;
create function citext_lt(citext, citext) returns boolean language sql immutable strict as
    $$ select public.citext_cmp($1, $2) < 0 $$;
create function citext_le(citext, citext) returns boolean language sql immutable strict as
    $$ select public.citext_cmp($1, $2) <= 0 $$;
create function citext_eq(citext, citext) returns boolean language plpgsql immutable strict as
    $$ begin return public.citext_cmp($1, $2) = 0; end $$;
create function citext_ge(citext, citext) returns boolean language sql immutable strict as
    $$ select public.citext_cmp($1, $2) >= 0 $$;
create function citext_gt(citext, citext) returns boolean language sql immutable strict as
    $$ select public.citext_cmp($1, $2) > 0 $$;
create operator < (leftarg = citext, rightarg = citext, function = citext_lt);
create operator <= (leftarg = citext, rightarg = citext, function = citext_le);
create operator = (leftarg = citext, rightarg = citext, function = citext_eq,
    commutator = =, merges);
create operator >= (leftarg = citext, rightarg = citext, function = citext_ge);
create operator > (leftarg = citext, rightarg = citext, function = citext_gt);
create operator class citext_ops default for type citext using btree as operator 1 <,
    operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 citext_cmp(citext, citext);
"""


@pytest.mark.parametrize("mode", ["merge", "snapshot", "history"])
def test_types_of_extensions_are_compared_as_they_compare(task: OneTask, mode: str) -> None:
    task.execute(_CITEXT)
    task.execute("create table shop.tag (name citext primary key, n int)")
    task.execute("insert into shop.tag values ('A', 1), ('b', 2)")
    options = f"do: database\nquery: q.sql\nload: {mode}\nkey: [name]"
    task.has(f"url: {task.database.uri}", options, {"q.sql": "select name, n from shop.tag"})
    task.run()
    task.execute("alter table staging.thing alter name type citext")
    task.execute("update shop.tag set name = 'B', n = 3 where name = 'b'")
    task.run()
    now = "where is_current" if mode == "history" else ""
    assert task.rows(f"select name::text, n from staging.thing {now} order by n") == [
        ("A", 1),
        ("B", 3),
    ]
    assert not _sprung(task)
