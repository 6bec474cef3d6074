"""`do: rest`: a faulty definition is refused before anything is asked."""

from __future__ import annotations

import pytest

from tests.services.rest_task import Crm
from tests.support.one_task import OneTask

pytestmark = pytest.mark.usefixtures("short_waits")
FAULTY = [
    ("records: '['", "actions[1].records: '[' is not a JMESPath expression"),
    ("columns: {id: 'a['}", "is not a JMESPath expression"),
    ("columns: {id: {path: id, type: 'int; drop table x'}}", "is not a type; write, for example"),
    ("columns: {id: {path: id, repeat: x}}", "one of `path`, `record` and a name of `repeat`"),
    ("columns: {id: {repeat: shop}}", "columns.id: `repeat` has no shop"),
    (
        "repeat: {values: [{shops: 1}]}\ncolumns: {id: {repeat: shop}}",
        "columns.id: `repeat` has no shop; did you mean `shops`?",
    ),
    ("repeat: {}", "`repeat` is either a `query` or a list of `values`"),
    ("repeat: {values: [{a: 1}, {b: 1}]}", "the rows of `values` must all have the same names"),
    ("repeat: {query: missing.sql}", "there is no file missing.sql"),
    ("pages: {by: pages}", "pages"),
    ("pages: {by: page, size: 10}", "`size` and `size_parameter` go together"),
    ("pages: {by: cursor}", "cursor"),
    ("body: {a: 1}", "a `body` needs `method: POST`"),
    (
        "load: append\ncolumns: {id: id}\nwatermark: {column: at}",
        "`watermark`: `columns` has no at",
    ),
    (
        "columns: {id: id}\nload: merge\nkey: [id]\ndeletes: {every: 1 day}",
        "`deletes: {every: …}` looks for keys alone: only a database can",
    ),
    (
        "load: append\ncolumns: {at: at}\nwatermark: {column: at}",
        "`watermark`: nothing asks for it",
    ),
]


@pytest.mark.parametrize(("action", "says"), FAULTY)
def test_a_faulty_definition_is_refused(crm: Crm, action: str, says: str) -> None:
    crm.has(f"path: list\n{action}")
    assert says in crm.is_refused()


def test_a_connection_of_another_kind(task: OneTask) -> None:
    task.has("driver: files\npath: /tmp", "do: rest\npath: list")
    assert task.fails() == "the connection `source` is not a web service (`driver: rest`)"
