#!/usr/bin/env python
"""Time loading a WFS layer of polygons into PostGIS: dapu beside ogr2ogr.

    ./scripts/bench/run wfs [--polygons 100000] [--rounds 3]

Both read the same layer of a MapServer on loopback and fill the same table, in turn, each as a
command of its own. Needs Debian's cgi-mapserver, postgresql-postgis and gdal-bin.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from tests.services import mapserver, postgis
from tests.services.mapserver import Layer, MapServer
from tests.services.postgres import Postgres

_TASK = "gis.staging.parcel"
# Polygons of seventeen corners, as parcels and buildings have, with four attributes.
_SOURCE = """
create extension postgis;
create table source as
select id, 'Parcel ' || id as name, (id * 1.1)::numeric(12, 2) as area,
    date '2024-01-01' + id % 365 as registered,
    st_setsrid(st_buffer(st_makepoint(400000 + id % 1000 * 300, 6400000 + id / 1000 * 300),
        100, 4), 3301)::geometry(Polygon, 3301) as geom
from generate_series(1, {polygons}) as id;
alter table source add primary key (id);
analyze source;
create schema staging;
create table staging.parcel (
    id bigint, name text, area numeric, registered date, msgeometry geometry);
"""


@dataclass
class Way:
    """A way to load the layer, and how it went.

    seconds: from start to end. processor: those in which the command itself computed.
    rows: how many the table had then, and how many different ones.
    """

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    rows: tuple[int, int] = (0, 0)
    environment: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Starts the servers, and lets each way load in turn."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="dapu-bench-") as folder,
        _servers(Path(folder)) as both,
    ):
        server, database = both
        _execute(database, _SOURCE.format(polygons=options.polygons))
        server.serve([Layer("parcel", "source")], _libpq(database))
        ways = [*_dapu_ways(server, database, Path(folder)), *_ogr2ogr_ways(server, database)]
        for _ in range(options.rounds):
            for way in ways:
                _measure(way, database)
    _show(ways)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--polygons", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[MapServer, Postgres]]:
    programs, program = postgis.installed(), mapserver.installed()
    if programs is None or program is None or shutil.which("ogr2ogr") is None:
        sys.exit("this bench needs Debian's cgi-mapserver, postgresql-postgis and gdal-bin")
    with (
        postgis.running_postgis(programs) as database,
        mapserver.running_mapserver(program, folder) as server,
    ):
        yield server, database


def _dapu_ways(server: MapServer, database: Postgres, folder: Path) -> Iterator[Way]:
    for name, key in (
        ("dapu", "geometry: msgeometry"),
        ("dapu, pages of 50,000", "page_size: 50000, sort_by: id"),
    ):
        warehouse = folder / key.partition(":")[0]  # and the name of its registry
        keys = f"{{do: wfs, layer: parcel, {key}}}"
        _write_warehouse(warehouse, server, database, keys)
        for command in ("versioner", "registrar"):
            _run([sys.executable, "-m", "dapu", command, str(warehouse)], {})
        yield Way(name, [sys.executable, "-m", "dapu", "run", str(warehouse), _TASK])


def _write_warehouse(folder: Path, server: MapServer, database: Postgres, keys: str) -> None:
    task = folder / "routes/gis/staging/parcel"
    task.mkdir(parents=True)
    (folder / "warehouse.yaml").write_text(f"registry: {{schema: {folder.name}}}\n")
    (folder / "connections.yaml").write_text(
        f"- {{name: main, driver: pg, host: {database.socket_directory}, database: postgres, "
        f"username: postgres}}\n- {{name: gis, driver: wfs, url: '{server.url}'}}\n"
    )
    (folder / "routes/gis/route.yaml").write_text("connection: gis\n")
    (task / "task.yaml").write_text(f"run: {{retries: 0}}\nactions: [{keys}]\n")


def _ogr2ogr_ways(server: MapServer, database: Postgres) -> Iterator[Way]:
    command = ["ogr2ogr", "-f", "PostgreSQL", f"PG:{_libpq(database)}"]
    command += [f"WFS:{server.url}?service=WFS&version=2.0.0", "-append", "-nln", "staging.parcel"]
    command += ["-sql", "select id, name, area, timePosition as registered from parcel"]
    ways = {
        "ogr2ogr, without pages": {"OGR_WFS_PAGING_ALLOWED": "OFF"},
        "ogr2ogr, pages of 50,000": {"OGR_WFS_PAGE_SIZE": "50000"},
    }
    for name, settings in ways.items():
        yield Way(name, command, environment={"PG_USE_COPY": "YES", **settings})


def _measure(way: Way, database: Postgres) -> None:
    _execute(database, "truncate staging.parcel")
    started = time.monotonic()
    way.processor.append(_run(way.command, way.environment))
    way.seconds.append(time.monotonic() - started)
    with closing(psycopg2.connect(database.uri())) as session, session.cursor() as cursor:
        cursor.execute("select count(*), count(distinct id) from staging.parcel")
        row = cursor.fetchone()
        way.rows = (row[0], row[1]) if row else (0, 0)


def _run(command: list[str], environment: dict[str, str]) -> float:
    """Runs a command to its end; returns the seconds in which it computed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed: {output.read().decode(errors='replace')}")
    return used.ru_utime + used.ru_stime


def _execute(database: Postgres, text: str) -> None:
    with closing(psycopg2.connect(database.uri())) as session, session, session.cursor() as cursor:
        cursor.execute(text)


def _libpq(database: Postgres) -> str:
    return f"host={database.socket_directory} user=postgres dbname=postgres"


def _show(ways: list[Way]) -> None:
    print(f"{'way':<26} {'best s':>7} {'median s':>9} {'cpu s':>6} {'rows':>9} {'different':>10}")
    for way in ways:
        best, median = min(way.seconds), statistics.median(way.seconds)
        print(
            f"{way.name:<26} {best:>7.1f} {median:>9.1f} {min(way.processor):>6.1f} "
            f"{way.rows[0]:>9,} {way.rows[1]:>10,}"
        )


if __name__ == "__main__":
    main()
