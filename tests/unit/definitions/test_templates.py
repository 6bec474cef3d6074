"""SQL files as templates: values are bound, whatever the template does with them."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as PgSession

from dapu.definitions import templates
from dapu.definitions.templates import read_template
from dapu.errors import FaultyFile
from dapu.limited_process import LimitedProcess
from dapu.statement import Statement, TableName
from tests.support.components import one, rows, write

EVIL = "x'; drop table t; --"


def render(folder: Path, text: str, **values: Any) -> Statement:
    (folder / "query.sql").write_text(text, encoding="utf-8")
    return read_template(folder / "query.sql").render(values)


def fault(folder: Path, text: str, **values: Any) -> str:
    with pytest.raises(FaultyFile) as caught:
        render(folder, text, **values)
    return str(caught.value).replace(f"{folder}/", "")


def undefined(folder: Path, text: str, *known: str) -> list[str]:
    (folder / "query.sql").write_text(text)
    faults = read_template(folder / "query.sql").check(known)
    return [str(fault).replace(f"{folder}/", "") for fault in faults]


def test_a_value_stays_apart_from_the_text(tmp_path: Path) -> None:
    statement = render(tmp_path, "select {{ a }}, 5 % {{ b }} -- 100%\n", a=EVIL, b=2)
    assert statement == Statement(("select ", ", 5 % ", " -- 100%\n"), (EVIL, 2))


def test_a_file_without_templates_is_taken_as_it_is(tmp_path: Path) -> None:
    text = "select '{', \"}\", e'%s' -- {a}\n"
    assert render(tmp_path, text) == Statement((text,))


def test_a_list_becomes_a_list_of_values(tmp_path: Path) -> None:
    statement = render(tmp_path, "where a in {{ names }}", names=["x", EVIL])
    assert statement == Statement(("where a in (", ", ", ")"), ("x", EVIL))


@pytest.mark.parametrize("value", [
    EVIL, "%s %(a)s %%", "a\\b", 'quo"te', "{{ a }}", "ünï\u2028", "", 0, -1, 10**30, 1.5,
    Decimal("1.10"), True, None, b"\x00\xff", date(2024, 1, 2), timedelta(hours=3),
    datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
])  # fmt: skip
def test_every_value_arrives_as_it_was(tmp_path: Path, connection: PgSession, value: Any) -> None:
    statement = render(tmp_path, "select {{ value }}, '100%'", value=value)
    with connection.cursor() as cursor:
        cursor.execute(statement.composed())
        row = cursor.fetchone()
    assert row is not None
    got = bytes(row[0]) if isinstance(value, bytes) else row[0]
    assert (got, row[1]) == (value, "100%")


def test_a_table_s_name_is_a_quoted_identifier(tmp_path: Path, connection: PgSession) -> None:
    rows(connection, 'create schema "my-s"; create table "my-s"."t""x" as select 1 as a')
    statement = render(tmp_path, "select a from {{ this }}", this=TableName("my-s", 't"x'))
    with connection.cursor() as cursor:
        cursor.execute(statement.composed())
        assert cursor.fetchall() == [(1,)]


def test_parts_of_a_table_s_name_are_identifiers(tmp_path: Path, connection: PgSession) -> None:
    text = (
        'alter table {{ this }} add constraint {{ this.name("ak_", this.table, "_4_uniq") }} unique'
    )
    statement = render(tmp_path, text + " (a) -- {{ this.schema }}", this=TableName("s", 'o"dd'))
    assert statement.composed().as_string(connection) == (
        'alter table "s"."o""dd" add constraint "ak_o""dd_4_uniq" unique (a) -- "s"'
    )
    assert render(tmp_path, "{{ this.table | string }}", this=TableName("s", "t")).values == ("t",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ this.tabel }}", "query.sql:1: template: `this` has no `tabel`.*`table`"),
        ("\n{{ this.name('x', 'y' * 64) }}", "query.sql:2: .* has 65 bytes"),
        ("{{ this.name() }}", "has 0 bytes"),
    ],
)
def test_what_is_no_name_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert re.search(says, fault(tmp_path, text, this=TableName("s", "t")))


def test_macros_blocks_and_loops_are_sql_and_the_values_in_them_are_bound(tmp_path: Path) -> None:
    text = (
        "{% macro equal(column, value) %}{{ caller() }} = {{ value }}{% endmacro -%}"
        "{% set where %}{% for name, value in pairs.items() %}"
        "{% if not loop.first %} and {% endif %}"
        "{% call equal(name, value) %}col{% endcall %}{% endfor %}{% endset -%}"
        "select 1 where {{ where }}{{ ' and x' if false else where }}"
    )
    statement = render(tmp_path, text, pairs={"a": EVIL, "b": 2})
    half = ("col = ", " and col = ")
    assert statement.values == (EVIL, 2, EVIL, 2)
    assert "".join(statement.parts) == "select 1 where " + "".join(half) * 2


def test_included_and_imported_files_of_the_folder_work(tmp_path: Path) -> None:
    write(tmp_path, {
        "macros.sql": "{% macro since(column, day) %}{{ 'at' }} >= {{ day }}{% endmacro %}",
        "part.sql": "and x = {{ x }}",
    })  # fmt: skip
    text = (
        "{% from 'macros.sql' import since %}where {{ since('a', day) }} {% include 'part.sql' %}"
    )
    statement = render(tmp_path, text, day="2024", x=EVIL)
    assert statement == Statement(("where ", " >= ", " and x = ", ""), ("at", "2024", EVIL))


PASTERS = [
    "{{ evil | safe }}", "{{ evil | e }}", "{{ evil | escape }}", "{{ evil | forceescape }}",
    "{{ evil | tojson }}", "{{ {'a': evil} | xmlattr }}", "{{ evil | urlize }}",
    "{{ sql + evil }}", "{{ evil + sql }}", "{{ sql ~ evil }}", "{{ evil ~ sql ~ evil }}",
    "{{ sql % evil }}", "{{ sql * 2 + evil }}", "{{ sql.format(evil) }}",
    "{{ sql['format'](evil) }}", "{{ sql.join([evil, evil]) }}", "{{ sql.replace('q', evil) }}",
    "{{ sql | replace('q', evil) }}", "{{ [sql, evil] | join(' ') }}",
    "{{ [evil, evil] | join(sql) }}", "{{ sql | format(evil) }}", "{{ {'a': sql, 'b': evil}"
    ".values() | join }}", "{{ sql.__class__(evil) }}", "{{ ''.__class__.__mro__ }}",
    "{% autoescape false %}{{ evil }}{% endautoescape %}",
    "{% filter upper %}{{ evil }}{% endfilter %}",
    "{% set x = evil | e %}{{ x }}", "{{ (sql, evil) | list | join }}", "{{ lipsum() ~ evil }}",
    "{% set y %}{{ evil }}{% endset %}{{ y | upper }}", "{{ sql | indent(evil) }}",
    "{{ sql | map('replace', 'q', evil) | join }}", "{{ cycler(sql).next() ~ evil }}",
    "{{ joiner(sql)() }}{{ evil }}", "{{ namespace(a=sql).a + evil }}",
]  # fmt: skip


@pytest.mark.parametrize("text", PASTERS)
def test_no_way_around_pastes_a_value(tmp_path: Path, text: str) -> None:
    """Either the template is refused, or the value is apart."""
    evil = "drop_me"
    with contextlib.suppress(FaultyFile):
        statement = render(tmp_path, "{% set sql %}q%s{0}{% endset %}" + text, evil=evil)
        assert evil not in "".join(statement.parts).lower()


@pytest.mark.parametrize(("text", "message"), [
    ("select {{ a", "query.sql:1: template: unexpected end of template, expected 'end of print "
     "statement'."),
    ("select 1\n{% if a %}\n", "query.sql:2: template: Unexpected end of template. Jinja was "
     "looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs "
     "to be closed is 'if'."),
    ("{{ a | safe }}", "query.sql:1: template: there is no filter `safe`"),
    ("\n{{ a | uper }}", "query.sql:2: template: there is no filter `uper`; did you mean `upper`?"),
    ("{{ 1 if a is definded }}",
     "query.sql:1: template: there is no test `definded`; did you mean `defined`?"),
    ("\n{% autoescape true %}{% endautoescape %}", "query.sql:2: template: `autoescape` is not for "
     "SQL"),
    (" \n", "query.sql:1: is empty; it needs a SQL statement"),
    ("select '\0'", "query.sql:1: has a character of code 0, which no SQL may have"),
])  # fmt: skip
def test_a_faulty_template_is_reported_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    assert fault(tmp_path, text) == message


@pytest.mark.parametrize(("text", "message"), [
    ("select 1,\n  {{ b.x }}",
     "query.sql:2: the template fails: 'dict object' has no attribute 'x'"),
    ("select 1,\n\n{{ nobody }}", "query.sql:3: the template fails: 'nobody' is undefined"),
    ("{{ b }}", "query.sql:1: the template fails: a value of type dict has no place in SQL"),
    ("a in\n{{ empty }}", "query.sql:2: the template fails: a list is empty, and SQL has no empty "
     "list; ask for it with `if`"),
    ("\n{{ 1 / 0 }}", "query.sql:2: the template fails: division by zero"),
    ("{{ 'a' if false }}", "query.sql:1: the template fails: the inline if-expression on line 1 "
     "evaluated to false and no else section was defined."),
    ("{% set s %}x{% endset %}\n{{ s | upper }}",
     "query.sql:2: the template fails: the filter `upper` does not work on SQL text"),
    ("{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}",
     "query.sql:2: the template fails: maximum recursion depth exceeded"),
    ("\n{% include file %}", "query.sql:2: there is no file none.sql in this task's folder"),
    ("\n{% include part %}", "part.sql:2: the template fails: 'nobody' is undefined"),
    ("{% include '../' + part %}",
     "query.sql:1: there is no file ../part.sql in this task's folder"),
])  # fmt: skip
def test_a_template_that_fails_is_reported_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path, {"part.sql": "select\n{{ nobody }}"})
    values = {"b": {"y": 1}, "empty": [], "file": "none.sql", "part": "part.sql"}
    assert fault(tmp_path, text, **values).startswith(message)


def test_undefined_names_are_reported_with_line_and_nearest_name(tmp_path: Path) -> None:
    text = "select {{ late_minute }}\nfrom x {% for a in lst %}{{ a }}{{ range(3) }}{% endfor %}"
    assert undefined(tmp_path, text, "late_minutes", "this") == [
        "query.sql:1: undefined name `late_minute`; did you mean `late_minutes`?",
        "query.sql:2: undefined name `lst`; known are: late_minutes, this",
    ]


def test_undefined_names_in_what_is_included_are_reported_too(tmp_path: Path) -> None:
    write(tmp_path, {
        "part.sql": "and\n{{ tiny }}",
        "macros.sql": "{% macro m() %}{{ known }}{% endmacro %}",
        "round.sql": "{% include 'query.sql' %}",
        "broken.sql": "{{",
    })  # fmt: skip
    assert undefined(tmp_path, "{% include 'part.sql' %}", "tint") == [
        "part.sql:2: undefined name `tiny`; did you mean `tint`?"
    ]
    # What is imported sees no names unless it is asked for.
    assert undefined(tmp_path, "{% import 'macros.sql' as m %}", "known") == [
        "macros.sql:1: undefined name `known`"
    ]
    assert not undefined(tmp_path, "{% import 'macros.sql' as m with context %}", "known")
    assert undefined(tmp_path, "\n{% include 'prt.sql' %}") == [
        "query.sql:2: there is no file prt.sql in this task's folder; did you mean `part.sql`?"
    ]
    assert undefined(tmp_path, "{% include 'round.sql' %}") == [
        "round.sql:1: includes query.sql, which includes this file"
    ]
    assert undefined(tmp_path, "{% include 'broken.sql' %}")[0].startswith(
        "broken.sql:1: template:"
    )


@pytest.mark.parametrize(("paramstyle", "text", "values"), [
    ("qmark", "select ? % 2, ?", (5, EVIL)),
    ("format", "select %s %% 2, %s", (5, EVIL)),
    ("pyformat", "select %(p1)s %% 2, %(p2)s", {"p1": 5, "p2": EVIL}),
    ("named", "select :p1 % 2, :p2", {"p1": 5, "p2": EVIL}),
    ("numeric", "select :1 % 2, :2", (5, EVIL)),
    ("numeric_dollar", "select $1 % 2, $2", (5, EVIL)),
])  # fmt: skip
def test_each_driver_gets_its_own_placeholders(
    tmp_path: Path, paramstyle: str, text: str, values: Any
) -> None:
    statement = render(tmp_path, "select {{ a }} % 2, {{ b }}", a=5, b=EVIL)
    assert statement.for_driver(paramstyle, quote=repr) == (text, values)


def test_a_driver_s_own_quotes_are_put_around_a_table(tmp_path: Path) -> None:
    statement = render(tmp_path, "select {{ a }} from {{ t }}", a=1, t=TableName("s", "t"))
    assert statement.for_driver("qmark", quote=lambda name: f"`{name}`") == (
        "select ? from `s`.`t`", (1,),
    )  # fmt: skip


def test_statements_are_put_together_with_their_values_in_order(connection: PgSession) -> None:
    inner = Statement(("select ", ""), ("a%",))
    whole = (
        Statement(("select * from (",)).then(inner).then(Statement((") x where ", " > 1"), (2,)))
    )
    assert whole == Statement(("select * from (select ", ") x where ", " > 1"), ("a%", 2))
    with connection.cursor() as cursor:
        cursor.execute(whole.composed())
        assert cursor.fetchall() == [("a%",)]
    assert one(connection, "select 1") == 1


_COUNT = "{% for i in range(99999) %}{% endfor %}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select 1\n{% for i in range(99999) %}" + _COUNT + "{% endfor %}", ":2: .* longer than"),
        ("{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(1) }}", ":1: .*recursion"),
        ("{{ 'x' * 99999999999 }}", ":1: .* more than .* memory"),
        ("\n{{ 'x' | center(99999999999) }}", ":2: .* more than .* memory"),
        ("{% set n = namespace(x='a') %}" + "{% set n.x = n.x ~ n.x %}" * 99,
         ":1: .*(more than .* memory|longer than)"),
        ("{{ range(999999999) }}", ":1: .*[Rr]ange"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", ":1: .*nested too deeply"),
    ],
)  # fmt: skip
def test_a_template_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    process = LimitedProcess(f"{templates.__name__}:answer", 1 << 29, seconds=3)
    monkeypatch.setattr(templates, "_renderer", lambda: process)
    with process:
        assert re.search(said, fault(tmp_path, text))
        assert render(tmp_path, "{% for i in range(2) %}{{ i }} {% endfor %}").values == (0, 1)


def test_to_check_a_template_computes_nothing(tmp_path: Path) -> None:
    assert undefined(tmp_path, "{{ 'x' | center(99999999999) }} {{ y }}") == [
        "query.sql:1: undefined name `y`"
    ]


def test_a_name_that_no_file_system_takes_is_of_no_file(tmp_path: Path) -> None:
    said = undefined(tmp_path, f"{{% include '{'x' * 5000}.sql' %}}")
    assert len(said) == 1
    assert "there is no file xxx" in said[0]
