"""What dlt runs in `bench load --peers`, in an environment of its own: one table, wholly.

python dlt_pipeline.py SOURCE DATASET FOLDER

SOURCE: a SQLAlchemy URL, or the path of a CSV file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import dlt  # type: ignore[import-not-found]
from dlt.sources.sql_database import sql_table  # type: ignore[import-not-found]
from pyarrow import csv


def from_database(url: str) -> Any:
    """The table of a database."""
    return sql_table(
        credentials=url,
        table="lineitem",
        backend="connectorx",
        reflection_level="full_with_precision",
    )


def from_file(path: str) -> Any:
    """The rows of a CSV file, as pyarrow reads them."""

    def batches() -> Iterator[Any]:
        yield from csv.open_csv(path)

    return dlt.resource(batches, name="lineitem")


def main() -> None:
    """Loads the table. The destination is in the environment."""
    source, dataset, folder = sys.argv[1:]
    table = from_file(source) if source.endswith(".csv") else from_database(source)
    # Its primary_key makes no key in PostgreSQL; this makes the same index.
    table.apply_hints(columns={"l_id": {"unique": True}})
    pipeline = dlt.pipeline(
        f"bench_{dataset}", pipelines_dir=folder, destination="postgres", dataset_name=dataset
    )
    pipeline.run(table, write_disposition="replace", loader_file_format="csv")


main()
