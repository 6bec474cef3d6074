"""What dlt runs in `bench load --peers`, in an environment of its own: one table, wholly.

python bench_load_dlt.py SOURCE_URL DATASET FOLDER
"""

from __future__ import annotations

import sys

import dlt  # type: ignore[import-not-found]
from dlt.sources.sql_database import sql_table  # type: ignore[import-not-found]


def main() -> None:
    """Loads the table. The destination is in the environment."""
    source, dataset, folder = sys.argv[1:]
    table = sql_table(
        credentials=source,
        table="lineitem",
        backend="connectorx",
        reflection_level="full_with_precision",
    )
    # Its primary_key makes no key in PostgreSQL; this makes the same index.
    table.apply_hints(columns={"l_id": {"unique": True}})
    pipeline = dlt.pipeline(
        f"bench_{dataset}", pipelines_dir=folder, destination="postgres", dataset_name=dataset
    )
    pipeline.run(table, write_disposition="replace", loader_file_format="csv")


main()
