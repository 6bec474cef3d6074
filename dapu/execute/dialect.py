"""Helper views in the SQL of a target whose statements are text: all but PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dapu.execute.helper_views import DOCUMENT_COLUMNS, DOCUMENT_ID, ITEM_ID, HelperView, Kind
from dapu.named_sql import statement


def fill(statement_name: str, **parts: str) -> str:
    """A named statement or a piece of one, its braces filled with SQL."""
    return statement(statement_name).format(**parts)


@dataclass(frozen=True)
class ViewStatements:
    """The names of what a target's views are put together from."""

    of_documents: str
    """A view of documents."""

    of_lists: str
    """A view of the items of lists."""

    items: str
    """A list whose items are joined to a document."""

    guard: str
    """The condition that it is a list."""

    item: str
    """An item of a list."""

    kinds: Mapping[Kind, str]
    """A field of each kind."""


@dataclass(frozen=True)
class ViewDialect:
    """How a target says what a view needs.

    name: quotes an identifier. text: quotes a text. path: a path of keys from a value.
    """

    statements: ViewStatements
    name: Callable[[str], str]
    text: Callable[[str], str]
    path: Callable[[Sequence[str]], str]

    def query(self, view: HelperView) -> str:
        """The query that the view is."""
        shown = [*self.fixed_columns(view), *self.fields(view)]
        parts = {
            "columns": ", ".join(f"{value} as {self.name(name)}" for name, value in shown),
            "type": self.text(view.type),
            "record": self.record(view),
        }
        if not view.lists:
            return fill(self.statements.of_documents, **parts)
        places = [
            {"item": self.item(position), "path": self.path(path), "alias": f"l{position + 1}"}
            for position, path in enumerate(view.lists)
        ]
        lists = " ".join(fill(self.statements.items, **place) for place in places)
        guards = " ".join(fill(self.statements.guard, **place) for place in places)
        return fill(self.statements.of_lists, lists=lists, guards=guards, **parts)

    def fixed_columns(self, view: HelperView) -> Iterator[tuple[str, str]]:
        """Names and values of the columns that are not fields."""
        yield DOCUMENT_ID, "d.ID"
        for position, name in enumerate(view.item_ids, start=1):
            yield name, self.field(self.item(position), (ITEM_ID,), "text")
        for name in DOCUMENT_COLUMNS if view.whole else ():
            yield name, f"d.{name.removeprefix('_')}"

    def record(self, view: HelperView) -> str:  # noqa: ARG002
        """What a query is joined to, for the values of fields."""
        return ""

    def field(self, item: str, path: Sequence[str], kind: Kind) -> str:
        """A value in an item."""
        return fill(self.statements.kinds[kind], item=item, path=self.path(path))

    def item(self, lists: int) -> str:
        """What a path starts from: the document, or the item of the innermost list."""
        return fill(self.statements.item, alias=f"l{lists}") if lists else "d.DATA"

    def fields(self, view: HelperView) -> Iterator[tuple[str, str]]:
        """Names and values of the columns that are fields."""
        item = self.item(len(view.lists))
        for column in view.columns:
            yield column.name, self.field(item, (*view.record, *column.path), column.kind)
