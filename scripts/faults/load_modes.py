"""The load modes under test: their tasks, how sources change, what targets must hold."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from io import StringIO

from psycopg2.extensions import connection as PgSession

from dapu.text import counted
from scripts.faults.load_stage import one, rows

_COLUMNS = "id, amount, note, modified_at"
_MARK = "watermark: {column: modified_at}"
_NOTE = "repeat(md5(random()::text), 3)"

_CREATE = """
    create table {table} (
        seq bigint generated always as identity primary key, id int not null,
        amount numeric(12, 2), note text, modified_at timestamptz);
    create index on {table} (id);
    create index on {table} (modified_at)
"""
_INSERT = f"""
    insert into {{table}} ({_COLUMNS})
    select highest + i, random() * 1000, {_NOTE}, %(now)s
    from generate_series(1, %(count)s) i, (select coalesce(max(id), 0) highest from {{table}}) h
"""
_UPDATE = f"""
    update {{table}} set amount = random() * 1000, note = {_NOTE}, modified_at = %(now)s
    where seq in (select seq from {{table}} order by random() limit %(count)s)
"""
_DELETE = """
    delete from {table}
    where seq in (select seq from {table} order by random() limit %(count)s)
"""
# A period whose rows are all gone stays as it was; so some rows are never deleted.
_DELETE_SOME = """
    delete from {table} where seq in (
        select seq from {table} where mod(id, 10) = 7 order by random() limit %(count)s)
"""
# Another row of a key that is there: a log of changes.
_ANOTHER = f"""
    insert into {{table}} ({_COLUMNS})
    select id, random() * 1000, {_NOTE}, %(now)s
    from (select distinct id from {{table}}) k order by random() limit %(count)s
"""
_NEWEST = f"select distinct on (id) {_COLUMNS} from {{table}} order by id, modified_at desc"
_OVERLAPS = """
    select count(*) from {table} a join {table} b using (id)
    where a.valid_from < b.valid_from and (a.valid_to is null or a.valid_to > b.valid_from)
    or a.valid_from = b.valid_from and a.ctid <> b.ctid
"""
_ODD = "select count(*) from {table} where is_current <> (valid_to is null)"
_NEXT = "select coalesce(max(modified_at), '2024-01-01') + %s * interval '1 second' from {table}"
_ALL = f"select {_COLUMNS} from {{table}} order by 1, 2, 3, 4"

_EVERYTHING = (_DELETE, _UPDATE, _INSERT)


@dataclass(frozen=True)
class Mode:
    """A task and the table that it reads.

    more: columns of the query besides the table's own. changes: what happens to the source.
    same_moment: new rows may have the watermark's value.
    while_down: the source may change between a fault and the next try.
    """

    name: str
    action: str
    changes: tuple[str, ...] = _EVERYTHING
    same_moment: bool = False
    while_down: bool = True
    holds: str = _ALL
    more: str = ""

    @property
    def task(self) -> str:
        """Task id."""
        return f"shop.t.{self.name}"

    @property
    def source(self) -> str:
        """Name of the table that it reads."""
        return f"src.{self.name}"

    @property
    def target(self) -> str:
        """Name of the table that it fills."""
        return f"t.{self.name}"

    @property
    def has_watermark(self) -> bool:
        """Whether it reads only what is new."""
        return _MARK in self.action

    def files(self) -> dict[str, str]:
        """The files of its task."""
        place = f"routes/shop/t/{self.name}"
        action = f"actions:\n  - {{do: database, query: q.sql, {self.action}}}\n"
        query = f"select {_COLUMNS}{self.more} from {self.source}\n"
        return {f"{place}/task.yaml": action, f"{place}/q.sql": query}


_ID = "key: [id]"
_PARTS = "split: {column: id, parts: 4, at_once: 2}"
MODES = {
    mode.name: mode
    for mode in (
        Mode("replace", "load: replace"),
        Mode("append", f"load: append, {_MARK}", (_INSERT,), same_moment=True),
        Mode("merge", f"load: merge, {_ID}, {_MARK}", (_ANOTHER, _INSERT), holds=_NEWEST),
        Mode(
            "merge_deletes", f"load: merge, {_ID}, {_MARK}, deletes: {{every: 0 s}}", _EVERYTHING
        ),
        Mode("period", "load: period, period: {column: day, by: day}",
             (_DELETE_SOME, _UPDATE, _INSERT), more=", date '2024-01-01' + id / 1000 as day"),
        Mode("snapshot", f"load: snapshot, {_ID}"),
        Mode("history", f"load: history, {_ID}", while_down=False),
        Mode("blocks", f"load: snapshot, {_ID}, changes: blocks"),
        Mode("replace_split", f"load: replace, {_PARTS}"),
        Mode("append_split", f"load: append, {_MARK}, {_PARTS}", (_INSERT,), same_moment=True),
        Mode("merge_split", f"load: merge, {_ID}, {_MARK}, {_PARTS}", (_ANOTHER, _INSERT),
             holds=_NEWEST),
    )
}  # fmt: skip


def make_source(session: PgSession, mode: Mode, count: int, dice: random.Random) -> None:
    """Makes the source's table with so many rows."""
    rows(session, "create schema if not exists src")
    rows(session, _CREATE.format(table=mode.source))
    change_source(session, mode, count, dice, only=_INSERT)


def change_source(
    session: PgSession, mode: Mode, count: int, dice: random.Random, only: str | None = None
) -> None:
    """Changes up to so many rows in each way that the mode can see."""
    rows(session, "select setseed(%s)", (dice.random(),))
    step = dice.randint(0, 1) if mode.same_moment else 1
    now = one(session, _NEXT.format(table=mode.source), (step,))
    for change in [only] if only else mode.changes:
        values = {"count": dice.randint(max(1, count // 4), count), "now": now}
        rows(session, change.format(table=mode.source), values)


@dataclass(frozen=True)
class Held:
    """What a history holds: its current rows, and the number of all versions."""

    current: frozenset[str]
    versions: int


def held(target: PgSession, mode: Mode) -> Held:
    """What a history holds before a round."""
    if mode.name != "history" or one(target, "select to_regclass(%s)", (mode.target,)) is None:
        return Held(frozenset(), 0)
    current = frozenset(_lines(target, _current(mode)))
    return Held(current, one(target, f"select count(*) from {mode.target}"))


def differences(source: PgSession, target: PgSession, mode: Mode, before: Held) -> list[str]:
    """What is not as it must be after a round."""
    expected = _lines(source, mode.holds.format(table=mode.source))
    found = _lines(target, _current(mode))
    wrong = _told(expected, found)
    if mode.has_watermark:
        wrong += _watermark(source, target, mode)
    if mode.name == "history":
        wrong += _versions(target, mode, before, frozenset(found))
    return wrong


def _current(mode: Mode) -> str:
    table = mode.target
    if mode.name == "history":
        table = f"(select {_COLUMNS} from {table} where is_current) h"
    return _ALL.format(table=table)


def _lines(session: PgSession, query: str) -> list[str]:
    out = StringIO()
    with session.cursor() as cursor:
        cursor.copy_expert(f"copy ({query}) to stdout", out)
    return out.getvalue().splitlines()


def _told(expected: list[str], found: list[str]) -> list[str]:
    if sorted(expected) == sorted(found):
        return []
    lost, more = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    return [
        f"{counted(lost.total(), 'row')} lost, {more.total()} too many, of {len(expected)}",
        *(f"lost: {line}" for line in list(lost)[:3]),
        *(f"too many: {line}" for line in list(more)[:3]),
    ]


def _watermark(source: PgSession, target: PgSession, mode: Mode) -> list[str]:
    highest = one(source, f"select max(modified_at) from {mode.source}")
    query = "select value::timestamptz from meta.watermark where task = %s"
    kept = rows(target, query, (mode.task,))
    return [] if kept == [(highest,)] else [f"the watermark is {kept}, and should be {highest}"]


def _versions(target: PgSession, mode: Mode, before: Held, now: frozenset[str]) -> list[str]:
    count = one(target, f"select count(*) from {mode.target}")
    due = before.versions + len(now - before.current)
    wrong = [] if count == due else [f"{count} versions, and there should be {due}"]
    for query, what in ((_OVERLAPS, "overlap"), (_ODD, "are current and ended, or neither")):
        if number := one(target, query.format(table=mode.target)):
            wrong.append(f"{number} versions {what}")
    return wrong
