"""A load that says nothing for longer than a proxy's timeout, through each way to the server.

Times are scaled down: `--timeout` stands for HAProxy's `timeout client` and `timeout server`, and
for PgBouncer's limits of queries and idle clients.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from dapu.agents.installed import known_agents
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.registry import agenda
from dapu.registry.version import registry_of
from dapu.warehouse.warehouse import open_warehouse
from dapu.worker.job import Outcome
from dapu.worker.worker import Worker
from tests.services.postgres import Postgres, running_postgres
from tests.support.rounds import Seen

_HAPROXY = """\
global
    maxconn 200
defaults
    mode tcp
    timeout connect 5s
    timeout client {timeout}
    timeout server {timeout}
{more}
frontend warehouse
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    server one {server}
"""
_PGBOUNCER = """\
[databases]
* = host={host} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = session
{more}
"""
_GOOD_HAPROXY = "    option clitcpka\n    option srvtcpka"
_TASK = "r.public.t"


@contextmanager
def program(command: list[str], port: int, user: int | None = None) -> Iterator[None]:
    """Runs a proxy until it is no longer needed."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user
    )
    try:
        wait_for(port)
        yield
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    """Waits until somebody listens there."""
    import socket

    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nobody listens on port {port}")


@contextmanager
def haproxy(folder: Path, server: str, port: int, timeout: str, more: str = "") -> Iterator[int]:
    """HAProxy before a server; yields its port."""
    file = folder / f"haproxy-{port}.cfg"
    file.write_text(_HAPROXY.format(timeout=timeout, more=more, port=port, server=server))
    with program(["haproxy", "-db", "-f", str(file)], port):
        yield port


@contextmanager
def pgbouncer(folder: Path, server: Postgres, port: int, more: str) -> Iterator[int]:
    """PgBouncer in session mode before a server; yields its port."""
    file = folder / f"pgbouncer-{port}.ini"
    where = server.socket_directory
    file.write_text(_PGBOUNCER.format(host=where, port=server.port, own=port, more=more))
    file.chmod(0o644)
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    user = pwd.getpwnam("pgserver").pw_uid if os.geteuid() == 0 else None
    with program([str(found), str(file)], port, user):
        yield port


def load(folder: Path, port: int, silence: int) -> Outcome | None:
    """Runs a task that is silent for so many seconds; None when its worker gave up."""
    files = {
        "warehouse.yaml": "",
        "connections.yaml": (
            f"- {{name: main, driver: pg, host: 127.0.0.1, port: {port}, database: postgres, "
            "username: postgres}\n"
        ),
        "routes/r/route.yaml": "",
        f"routes/{_TASK.replace('.', '/')}/task.yaml": (
            "run: {retries: 0}\nactions: [{do: sql, file: run.sql}]\n"
        ),
        f"routes/{_TASK.replace('.', '/')}/run.sql": (
            f"create table public.t as select 1 as one; select pg_sleep({silence});"
        ),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    warehouse = open_warehouse(folder)
    bring_up_to_date(warehouse, lambda _: None)
    register(warehouse, known_agents(warehouse.settings).reader(warehouse.settings), lambda _: None)
    with warehouse.session("run") as session, session, session.cursor() as cursor:
        job = agenda.add(cursor, registry_of(warehouse), _TASK, "run", full=False)
    assert job is not None
    seen = Seen()
    Worker(warehouse, seen, minutes=silence / 60 * 3).run(only=[job])
    return seen.outcomes.get(_TASK)


def show(way: str, port: int, server: Postgres, silence: int, folder: Path) -> None:
    """Runs a load and prints how it came out, and whether its table is there."""
    with closing(psycopg2.connect(server.uri())) as session, session, session.cursor() as cursor:
        cursor.execute("drop table if exists public.t; drop schema if exists meta cascade")
    outcome = load(Path(tempfile.mkdtemp(dir=folder)), port, silence)
    with closing(psycopg2.connect(server.uri())) as session, session.cursor() as cursor:
        cursor.execute("select to_regclass('public.t') is not null")
        [is_there] = cursor.fetchone() or [None]
    said = "gave up" if outcome is None else f"{outcome.status}: {outcome.message[:90]}"
    print(f"{way:55} {'table' if is_there else 'nothing':8} {said}", flush=True)


def main() -> None:
    """Tries each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--silence", type=int, default=12, help="seconds that a load says nothing")
    parser.add_argument("--timeout", type=int, default=5, help="seconds of the proxies' timeouts")
    given = parser.parse_args()
    short, silence = f"{given.timeout}s", given.silence
    limits = f"query_timeout = {given.timeout}\nclient_idle_timeout = {given.timeout}"
    good = "server_idle_timeout = 600\ntcp_keepalive = 1\ntcp_keepidle = 10\ntcp_keepintvl = 5"
    with running_postgres() as server, tempfile.TemporaryDirectory(prefix="dapu-proxies-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        socket = f"unix@{server.socket_directory}/.s.PGSQL.{server.port}"
        ports = iter(range(16_432, 16_500))
        with haproxy(folder, socket, next(ports), short) as port:
            show(f"HAProxy, timeouts of {short}", port, server, silence, folder)
        with haproxy(folder, socket, next(ports), short, _GOOD_HAPROXY) as port:
            show(f"HAProxy, timeouts of {short}, keepalives", port, server, silence, folder)
        with haproxy(folder, socket, next(ports), "24h", _GOOD_HAPROXY) as port:
            show("HAProxy, timeouts of 24h, keepalives", port, server, silence, folder)
        with pgbouncer(folder, server, next(ports), limits) as port:
            show(f"PgBouncer, query_timeout {short}", port, server, silence, folder)
        with pgbouncer(folder, server, next(ports), good) as inner:
            show("PgBouncer, no limits", inner, server, silence, folder)
            own = f"127.0.0.1:{inner}"
            with haproxy(folder, own, next(ports), "24h", _GOOD_HAPROXY) as port:
                show("HAProxy of 24h before PgBouncer", port, server, silence, folder)


if __name__ == "__main__":
    main()
