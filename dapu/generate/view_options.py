"""The keys of `do: views`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from dapu.definitions.models import ActionOptions


class ViewsOptions(ActionOptions):
    """Makes many views: one for each row of a query, after a template."""

    names: ClassVar[frozenset[str]] = frozenset({"count", "name", "row", "table"})

    do: Literal["views"]
    query: str | None = Field(None, description="A SQL file; each row of its result is a view")
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
        missing = [key for key in ("query", "template", "view") if getattr(self, key) is None]
        if missing:
            raise ValueError(f"needs {' and '.join(f'`{key}`' for key in missing)}")
        return self
