"""`tests/NAME.yaml` in a task's folder: rows that are given, and what the table becomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from dapu.definitions.folders import TESTS, TaskFolder
from dapu.errors import Fault, FaultyFile
from dapu.warehouse.yamlfile import Strict, read_model

Row = dict[str, Any]


class GivenTable(Strict):
    """A table of the source whose columns have types."""

    columns: dict[str, str] = Field(description="Types, as the source has them, by column")
    rows: list[Row] = Field([], description="Its rows")


Tables = dict[str, list[Row] | GivenTable]


class Given(Strict):
    """What is there before a run."""

    source: list[Row] | Tables | None = Field(
        None,
        description="What the query returns; or the source's tables by name, of which the query "
        "then reads",
    )
    table: list[Row] = Field([], description="Rows of the task's own table")
    tables: dict[str, list[Row]] = Field(
        {}, description="Rows of other tables of the warehouse: `staging.sale`"
    )


class Expected(Strict):
    """What is there after a run. Of rows the columns that are named are compared, in any order."""

    rows: list[Row] | None = Field(None, description="All rows of the task's table")
    tables: dict[str, list[Row]] = Field(
        {}, description="All rows of other tables of the warehouse"
    )
    rejects: int | list[Row] | None = Field(
        None, description="How many rows are rejected, or the rows as they were read"
    )
    warnings: list[str] | None = Field(None, description="Words of each check that warns")
    error: str | None = Field(
        None, description="Words of the error with which the run fails, that of a check too"
    )

    @model_validator(mode="after")
    def _something(self) -> Expected:
        if not self.model_fields_set:
            raise ValueError("say what is expected: `rows`, `tables`, `rejects` or `error`")
        return self


class Round(Strict):
    """One run: what is given, and what is expected."""

    given: Given = Field(default_factory=Given, description="What is there before the run")
    full: bool = Field(False, description="As `dapu run --full`")
    expect: Expected = Field(description="What is there after it")


class CaseFile(Round):
    """A test, and the runs that follow it with what it left."""

    description: str | None = Field(None, description="What it shows, for people")
    then: list[Round] = Field([], description="Further runs, in this order")


@dataclass(frozen=True)
class Case:
    """A test of a task. task: its id."""

    task: str
    path: Path

    @property
    def name(self) -> str:
        """As people name it: `erp.staging.invoice: merge`."""
        return f"{self.task}: {self.path.stem}"

    def read(self) -> Sequence[Round]:
        """Its runs. Raises FaultyFile."""
        if self.path.suffix != ".yaml":
            raise FaultyFile([Fault(self.path, 1, f"is to be called {self.path.stem}.yaml")])
        file = read_model(CaseFile, self.path)
        return [Round(given=file.given, full=file.full, expect=file.expect), *file.then]


def cases_of(folders: Iterable[TaskFolder]) -> list[Case]:
    """The tests of tasks, in their order, and by name."""
    return [
        Case(folder.id, path)
        for folder in folders
        for path in sorted((folder.path / TESTS).glob("*.y*ml"))
        if path.suffix in (".yaml", ".yml")
    ]


def case_faults(folders: Iterable[TaskFolder]) -> list[Fault]:
    """What is wrong with the files of tests."""
    faults: list[Fault] = []
    for case in cases_of(folders):
        try:
            case.read()
        except FaultyFile as error:
            faults += error.faults
    return faults
