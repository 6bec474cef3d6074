"""What is read of SQL, and what is left out because it cannot be known."""

from __future__ import annotations

import pytest
from sqlglot import exp

from dapu.lineage.statements import SqlText


def read(text: str) -> SqlText:
    def name(table: exp.Table) -> str | None:
        return f"{table.db}.{table.name}" if table.db else None

    return SqlText("q.sql", text, "postgres", name).read()


def uses(text: str) -> set[str]:
    return {f"{one.table}.{one.column}" for one in read(text).uses}


def made_of(text: str) -> dict[str, list[str]]:
    return {
        one.name: ["|".join(f"{t}.{c}" for t, c in some) for some in one.origins]
        for one in read(text).outputs or []
    }


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ('select T.Id, "B" from s.t as t', {"id": ["s.t.id"], "B": ["s.t.B"]}),
        (
            "select a + b as c, count(*), sum(d) over () from s.t",
            {"c": ["s.t.a", "s.t.b"], "count": [], "sum": ["s.t.d"]},
        ),
        ("select x from s.t join s.u using (id)", {"x": ["s.t.x|s.u.x"]}),
        ("select t.*, 1 as one from s.t", {"*": ["s.t.*"], "one": []}),
        (
            "with a as (select * from s.t), b (x, y) as (select id, n from a) select x, y from b",
            {"x": ["s.t.id"], "y": ["s.t.n"]},
        ),
        ("select a from s.t union all select b from s.u", {"a": ["s.t.a", "s.u.b"]}),
        (
            "with recursive r as (select id from s.t union all select t.up from s.t join r"
            " on r.id = t.up) select id from r",
            {"id": ["s.t.id|s.t.up"]},
        ),
        (
            "select (select max(v) from s.u where u.k = t.k) as m from s.t",
            {"m": ["s.u.v|s.t.v", "s.u.k", "s.t.k"]},
        ),
        ("select t.a from s.t as t (a, b)", {"a": []}),
        (
            "select date_trunc('month', d), a::text from s.t for update of t",
            {"": ["s.t.d"], "a": ["s.t.a"]},
        ),
        ("select (rec).*, a from s.t", {}),
    ],
)
def test_columns_and_what_they_are_made_of(query: str, columns: dict[str, list[str]]) -> None:
    assert made_of(query) == columns


@pytest.mark.parametrize(
    ("query", "certain"),
    [
        ("select id from s.t where day > now() order by n", {"s.t.id", "s.t.day", "s.t.n"}),
        # The table around is meant, or the one within.
        ("select 1 from s.t where exists (select from s.u where k = 1)", set()),
        (
            "select u, v.w from s.t, unnest(s.t.l) as u, json_to_recordset(t.j) as v (w int)",
            {"s.t.l", "s.t.j"},
        ),
        ("select v from s.t cross join lateral (select max(t.k) as v from s.u) as x", {"s.t.k"}),
        ("select t, ctid, user, current_date, n as m from s.t order by m", {"s.t.n"}),
        ('select f(a => 1), extract(epoch from b), x collate "C" from s.t', {"s.t.b", "s.t.x"}),
        ("select a.b from s.t as a (b)", set()),
        ("select x from s.t, json_table(t.j, '$' columns (x int path '$.x')) as jt", {"s.t.j"}),
        ("select x, n from s.t, generate_series(1, 2) as n, s.f(1)", set()),
        ("select column1 from s.t, (values (1)) as w", set()),
        ("select x.a from (s.t join s.u using (id)) as x", set()),
    ],
)
def test_only_columns_of_a_table_for_certain_count(query: str, certain: set[str]) -> None:
    assert uses(query) == certain


def test_places_are_those_of_names() -> None:
    found = read("select\n  t.abc\nfrom staging.sale as t")
    assert (found.uses[0].place.line, found.uses[0].place.column) == (2, 5)
    assert (found.reads[0].place.line, found.reads[0].place.column) == (3, 6)


def test_sql_that_does_not_parse_has_a_line_and_a_column() -> None:
    [problem] = read("select a,\n  b bb cc from t").problems
    assert (problem.place.line, problem.place.column) == (2, 8)
    assert "`cc`" in problem.message
    assert read("select 'abc").problems


def test_scripts() -> None:
    found = read(
        "insert into m.x (p, q) select a, b from s.t; delete from m.x using s.u where true"
    )
    assert {one.table for one in found.reads} == {"s.t", "s.u"}
    assert [one.name for one in found.writes["m.x"]] == ["p", "q"]
    assert not found.is_opaque
    for opaque in ("do $$ begin perform 1; end $$", "call p()", "select * from no_schema"):
        assert read(opaque).is_opaque, opaque
    assert not read("vacuum m.x; create index on m.x (a)").is_opaque


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        (
            "update s.t as x set a = u.b + x.c from s.u as u where u.id = x.id",
            {"a": ["s.u.b", "s.t.c"]},
        ),
        (
            "with w as (select k, sum(v) as total from s.u group by k)"
            " update s.t set (a, b) = (w.total, 2) from w join s.v on v.k = w.k where t.id = v.id",
            {"a": ["s.u.v"], "b": []},
        ),
        (
            "update s.t set (a, b) = (select max(u.x), max(u.y) from s.u where u.id = t.id)",
            {name: [f"s.u.{of}", "s.u.id", "s.t.id"] for name, of in ("ax", "by")},
        ),
        (
            "merge into s.t using (select id, v as w from s.u) as n on t.id = n.id"
            " when matched and n.w > 1 then update set v = n.w"
            " when not matched then insert (id, v) values (n.id, n.w)"
            " when not matched by source then delete",
            {"v": ["s.u.v", "s.u.v"], "id": ["s.u.id"]},
        ),
        (
            "insert into s.t as old (id, a) select u.id, max(u.v) from s.u group by u.id"
            " on conflict (id) do update set a = old.a + excluded.a, (b, c) = (excluded.id, now())"
            " where excluded.a > old.a",
            {"id": ["s.u.id"], "a": ["s.u.v", "s.t.a", "s.u.v"], "b": ["s.u.id"], "c": []},
        ),
        (
            "with w as (select k, v from s.u) insert into s.t (id, a) select k, v from w"
            " on conflict (id) do update set a = excluded.a",
            {"id": ["s.u.k"], "a": ["s.u.v", "s.u.v"]},
        ),
        (
            "insert into s.t (id) values (1) on conflict (id) do update set a = t.b + excluded.id",
            {"a": ["s.t.b"]},
        ),
        ("insert into s.t (a, b) select x, y from s.u", {"a": ["s.u.x"], "b": ["s.u.y"]}),
    ],
)  # fmt: skip
def test_what_a_change_puts_into_columns(statement: str, columns: dict[str, list[str]]) -> None:
    found: dict[str, list[str]] = {}
    for one in read(statement).writes["s.t"]:
        names = [f"{table}.{column}" for some in one.origins for table, column in some]
        found.setdefault(one.name, []).extend(names)
    assert found == columns


def test_a_query_that_inserts_is_looked_at_once() -> None:
    found = read(
        "insert into s.t (id)\nselect x from s.u\non conflict (id) do update set y = excluded.id"
    )
    used = [(one.table, one.column, one.place.line) for one in found.uses]
    assert sorted(used) == [("s.t", "y", 3), ("s.u", "x", 2), ("s.u", "x", 3)]


def test_columns_that_a_change_names_have_their_places() -> None:
    found = read("update s.t\nset a = u.b from s.u where u.id = t.id").uses
    places = {f"{one.table}.{one.column}": (one.place.line, one.place.column) for one in found}
    assert places == {"s.t.a": (2, 5), "s.u.b": (2, 11), "s.u.id": (2, 30), "s.t.id": (2, 37)}
