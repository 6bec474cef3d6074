"""What is known of a task from its files; small enough to be kept as JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

Origin = tuple[str, str]
"""A table (`schema.table`, or `connection:table`) and a column of it; `*` is each of them."""


class Place(NamedTuple):
    """Where something stands: a file of the task, and line and column from 1."""

    file: str
    line: int
    column: int


class Problem(NamedTuple):
    """SQL that could not be read."""

    place: Place
    message: str


class Read(NamedTuple):
    """A table that the task's SQL reads."""

    table: str
    place: Place


class Use(NamedTuple):
    """A column that it names, of a table for certain."""

    table: str
    column: str
    place: Place


class Output(NamedTuple):
    """A column of the task's table, and what it is made of.

    name: `*` stands for all columns of the one table in `origins`; empty where it is not known.
    origins: each a list of which one is meant: where SQL names no table there may be several.
    """

    name: str
    origins: list[list[Origin]]


class Facts(NamedTuple):
    """A task as its SQL says it.

    depends: as task.yaml has it. problems: SQL that could not be read.
    outputs: the columns that its query gives. is_complete: the table has these and no others.
    is_whole: all that it reads is in `reads`.
    """

    task: str
    depends: list[str]
    problems: list[Problem]
    reads: list[Read]
    uses: list[Use]
    outputs: list[Output]
    is_complete: bool
    is_whole: bool

    @property
    def table(self) -> str:
        """`schema.table`."""
        return self.task.partition(".")[2]


def from_json(values: list[Any]) -> Facts:
    """What `json` made of it, again."""
    task, depends, problems, reads, uses, outputs, is_complete, is_whole = values
    return Facts(
        task,
        depends,
        [Problem(Place(*place), message) for place, message in problems],
        [Read(table, Place(*place)) for table, place in reads],
        [Use(table, column, Place(*place)) for table, column, place in uses],
        [
            Output(name, [[(table, column) for table, column in some] for some in origins])
            for name, origins in outputs
        ],
        is_complete,
        is_whole,
    )
