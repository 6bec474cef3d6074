"""How a large table is cut into parts."""

from __future__ import annotations

from pydantic import Field, model_validator

from dapu.warehouse.yamlfile import Strict


class SplitOptions(Strict):
    """How a table is cut into parts."""

    column: str | None = Field(None, description="A column of the query: number, date or time")
    expression: str | None = Field(None, description="Instead of a column: SQL of the source")
    parts: int | None = Field(None, ge=1, le=10_000, description="So many parts of equal width")
    every: str | float | None = Field(
        None,
        description="Parts of this length: `1 month`, `7 days`, or a number; or `partition`: each "
        "partition of the table is a part",
    )
    at_once: int = Field(
        4,
        ge=1,
        le=32,
        description="Connections to the source at once, of all the workers that read",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> SplitOptions:
        if self.by_partition:
            if self.column or self.expression or self.parts:
                raise ValueError(
                    "`every: partition` goes by the table's own partitions: leave `column`, "
                    "`expression` and `parts` out"
                )
            return self
        if (self.column is None) == (self.expression is None):
            raise ValueError("give `column` or `expression`")
        if (self.parts is None) == (self.every is None):
            raise ValueError("give `parts` or `every`")
        return self

    @property
    def by_partition(self) -> bool:
        """Whether each partition of the table is a part."""
        return self.every == "partition"
