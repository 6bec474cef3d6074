"""Helper views in the SQL of a target whose statements are text: SQLite, Snowflake, SQL Server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dapu.execute.views import DOCUMENT_COLUMNS, DOCUMENT_ID, ITEM_ID, Kind, View
from dapu.named_sql import statement


@dataclass(frozen=True)
class Dialect:
    """How a target says what a view needs.

    statements: its file in sql/queries.
    name: quotes an identifier. text: quotes a text. path: a path of keys from a value.
    """

    statements: str
    name: Callable[[str], str]
    text: Callable[[str], str]
    path: Callable[[Sequence[str]], str]

    def fill(self, statement_name: str, **parts: str) -> str:
        """A statement or a part of one, with its parts in their places."""
        return statement(f"{self.statements}.{statement_name}").format(**parts)

    def query(self, view: View) -> str:
        """The query that the view is."""
        columns = ", ".join(f"{value} as {self.name(name)}" for name, value in self._columns(view))
        values = {"columns": columns, "type": self.text(view.type)}
        if not view.lists:
            return self.fill("of_documents", **values)
        lists = guards = ""
        for position, path in enumerate(view.lists):
            place = {"item": self._item(position), "path": self.path(path)}
            lists += self.fill("items", alias=f"l{position + 1}", **place)
            guards += self.fill("guard", **place)
        return self.fill("of_lists", lists=lists, guards=guards, **values)

    def _columns(self, view: View) -> Iterator[tuple[str, str]]:
        yield DOCUMENT_ID, "d.ID"
        for position, name in enumerate(view.item_ids, start=1):
            yield name, self._field(self._item(position), (ITEM_ID,), "text")
        for name in DOCUMENT_COLUMNS if view.whole else ():
            yield name, f"d.{name.removeprefix('_')}"
        item = self._item(len(view.lists))
        for column in view.columns:
            yield column.name, self._field(item, (*view.record, *column.path), column.kind)

    def _field(self, item: str, path: Sequence[str], kind: Kind) -> str:
        return self.fill(kind, item=item, path=self.path(path))

    def _item(self, lists: int) -> str:
        return self.fill("item", alias=f"l{lists}") if lists else "d.DATA"
