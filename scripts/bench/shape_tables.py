"""The tables of `bench shapes`: what each holds, and how its target is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_PARTS = 4
_MARIADB_COLUMNS = "id bigint primary key, name varchar(60), city varchar(60), note varchar(200)"


@dataclass(frozen=True)
class Shape:
    """A table with the key `id`.

    rows: how many it has at full scale. columns: as PostgreSQL declares them, the key first.
    values: the expression of each, of a row's number `i`. indexes: columns that the target has an
    index on, beside its key. parts: of a target that is partitioned by its key.
    """

    name: str
    title: str
    rows: int
    columns: Sequence[str]
    values: Sequence[str]
    indexes: Sequence[str] = ()
    parts: int = 0
    character_set: str = ""

    @property
    def server(self) -> str:
        """Where it is read."""
        return "mariadb" if self.character_set else "postgres"

    def source(self, rows: int) -> list[str]:
        """The statements that make and fill it in its source."""
        if self.character_set:
            made = f"create table {self.name} ({_MARIADB_COLUMNS})"
            numbers = f"(select seq as i from seq_1_to_{rows}) numbers"
            return [
                f"{made} character set {self.character_set}",
                f"insert into {self.name} select {', '.join(self.values)} from {numbers}",
            ]
        return [
            f"create table {self.name} ({', '.join(self.columns)}, primary key (id))",
            f"insert into {self.name} select {', '.join(self.values)} "
            f"from generate_series(1::bigint, {rows}::bigint) i",
        ]

    def target(self, table: str) -> list[str]:
        """The statements that make a table for it, with its indexes and partitions."""
        by = "partition by hash (id)" if self.parts else ""
        made = [f"create table {table} ({', '.join(self.columns)}, primary key (id)) {by}"]
        for part in range(self.parts):
            bounds = f"for values with (modulus {self.parts}, remainder {part})"
            made.append(f"create table {table}_{part} partition of {table} {bounds}")
        return [*made, *(f"create index on {table} ({column})" for column in self.indexes)]


def numbered(declared: str, value: str, count: int) -> tuple[list[str], list[str]]:
    """So many columns of a kind. value: with {n} for the number of the column."""
    numbers = range(1, count + 1)
    columns = [f"{declared.split(maxsplit=1)[0][0]}{n} {declared}" for n in numbers]
    return columns, [value.format(n=n) for n in numbers]


_ID, _I = ["id bigint"], ["i"]
_INTEGERS = numbered("int", "(i + {n}) % 100000", 150)
_NUMERICS = numbered("numeric(15,2)", "(i * {n} % 1000000) / 100.0", 75)
_TEXTS = numbered("text", "'text ' || (i * {n} % 5000)", 74)
_NULLS = numbered("int", "case when (i + {n}) % 20 = 0 then i end", 40)
_SALE = (
    ["customer int", "amount numeric(15,2)", "sold_on date", "region text", "note text"],
    [
        "i * 7919 % 100000",
        "(i * 31 % 1000000) / 100.0",
        "date '2020-01-01' + (i % 2000)::int",
        "'region ' || i % 50",
        "'note ' || md5(i::text)",
    ],
)
_TEXTS_OF_MARIADB = (
    ["name text", "city text", "note text"],
    [
        "concat('Müller ', i)",
        "concat('Zürich ', i % 1000)",
        "concat('größer als ', md5(i), ' ', md5(i + 1))",
    ],
)

SHAPES = (
    Shape(
        "narrow", "2 columns", 10_000_000, [*_ID, "amount bigint"], [*_I, "i * 7919 % 1000000007"]
    ),
    Shape(
        "wide",
        "300 columns",
        100_000,
        [*_ID, *_INTEGERS[0], *_NUMERICS[0], *_TEXTS[0]],
        [*_I, *_INTEGERS[1], *_NUMERICS[1], *_TEXTS[1]],
    ),
    Shape(
        "long",
        "a text and a JSON document of 2 KB",
        200_000,
        [*_ID, "body text", "document jsonb"],
        [
            *_I,
            "(select string_agg(md5((i + n)::text), '') from generate_series(1, 64) n)",
            "(select jsonb_object_agg('key ' || n, md5((i * n)::text)) "
            "from generate_series(1, 45) n)",
        ],
    ),
    Shape("nulls", "41 columns, mostly null", 1_000_000, [*_ID, *_NULLS[0]], [*_I, *_NULLS[1]]),
    Shape(
        "text_keys",
        "the key a text of 32 characters",
        1_000_000,
        ["id text", *_SALE[0]],
        ["md5(i::text)", *_SALE[1]],
    ),
    Shape(
        "indexes",
        "a target with 5 indexes",
        1_000_000,
        [*_ID, *_SALE[0]],
        [*_I, *_SALE[1]],
        indexes=("customer", "amount", "sold_on", "region", "note"),
    ),
    Shape(
        "partitions",
        f"a target of {_PARTS} partitions",
        1_000_000,
        [*_ID, *_SALE[0]],
        [*_I, *_SALE[1]],
        parts=_PARTS,
    ),
    *(
        Shape(
            character_set,
            f"texts in MariaDB's {character_set}",
            1_000_000,
            [*_ID, *_TEXTS_OF_MARIADB[0]],
            [*_I, *_TEXTS_OF_MARIADB[1]],
            character_set=character_set,
        )
        for character_set in ("latin1", "utf8mb3", "utf8mb4")
    ),
)
