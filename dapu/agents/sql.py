"""`do: sql`: runs SQL files in the warehouse."""

from __future__ import annotations

from typing import Literal

import psycopg2
from pydantic import Field

from dapu.agents.base import Agent, Context
from dapu.definitions.models import ActionOptions
from dapu.definitions.script import fault_in_statement, split
from dapu.errors import JobError
from dapu.loading.result import LoadResult


class SqlOptions(ActionOptions):
    """Runs SQL files in the warehouse, one after the other, in the job's transaction."""

    do: Literal["sql"]
    file: list[str] | str = Field(description="One SQL file or several, in this order")
    when: Literal["changed", "unchanged"] | None = Field(
        None, description="Run only when the actions before it changed the table, or only when not"
    )
    transaction: Literal["job", "none"] = Field(
        "job", description="`none`: after the job's commit, each statement by itself"
    )

    def sql_files(self) -> list[str]:
        """The files."""
        return [self.file] if isinstance(self.file, str) else self.file

    def scripts(self) -> list[str]:
        """Those that run in the job's transaction: each may hold several statements."""
        return [] if self.outside_transaction else self.sql_files()

    @property
    def outside_transaction(self) -> bool:
        """See `ActionOptions`."""
        return self.transaction == "none"

    @property
    def is_undone(self) -> bool:
        """See `ActionOptions`."""
        return not self.outside_transaction

    @property
    def runs_when(self) -> Literal["changed", "unchanged"] | None:
        """See `ActionOptions`."""
        return self.when


class SqlAgent(Agent[SqlOptions]):
    """Runs SQL files."""

    name = "sql"
    options = SqlOptions

    def run(self, context: Context, options: SqlOptions) -> LoadResult:
        """Runs the files; the rows are those that the last statement of each touched."""
        rows = 0
        with context.session.cursor() as cursor:
            for file in options.sql_files():
                text = context.sql(file).composed().as_string(cursor)
                for part in split(text):  # for the server does not say which of several failed
                    context.sent.send(file, part.text, part.line)
                    try:
                        cursor.execute(part.text)
                    except psycopg2.errors.QueryCanceled:
                        raise
                    except psycopg2.Error as error:
                        fault = fault_in_statement(context.action.folder / file, part, error)
                        raise JobError(str(fault)) from error
                rows += max(cursor.rowcount, 0)
        return LoadResult(rows)
