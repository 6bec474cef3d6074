"""`do: sql`: runs SQL files in the warehouse."""

from __future__ import annotations

from typing import Literal

import psycopg2
from pydantic import Field

from dapu.agents.base import Agent, Context
from dapu.definitions.models import ActionOptions
from dapu.errors import Fault, JobError
from dapu.loading.result import LoadResult


class SqlOptions(ActionOptions):
    """Runs SQL files in the warehouse, one after the other, in the job's transaction."""

    do: Literal["sql"]
    file: list[str] | str = Field(description="One SQL file or several, in this order")

    def sql_files(self) -> list[str]:
        """The files."""
        return [self.file] if isinstance(self.file, str) else self.file

    def scripts(self) -> list[str]:
        """All of them: each may hold several statements."""
        return self.sql_files()


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
                try:
                    cursor.execute(text)
                except psycopg2.errors.QueryCanceled:
                    raise
                except psycopg2.Error as error:
                    raise JobError(_explain(context, file, text, error)) from error
                rows += max(cursor.rowcount, 0)
        return LoadResult(rows)


def _explain(context: Context, file: str, text: str, error: psycopg2.Error) -> str:
    place = error.diag.statement_position
    line = 1 + text[: int(place) - 1].count("\n") if place else 1
    reason = (error.diag.message_primary or str(error)).strip()
    detail = f"; {error.diag.message_detail}" if error.diag.message_detail else ""
    return str(Fault(context.folder / file, line, reason + detail))
