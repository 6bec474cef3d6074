"""What PyAirbyte runs in `bench connectors`, in an environment of its own: one stream, wholly.

python pyairbyte_sync.py PROGRAM PORT CONFIG FOLDER

PROGRAM: the connector. PORT: of the PostgreSQL. CONFIG: the connector's configuration, as JSON.
FOLDER: where PyAirbyte puts records on their way.
"""

from __future__ import annotations

import json
import sys

import airbyte  # type: ignore[import-not-found]
from airbyte.caches import PostgresCache  # type: ignore[import-not-found]

program, port, config, folder = sys.argv[1:]
source = airbyte.get_source(
    "source-counting",
    local_executable=program,
    config=json.loads(config),
    streams=["one"],
    install_if_missing=False,
)
cache = PostgresCache(
    host="127.0.0.1",
    port=int(port),
    username="postgres",
    password="none",
    database="warehouse",
    schema_name="pyairbyte",
    cache_dir=folder,
)
source.read(cache=cache, write_strategy="replace", force_full_refresh=True)
