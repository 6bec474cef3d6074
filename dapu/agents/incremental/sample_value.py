"""A value of a watermark's column, for a watermark that is set by hand."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from dapu.definitions.reader import Definition
from dapu.definitions.templates import read_template
from dapu.loading.options import LoadOptions
from dapu.sources.databases.open import open_source
from dapu.sources.databases.subquery import highest
from dapu.statement import Statement, TableName
from dapu.warehouse.connections import MAIN
from dapu.warehouse.warehouse import Warehouse

_IN_THE_WAREHOUSE = "transform"
_OF_A_DATABASE = ("database", _IN_THE_WAREHOUSE)


def sample_value(
    warehouse: Warehouse, definition: Definition, options: LoadOptions, connection: str
) -> Any:
    """The highest value of the column, as the source's driver gives it; None when it has none.

    A source that is not a database has texts of its own: a text as it is written.
    connection: the route's. Raises JobError when the source cannot be asked.
    """
    if options.watermark is None or options.do not in _OF_A_DATABASE:
        return ""
    if options.do == _IN_THE_WAREHOUSE:
        connection = MAIN
    else:
        connection = options.connections["connection"] or connection
    query = _query(definition, options)
    with closing(open_source(warehouse, connection)) as source:
        column = options.watermark.column
        return source.value(highest(query, column, source.quote, source.own_schema))


def _query(definition: Definition, options: LoadOptions) -> Statement:
    folder = definition.folder
    names = definition.variables | {
        "task": folder.id,
        "this": TableName(folder.schema, folder.table),
        "watermark": options.watermark and options.watermark.initial,
    }
    (file,) = options.sql_files()
    return read_template(folder.path / file).render(names)
