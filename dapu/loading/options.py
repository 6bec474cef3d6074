"""How rows are brought into a table: what stands beside `do:` in every action that loads."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, model_validator

from dapu.definitions.checks import Columns
from dapu.definitions.models import ActionOptions
from dapu.rows.masked_columns import PART_KEPT, Mask
from dapu.warehouse.duration_field import Duration
from dapu.warehouse.yamlfile import Strict

LoadMode = Literal["replace", "append", "merge", "snapshot", "history", "period"]
_WHAT_MODES_DO: dict[LoadMode, str] = {
    "replace": "The table holds what was read now, and nothing else.",
    "append": "What was read is added to the rows that are there.",
    "merge": "Rows are updated where their `key` is there, else inserted; no row goes.",
    "snapshot": "As `merge`, and rows that the source no longer has go, or say since when.",
    "history": "Each version of a row stays, with the times from and to which it was so.",
    "period": "The days, months or years that were read are replaced whole.",
}


def _or_null(values: object) -> BeforeValidator:
    """YAML reads a bare `null` as nothing, and what is meant is the word.

    values: the type of all values that a file may have, for its JSON Schema.
    """

    def as_word(value: object) -> object:
        return "null" if value is None else value

    return BeforeValidator(as_word, json_schema_input_type=values)


OnBadValue = Annotated[
    Literal["fail", "null", "reject"], _or_null(Literal["fail", "null", "reject", None])
]
ZeroDates = Annotated[Literal["fail", "null"], _or_null(Literal["fail", "null", None])]


# With less than nothing, rows would be left out that nobody reads later.
NotNegative = Annotated[float, Field(ge=0)]
_KEYED = ("merge", "snapshot", "history")


class SchemaChange(Strict):
    """What to do when the source's columns are no longer those of the table."""

    added: Literal["add", "ignore", "fail"] = Field(
        "add", description="A column is new; default `fail` where the task has steps in ver/"
    )
    removed: Literal["keep", "drop", "fail"] = Field(
        "keep",
        description="A column is no longer in the source; default `drop` for a `transform` that "
        "replaces a table without steps in ver/",
    )
    retyped: Literal["widen", "fail"] = Field(
        "widen",
        description="A column's type does not hold the source's; default `fail` where the task "
        "has steps in ver/",
    )


class WatermarkOptions(Strict):
    """Which column says how far the source was read."""

    column: str = Field(description="A column of the query's result: number, text, date or time")
    overlap: Duration | NotNegative | None = Field(
        None, description="How far before the last value to read again: a duration or a number"
    )
    lag: Duration | NotNegative | None = Field(
        None, description="How far from now, or from the highest number, to stop reading"
    )
    nulls: Literal["include", "skip"] = Field(
        "include", description="Whether rows without a value are read, each time"
    )
    initial: str | int | float | datetime | date | None = Field(
        None, description="Read from this value on at the first run"
    )


class PeriodOptions(Strict):
    """Which rows belong together and are replaced together."""

    column: str = Field(description="A column of dates or times")
    by: Literal["day", "month", "year"] = Field(description="The length of a period")


class KeySweep(Strict):
    """Looks from time to time for rows that the source no longer has, by its keys alone."""

    every: Duration = Field(description="The least time between two looks")
    mark: bool = Field(False, description="Mark the rows in _deleted_at instead of deleting them")


class Rejects(Strict):
    """How many rows may be rejected."""

    at_most: NonNegativeInt | Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?%$")] = Field(
        description="A number of rows, or a share of those that were read: `5 %`"
    )


class LoadOptions(ActionOptions):
    """The part of an action that says what becomes of the rows.

    looks_for_keys: whether the agent can read the keys of its source alone.
    can_hash: whether the agent's rows pass through dapu, so that columns of them can be hashed.
    sees_table: whether the agent's query can read what earlier actions put into the table.
    """

    loads: ClassVar[bool] = True
    looks_for_keys: ClassVar[bool] = False
    can_hash: ClassVar[bool] = False
    sees_table: ClassVar[bool] = False

    load: LoadMode = Field(
        "replace",
        description="What the table holds afterwards",
        json_schema_extra={"enumDescriptions": [*_WHAT_MODES_DO.values()]},
    )
    key: Columns | None = Field(None, description="Columns that identify a row: the primary key")
    watermark: WatermarkOptions | None = Field(
        None, description="Read only what is new since the last run"
    )
    period: PeriodOptions | None = Field(
        None, description="For `load: period`: those that occur in the source are replaced whole"
    )
    deletes: Literal["hard", "soft"] | KeySweep | None = Field(
        None,
        description="Rows that the source no longer has. With `snapshot`: `hard` deletes them (the "
        "default), `soft` marks them in _deleted_at. With `merge`: how often to look for them",
    )
    on_bad_value: OnBadValue = Field(
        "fail",
        description="A value that the column cannot hold fails the job, becomes null, or "
        "sends its row to <table>__rejected",
    )
    nul_characters: Literal["fail", "remove"] = Field(
        "fail", description="NUL characters in text, which PostgreSQL cannot hold"
    )
    hash: list[str] = Field(
        [],
        description="Columns of which only a keyed hash is kept (HMAC-SHA256 with `hash_key` of "
        "warehouse.yaml); their values never reach the warehouse",
    )
    mask: dict[str, Mask] = Field({}, description=f"Columns {PART_KEPT}")
    rejects: Rejects | None = Field(
        None,
        description="With `on_bad_value: reject`: more of them fail the job; default: all rows, "
        "where the table would be empty then",
    )
    zero_dates: ZeroDates = Field(
        "fail", description="Dates such as 0000-00-00, which PostgreSQL cannot hold"
    )
    schema_change: SchemaChange | None = Field(
        None, description="What to do when the source's columns change"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> LoadOptions:
        if self.load in _KEYED and not self.key:
            raise ValueError(f"`load: {self.load}` needs `key`: the columns that identify a row")
        if self.watermark and self.load in ("replace", "period", "snapshot"):
            raise ValueError(
                f"`watermark` reads only what is new, and `load: {self.load}` needs all rows; "
                "give `append`, `merge` or `history` with it"
            )
        if (self.load == "period") != (self.period is not None):
            raise ValueError("`load: period` needs `period: {column: …, by: month}`, and only it")
        if isinstance(self.deletes, KeySweep) and not self.looks_for_keys:
            raise ValueError("`deletes: {every: …}` looks for keys alone: only a database can")
        if isinstance(self.deletes, KeySweep) and self.load != "merge":
            raise ValueError("`deletes: {every: …}` goes with `load: merge`")
        if self.rejects is not None and self.on_bad_value != "reject":
            raise ValueError("`rejects` goes with `on_bad_value: reject`")
        if isinstance(self.deletes, str) and self.load != "snapshot":
            raise ValueError(f"`deletes: {self.deletes}` goes with `load: snapshot`")
        return self

    @model_validator(mode="after")
    def _can_be_hidden(self) -> LoadOptions:
        compared = [one.column for one in (self.watermark, self.period) if one is not None]
        if isinstance(self.deletes, KeySweep):
            compared += self.key or []
        hidden = [("hash", name) for name in self.hash] + [("mask", name) for name in self.mask]
        for what, name in hidden:
            if not self.can_hash:
                raise ValueError(
                    f"`{what}` is for rows that come from a database, a file or a service"
                )
            if name in compared:
                raise ValueError(f"`{what}`: {name} is compared with the source, as it is there")
        for name in self.mask:
            if name in (*self.hash, *(self.key or ())):
                raise ValueError(f"`mask`: {name} stands in `hash` or `key` too; take one of them")
        return self

    @property
    def is_undone(self) -> bool:
        """See `ActionOptions`."""
        return True

    def in_one_transaction(self) -> LoadOptions:
        """The same without what commits on the way."""
        return self

    @property
    def hashed_on_load(self) -> list[str]:
        """The columns of `hash` that the loader hashes; files are hashed while they are read."""
        return self.hash

    @property
    def masked_on_load(self) -> dict[str, str]:
        """The columns of `mask`, in the same way."""
        return self.mask

    def clash(self, earlier: ActionOptions) -> str | None:
        """Why the two would lose rows of each other from the second run on, or None."""
        if not isinstance(earlier, LoadOptions):
            return None
        if any(one.load == "append" and one.watermark for one in (self, earlier)):
            return (
                "`append` with a `watermark` deletes the rows of the values that it reads again, "
                "also those that another action brought; give each action a table of its own and "
                "join them with a `transform`, or use `load: merge` with a `key` that keeps them "
                "apart"
            )
        if self.deletes_others and not self.sees_table:
            what = "`deletes: {every: …}`" if self.load == "merge" else f"`load: {self.load}`"
            return (
                f"{what} of the later action takes away what the earlier one brought, which its "
                "own source does not have; give each action a table of its own and join them with "
                "a `transform`"
            )
        if self.reads_only_news and earlier.deletes_others:
            return (
                f"`load: {earlier.load}` takes away what the later action brought before, and that "
                "one reads only what is new; give each action a table of its own and join them "
                "with a `transform`"
            )
        return None

    @property
    def reads_only_news(self) -> bool:
        """Whether rows that it brought in an earlier run are not read again."""
        return self.watermark is not None

    @property
    def deletes_others(self) -> bool:
        """Whether it deletes rows of the table that do not come from what it reads."""
        if self.load == "history":
            return self.watermark is None
        return self.load in ("replace", "snapshot") or isinstance(self.deletes, KeySweep)

    @property
    def empties_table(self) -> bool:
        """Whether a table has no rows when none are loaded."""
        return self.load in ("replace", "snapshot")

    @property
    def marks_deleted(self) -> bool:
        """Whether rows that the source lost are marked in _deleted_at, instead of deleted."""
        return self.deletes == "soft" or (isinstance(self.deletes, KeySweep) and self.deletes.mark)

    @property
    def checks_values(self) -> bool:
        """Whether there is a policy for which each value is looked at."""
        policies = (self.on_bad_value, self.zero_dates, self.nul_characters)
        return any(policy != "fail" for policy in policies)

    def change_policy(self, has_steps: bool) -> SchemaChange:
        """`schema_change`; a table with steps of its own is not altered unless that is said."""
        given = self.schema_change.model_dump(exclude_unset=True) if self.schema_change else {}
        careful = {"added": "fail", "retyped": "fail"} if has_steps else {}
        return SchemaChange.model_validate(careful | given)
