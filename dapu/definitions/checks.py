"""What must hold after a task's actions, as task.yaml says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, model_validator

from dapu.statement import PASSED_OVER
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.yamlfile import Strict


def _once_each(columns: list[str]) -> list[str]:
    for column in columns:
        if columns.count(column) > 1:
            raise ValueError(f"names {column} twice")
    return columns


Columns = Annotated[list[str], Field(min_length=1), AfterValidator(_once_each)]


def _one_column(given: dict[str, Any]) -> dict[str, Any]:
    if len(given) != 1:
        raise ValueError("names one column; give each column a check of its own")
    return given


def _plain(values: list[Any]) -> list[Any]:
    for value in values:
        if value is None:
            raise ValueError("a row without a value passes in any case; see `not_null`")
        if isinstance(value, (list, dict)):
            raise ValueError(f"{value} is not a value of a column")
    return values


def _one_condition(text: str) -> str:
    """It stands in brackets in a query, which it may not leave."""
    bare = PASSED_OVER.sub(_as_it_is_read, text)
    depth = 0
    for character in bare:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            raise ValueError("closes a bracket that it does not open")
    if depth:
        raise ValueError("does not close each bracket that it opens")
    if re.search(r"['\"]|/\*|\$\w*\$", bare):
        raise ValueError("does not close a quote or a comment")
    if ";" in bare:
        raise ValueError("is one condition, and has no `;`")
    if not bare.strip():
        raise ValueError("is empty")
    return text


def _as_it_is_read(match: re.Match[str]) -> str:
    """Comments as space, texts and names as something; no template, nor names of MySQL."""
    if match[0][0] in "{`":
        return match[0]
    return " " if match[0].startswith(("--", "/*")) else "x"


Condition = Annotated[str, AfterValidator(_one_condition)]
OneColumn = AfterValidator(_one_column)
Values = Annotated[list[Any], Field(min_length=1), AfterValidator(_plain)]
ColumnName = Annotated[str, Field(pattern=r"^[^.]+\.[^.]+\.[^.]+$")]


class RowCount(Strict):
    """How many rows the table holds: within bounds, or about as many as usual."""

    at_least: NonNegativeInt | None = Field(None, description="No fewer rows than that")
    at_most: NonNegativeInt | None = Field(None, description="No more rows than that")
    usual: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?%$")] | None = Field(
        None,
        description="How far it may be from the median of the last ten runs: `20 %`. It passes "
        "until there are three",
    )

    @model_validator(mode="after")
    def _some(self) -> RowCount:
        if not self.model_fields_set:
            raise ValueError("give one or more of `at_least`, `at_most` and `usual`")
        least, most = self.at_least, self.at_most
        if least is not None and most is not None and least > most:
            raise ValueError("`at_least` is more than `at_most`")
        return self


class Check(Strict):
    """What must hold after the actions; each has one of the keys that say what."""

    unique: Columns | None = Field(None, description="No two rows have the same values here")
    not_null: Columns | None = Field(None, description="No row is without a value here")
    accepted_values: Annotated[dict[str, Values], OneColumn] | None = Field(
        None, description="A column, and the values that it may have: `{status: [open, paid]}`"
    )
    relationships: Annotated[dict[str, ColumnName], OneColumn] | None = Field(
        None,
        description="A column, and the one that has each of its values: "
        "`{customer_id: staging.customer.id}`",
    )
    expression: Condition | None = Field(
        None, description="A condition in SQL that is false for no row: `amount >= 0`"
    )
    row_count: RowCount | None = Field(None, description="How many rows the table holds")
    fresh_within: Annotated[dict[str, Duration], OneColumn] | None = Field(
        None,
        description="A column of dates or times, and how old its newest value may be: "
        "`{changed_at: 26 hours}`",
    )
    sql: str | None = Field(None, description="A SQL file; the check passes when it returns no row")
    where: Condition | None = Field(
        None, description="A condition in SQL: the check looks at these rows alone; not for `sql`"
    )
    severity: Literal["fail", "warn"] = Field(
        "fail", description="`warn`: the rows are kept, and the job ends with a warning"
    )

    @property
    def kind(self) -> str:
        """Which of the keys it has."""
        return next(name for name in _KINDS if getattr(self, name) is not None)

    @property
    def label(self) -> str:
        """The check in a few words, as it stands in task.yaml: `unique: [invoice_id]`."""
        value = getattr(self, self.kind)
        if isinstance(value, list):
            value = f"[{', '.join(value)}]"
        elif isinstance(value, Mapping):
            value = next(iter(value))
        elif isinstance(value, RowCount):
            value = ", ".join(
                f"{name} {given}" for name, given in value.model_dump(exclude_none=True).items()
            )
        return f"{self.kind}: {value}" + (f" where {self.where}" if self.where else "")

    @model_validator(mode="after")
    def _exactly_one(self) -> Check:
        if sum(getattr(self, name) is not None for name in _KINDS) != 1:
            listed = ", ".join(f"`{name}`" for name in _KINDS[:-1])
            raise ValueError(f"a check is one of {listed} and `{_KINDS[-1]}`")
        if self.sql is not None and self.where is not None:
            raise ValueError("`where` belongs into the query of a `sql` check")
        return self


_KINDS = (
    "unique",
    "not_null",
    "accepted_values",
    "relationships",
    "expression",
    "row_count",
    "fresh_within",
    "sql",
)
