#!/usr/bin/env python
"""Time `dapu execute push` into PostgreSQL, its memory, and the helper views over many versions.

    ./scripts/bench/run execute [--documents 100000] [--rounds 3]

The documents are of about 2 kB with a list of 20 records, served by a process on loopback; a
round is the whole command, from its start to its end, into an empty database.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from scripts.bench.measure import Measured, Table, run
from scripts.bench.servers import Postgres
from scripts.bench.servers import running_postgres as running_server
from tests.services.execute_afes import AFE_SCHEMA, make_afe
from tests.services.execute_server import ExecuteServer, running_execute
from tests.services.postgres import running_postgres
from tests.support.execute_warehouse import ExecuteWarehouse

_DATABASE, _PIPE = "execute", "psql \\copy of the same rows"
_SAMPLES = 2_000  # documents that the versions for the views are copies of
_MANY = """
insert into execute_documents
select now() + v * interval '1 second', type, md5(g::text)::uuid::text, v, 0,
    author, date, deleted, data
from generate_series(1, %(documents)s) g
cross join generate_series(1, %(versions)s) v
join (select d.*, row_number() over () as n from execute_documents d) d
    on d.n = 1 + g %% (select count(*) from execute_documents)
"""
_QUESTIONS = (
    "select count(*) from afe",
    "select count(*) from afe where not _deleted",
    "select * from afe where document_id = md5('7')::uuid::text",
    "select sum(amount) from afe_owner where document_id = md5('7')::uuid::text",
    "select count(*) from execute_documents_latest",
    "select sum(gross_estimate) from afe",
    "set work_mem = '64MB'; select sum(gross_estimate) from afe",
)


def main() -> None:
    """Measures, and prints."""
    options = _options()
    _bench_push(options.documents, options.rounds)
    _bench_long_list(options.items)
    for documents, versions in ((options.versions, 1), (options.versions // 4, 4)):
        _bench_views(documents, versions)


def _bench_push(documents: int, rounds: int) -> None:
    """Pushes, and beside each the same rows by psql: what PostgreSQL takes in that time alone."""
    print(f"{documents:,} documents of {len(make_afe(0)):,} bytes, each with a list of 20 records")
    table = Table()
    with _serving(documents) as url, running_server() as server:
        for limit in (10_000, documents) * rounds:
            server.execute("postgres", f"create database {_DATABASE}")
            done = _push(server, url, limit, documents)
            table.add(f"push, {limit:,} in an answer", done.seconds, done.memory)
            table.add(_PIPE, _copy_again(server, documents))
            server.execute("postgres", f"drop database {_DATABASE}")
    for name, series in table.items():
        print(
            f"  {name:<28}: {series.median:6.2f} s ({min(series.seconds):.2f} to "
            f"{max(series.seconds):.2f}), {documents / series.median:,.0f} documents/s"
            + (f", {series.memory / 1e6:.0f} MB" if series.memory else "")
        )


def _copy_again(server: Postgres, documents: int) -> float:
    """The seconds in which psql copies the rows that a push brought into their table."""
    with tempfile.NamedTemporaryFile(prefix="dapu-bench-") as file:
        run(server.psql(_DATABASE, f"\\copy execute_documents to '{file.name}'"))
        server.execute(_DATABASE, "truncate execute_documents")
        server.settle(_DATABASE)
        copied = run(server.psql(_DATABASE, f"\\copy execute_documents from '{file.name}'"))
    _check_count(server, "execute_documents", documents)
    return copied.seconds


def _bench_long_list(items: int) -> None:
    with _serving(1, items) as url, running_server(_DATABASE) as server:
        done = _push(server, url, 10_000, 1)
    print(
        f"one document whose list has {items:,} items: {done.seconds:.1f} s, "
        f"{done.memory / 1e6:.0f} MB"
    )


def _bench_views(documents: int, versions: int) -> None:
    with (
        running_execute() as server,
        running_postgres() as postgres,
        tempfile.TemporaryDirectory() as folder,
        closing(psycopg2.connect(postgres.uri())) as session,
    ):
        session.autocommit = True
        _fill(server, ExecuteWarehouse("POSTGRES", postgres.uri(), server, Path(folder)))
        cursor = session.cursor()
        cursor.execute(_MANY, {"documents": documents, "versions": versions})
        ExecuteWarehouse("POSTGRES", postgres.uri(), server, Path(folder)).create_views()
        cursor.execute("analyze")
        cursor.execute("select count(*) from afe")
        if cursor.fetchone() != (documents + _SAMPLES,):
            sys.exit("the view does not show each document once")
        cursor.execute("select count(*), pg_table_size('execute_documents') from execute_documents")
        stored, size = cursor.fetchone() or (0, 0)
        print(
            f"{stored:,} stored versions of {stored // versions:,} documents, {size / 1e9:.1f} GB"
        )
        for question in _QUESTIONS:
            times = []
            for _ in range(3):
                started = time.perf_counter()
                cursor.execute(question)
                cursor.fetchall()
                times.append(time.perf_counter() - started)
            print(f"  {times[0]:7.3f} s, then {min(times[1:]):7.3f} s: {question}")


def _fill(server: ExecuteServer, warehouse: ExecuteWarehouse) -> None:
    server.schema = AFE_SCHEMA
    for number in range(_SAMPLES):
        server.put_text(("AFE", f"{number}", 1), make_afe(number))
    warehouse.push()


@contextmanager
def _serving(documents: int, items: int = 0) -> Iterator[str]:
    """A server in a process of its own: what the bench itself holds counts as a child's memory."""
    numbers = [f"{documents}", f"{items}"]
    command = [sys.executable, "-m", "tests.services.execute_server", *numbers]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def _push(server: Postgres, url: str, limit: int, documents: int) -> Measured:
    dsn = server.uri(_DATABASE)
    environment = ExecuteWarehouse("POSTGRES", dsn, ExecuteServer(url=url), Path()).environment
    server.settle(_DATABASE)
    command = [sys.executable, "-m", "dapu", "execute", "push", "-m", f"{limit}"]
    done = run(command, env=environment)
    _check_count(server, "execute_documents_current", documents)
    return done


def _check_count(server: Postgres, table: str, documents: int) -> None:
    found = server.execute(_DATABASE, f"select count(*) from {table}")
    if found != [(documents,)]:
        sys.exit(f"there are {found[0][0]} documents, not {documents}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000, help="to push")
    parser.add_argument("--rounds", type=int, default=3, help="of the push")
    parser.add_argument("--items", type=int, default=1_000_000, help="of the long list")
    parser.add_argument("--versions", type=int, default=1_000_000, help="under the views")
    return parser.parse_args()


if __name__ == "__main__":
    main()
