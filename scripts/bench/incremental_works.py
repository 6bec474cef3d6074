"""The kinds of work of `bench incremental`: what changes, and how it is taken in by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SOURCE_TABLE = "sale"
HAND, STAGED = "by_hand", "staged"
COLUMNS = ("id", "customer", "amount", "sold_on", "region", "note", "changed_at")
MADE = (
    "create table {} (id bigint primary key, customer int, amount numeric(15,2), sold_on date, "
    "region text, note text, changed_at timestamp)"
)
INDEXED = ("customer", "sold_on", "changed_at")
ROWS = (
    "select i, (i * 7919 % 100000)::int, (i * 31 % 1000000) / 100.0, "
    "date '2020-01-01' + (i % 2000)::int, 'region ' || i % 50, 'note ' || md5(i::text), "
    "{} from generate_series({}::bigint, {}::bigint) i"
)
FIRST_CHANGE = "timestamp '2030-01-01'"
Peer = Literal["incremental", "snapshot"]

_MARK = {"key": ["id"], "watermark": {"column": "changed_at"}}
_OTHERS = [name for name in COLUMNS if name != "id"]
_MERGE = (
    "merge into {target} t using {rows} s on t.id = s.id when matched{if_other} then update set "
    + ", ".join(f"{name} = s.{name}" for name in _OTHERS)
    + " when not matched then insert values ("
    + ", ".join(f"s.{name}" for name in COLUMNS)
    + "){more}"
)
_IF_OTHER = (
    f" and ({', '.join(f't.{name}' for name in _OTHERS)}) "
    f"is distinct from ({', '.join(f's.{name}' for name in _OTHERS)})"
)


@dataclass(frozen=True)
class Work:
    """A kind of change.

    rows: how many of the source's rows each round changes, or adds. by_hand: the statements that
    take them in from `{rows}`, those that were read. reads_all: by hand too everything is read,
    since nothing says what changed. side_by_side: the changed rows stand next to each other.
    in_warehouse: the source is a table of the warehouse. peer: dbt's way of the same.
    """

    name: str
    key: str
    rows: int
    action: Mapping[str, Any]
    by_hand: tuple[str, ...]
    adds: bool = False
    reads_all: bool = False
    side_by_side: bool = False
    in_warehouse: bool = False
    peer: Peer | None = None

    @property
    def holds(self) -> str:
        """The condition of the rows in the target that are as the source has them."""
        return "is_current" if self.action["load"] == "history" else "true"

    def change(self, rows: int, number: int) -> str:
        """The statement that changes rows of the source, other ones in each round.

        rows: how many the source has. number: the round's.
        """
        if self.side_by_side:
            first = number * self.rows % (rows - self.rows)
            which = f"id between {first + 1} and {first + self.rows}"
        else:
            step = max(rows // self.rows, 1)
            which = f"id % {step} = {number % step}"
        return (
            f"update {SOURCE_TABLE} set amount = amount + 1, note = 'round {number}', "
            f"changed_at = {changed_at(number)} + id * interval '1 microsecond' where {which}"
        )


def changed_at(number: int) -> str:
    """When the rows of a round began to change; each has a moment of its own."""
    return f"{FIRST_CHANGE} + {number} * interval '1 day'"


def works(rows: int) -> list[Work]:
    """All kinds, for a source of so many rows; a change is no more than a tenth of them."""
    merge = (_MERGE.format(target=HAND, rows="{rows}", if_other="", more=""),)
    whole = (
        _MERGE.format(
            target=HAND,
            rows="{rows}",
            if_other=_IF_OTHER,
            more=" when not matched by source then delete",
        ),
    )
    insert = f"insert into {HAND} ({', '.join(COLUMNS)}) select {', '.join(COLUMNS)} from {{rows}}"
    history = (
        f"update {HAND} t set valid_to = now(), is_current = false, ended_by = 'changed' "
        "from {rows} s where t.id = s.id and t.is_current",
        insert,
    )
    few, some = rows // 1000, min(10_000, rows // 10)
    snapshot = {"load": "snapshot", "key": ["id"]}
    transform = {"do": "transform", "query": "query.sql", **_MARK}
    sizes = [size for size in (10_000, 100_000, 500_000) if size * 10 <= rows]
    return [
        *(
            Work(f"merge of {size:,}", f"merge_{size}", size, {"load": "merge", **_MARK}, merge)
            for size in sizes
        ),
        Work(
            f"append of {some:,}",
            "append",
            some,
            {"load": "append", "watermark": {"column": "id"}},
            (insert,),
            adds=True,
        ),
        Work(
            f"snapshot, {few:,} changed",
            "snapshot",
            few,
            snapshot,
            whole,
            reads_all=True,
            side_by_side=True,
        ),
        Work(
            f"blocks, {few:,} changed",
            "blocks",
            few,
            {**snapshot, "changes": "blocks"},
            whole,
            reads_all=True,
            side_by_side=True,
        ),
        Work(f"history of {some:,}", "history", some, {"load": "history", **_MARK}, history),
        Work(
            f"transform, merge of {some:,}",
            "transform",
            some,
            {**transform, "load": "merge"},
            merge,
            in_warehouse=True,
            peer="incremental",
        ),
        Work(
            f"transform, history of {some:,}",
            "transform_history",
            some,
            {**transform, "load": "history"},
            history,
            in_warehouse=True,
            peer="snapshot",
        ),
    ]
