"""The keys of `do: views`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from dapu.definitions.models import ActionOptions
from dapu.generate.views.abi_tables import known_columns
from dapu.suggest import nearest
from dapu.warehouse.connections import MAIN
from dapu.warehouse.yamlfile import Strict


class AbiOptions(Strict):
    """Views of the events and functions of contracts."""

    namespace: str = Field("eth", description="The first part of the views' names")
    contracts: str = Field(
        "ethereum.deployed_contract_metadata",
        description="The table of contracts, unless there is a `query`",
    )
    logs: str = Field("ethereum.logs", description="The table of logs")
    transactions: str = Field("ethereum.transactions", description="The table of transactions")
    traces: str | None = Field(
        "ethereum.traces", description="The table of traces; `null` where there is none"
    )
    columns: dict[str, str] = Field(
        {}, description="Other names of columns, for example `{logs.data: payload}`"
    )

    @field_validator("columns")
    @classmethod
    def _are_known(cls, columns: dict[str, str]) -> dict[str, str]:
        for column in columns:
            if column not in known_columns():
                raise ValueError(
                    f"there is no column `{column}` to rename{nearest(column, known_columns())}"
                )
        return columns


class ViewsOptions(ActionOptions):
    """Makes many views: one for each row of a query, after a template, or of contract ABIs."""

    names: ClassVar[frozenset[str]] = frozenset({"count", "name", "row", "table"})

    do: Literal["views"]
    query: str | None = Field(
        None, description="A SQL file; each row of its result is a view, or with `abi` a contract"
    )
    template: str | None = Field(
        None, description="A SQL file with one SELECT: the view of a row, whose values are in `row`"
    )
    view: str | None = Field(
        None, description="The view's name, for example `sales_{{ row.country }}`"
    )
    group: str | None = Field(
        None,
        description="A column of the query: views with one value of it are made in one "
        "transaction; by default each is made by itself",
    )
    abi: AbiOptions | None = Field(
        None, description="Views of contracts' events and functions, instead of a template"
    )
    connection: str | None = Field(
        None,
        description="With `abi`, a Snowflake database that has the chain and gets the views; "
        "by default the warehouse",
    )
    schema_name: str | None = Field(
        None, alias="schema", description="Where the views are made; by default the task's schema"
    )
    consumers: int = Field(4, ge=1, le=64, description="How many sessions make views at once")

    def sql_files(self) -> list[str]:
        """The query and the template."""
        return [file for file in (self.query, self.template) if file]

    def texts(self) -> list[str]:
        """The name of a view."""
        return [self.view] if self.view else []

    def clash(self, earlier: ActionOptions) -> str | None:
        """Views are made in sessions of their own, which see only what is committed."""
        if isinstance(earlier, ViewsOptions):
            return "the groups of both would have one queue; give each a task"
        return "`do: views` sees only what is committed; give it a task that depends on the other"

    @model_validator(mode="after")
    def _whole(self) -> ViewsOptions:
        if self.abi is not None:
            for key in ("template", "group"):
                if getattr(self, key) is not None:
                    raise ValueError(f"give either `abi` or `{key}`")
            return self
        if self.connection not in (None, MAIN):
            raise ValueError("`connection` goes with `abi`: other views are the warehouse's")
        missing = [key for key in ("query", "template", "view") if getattr(self, key) is None]
        if missing:
            raise ValueError(f"needs {' and '.join(f'`{key}`' for key in missing)}")
        return self
