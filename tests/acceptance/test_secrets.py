"""No password is ever shown, stored, or seen in a list of processes."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as PgSession

from dapu import secrets
from tests.conftest import Database, MakeWarehouse
from tests.support.command import Finished, dapu, here, running, wait_until
from tests.support.components import a_task, manager, one, rows, write
from tests.support.rounds import prepare

# Each with characters that URLs, YAML, JSON or SQL write in another way.
SECRETS = {
    "MAIN_PWD": "mArked:main/pä$s\"w'rd%41",
    "ERP_PWD": "mArked@erp #?&=pass\\word",
    "KEY": "mArkedTokenInExtra",
}
MARK = "arked"  # no message of dapu's has it

CONNECTIONS = """
- name: main
  driver: pg
  host: {host}
  port: {port}
  database: {database}
  username: postgres
  password: ${{MAIN_PWD}}
- name: erp
  url: mysql+pymysql://reader:${{ERP_PWD}}@127.0.0.1:1/erp?connect_timeout=1
- name: other
  url: postgresql://reader:${{ERP_PWD}}@127.0.0.1:1/erp
- name: tokened
  url: mysql+pymysql://reader@127.0.0.1:1/erp
  extra: {{password: "${{KEY}}", connect_timeout: 1}}
- name: odd
  url: postgresql://127.0.0.1:1/erp?password=${{KEY}}
"""
PULL = "run: {retries: 0}\nactions: [{do: database, query: q.sql}]\n"
LEAKING = """
do $$ begin
    raise exception 'it says %', current_setting('dapu_test.told');
end $$
"""


def forms(secret: str) -> set[str]:
    """How a secret may look in what is shown."""
    shown = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    shown |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return shown | {base64.b64encode(secret.encode()).decode()}


@dataclass
class Listener:
    """Collects what commands say, and finds secrets in it."""

    said: list[str] = field(default_factory=list)

    def hear(self, done: Finished) -> Finished:
        self.said.append(done.text)
        return done

    def check(self, *more: str) -> None:
        for text in [*self.said, *more]:
            assert MARK not in text, text
            for secret in SECRETS.values():
                assert not [form for form in forms(secret) if form in text], text


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def folder(
    make_warehouse: MakeWarehouse, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A warehouse whose connections have passwords, from .env and from the environment."""
    monkeypatch.setenv("ERP_PWD", SECRETS["ERP_PWD"])
    monkeypatch.setattr(secrets, "_secrets", set())  # those of other tests, in this process
    connections = CONNECTIONS.format(
        host=database.server.socket_directory, port=database.server.port, database=database.name
    )
    files = {
        "connections.yaml": connections,
        ".env": f"MAIN_PWD={SECRETS['MAIN_PWD']}\nKEY={SECRETS['KEY']}\n",
        "routes/main/route.yaml": "",
        **a_task("main.s.fine"),
    }
    for name in ("erp", "other", "tokened", "odd"):
        files[f"routes/{name}/route.yaml"] = f"connection: {name}"
        files[f"routes/{name}/s/{name}/task.yaml"] = PULL
        files[f"routes/{name}/s/{name}/q.sql"] = "select 1"
    return make_warehouse(files)


def registry(connection: PgSession) -> str:
    """All that stands in the registry, as text."""
    tables = rows(connection, "select tablename from pg_tables where schemaname = 'meta'")
    assert len(tables) >= 10
    text = ""
    for (table,) in tables:
        query = sql.SQL("select t::text from {} t").format(sql.Identifier("meta", table))
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            text += "\n".join(row[0] for row in cursor.fetchall())
    return text


@pytest.mark.slow
def test_no_command_shows_a_secret_and_none_is_stored(
    folder: Path, listener: Listener, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(name: str, *arguments: str) -> Finished:
        return listener.hear(here(capsys, name, folder, *arguments))

    assert run("versioner").status == 0
    assert run("registrar").status == 0
    assert run("manager").status == 0
    worked = run("worker")
    assert worked.status == 1
    assert "main.s.fine: job" in worked.out
    for name in ("erp", "other", "tokened", "odd"):
        assert f"the connection `{name}` is refused" in worked.out, worked.text
    assert run("run", "erp.s.erp").status == 1
    run("retry", "1")
    assert listener.hear(dapu("worker", folder, "--processes", "2")).status in (0, 1)
    for arguments in ([], ["--json"], ["erp.s.erp"], ["erp.s.erp", "--json"], ["no.such.task"]):
        run("status", *arguments)
    key = SECRETS["KEY"]
    run("query", f'select "{key}"')
    for name in ("pause", "resume", "cleaner", "validate", "retry", "cancel", "schema"):
        run(name, *(["2"] if name in ("retry", "cancel") else []))
    listener.check(registry(connection))


def test_data_that_was_asked_for_is_shown_as_it_is(
    make_warehouse: MakeWarehouse, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password of one letter, or one that is a word, is in tasks, keys and values too."""
    more = "- {name: a, driver: pg, host: h, database: d, username: u, password: '1'}\n"
    more += "- {name: b, driver: pg, host: h, database: d, username: u, password: staging}\n"
    files = a_task("r.staging.t1")
    folder = make_warehouse(
        {"connections.yaml": database.connections_yaml() + more, "routes/r/route.yaml": "", **files}
    )
    prepare(folder)
    asked = "select '2021-01-11' as day1, 'staging' as place, 11 as number"
    assert json.loads(here(capsys, "query", folder, asked, "--json").out) == [
        {"day1": "2021-01-11", "place": "staging", "number": 11}
    ]
    assert "2021-01-11" in here(capsys, "query", folder, asked).out
    assert here(capsys, "run", folder, "r.staging.t1").out.count("r.staging.t1: job 1") == 2
    [task] = json.loads(here(capsys, "status", folder, "--json").out)["tasks"]
    assert task["task"] == "r.staging.t1"


def test_a_refused_main_connection_shows_no_password(
    folder: Path, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "connections.yaml").read_text()
    for host in ("127.0.0.1", "no-such-host.invalid", "/no/such/socket"):
        broken = text.replace("host: /", "host: /no/") if host[0] == "/" else text
        lines = [f"  host: {host}" if "host: /" in line else line for line in broken.split("\n")]
        (folder / "connections.yaml").write_text("\n".join(lines).replace("port: 5432", "port: 1"))
        for name in ("manager", "status", "worker"):
            done = listener.hear(here(capsys, name, folder))
            assert done.status == 1
            assert "the warehouse's database does not answer" in done.err
    done = listener.hear(dapu("worker", folder, "--processes", "2"))
    assert done.status == 1
    listener.check()


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("password: ${MAIN_PWD}", "password: !marked"),
        ("password: ${MAIN_PWD}", "password: *marked"),
        ("password: ${MAIN_PWD}", "password: {marked: 1}"),
        ("password: ${MAIN_PWD}", "password: [marked, 1]"),
        ("password: ${MAIN_PWD}", "password: [marked"),
        ("password: ${MAIN_PWD}", 'password: "marked'),
        ("password: ${MAIN_PWD}", 'password: "marked\\q"'),
        ("password: ${MAIN_PWD}", "password: @marked"),
        ("password: ${MAIN_PWD}", "password: %marked"),
        ("password: ${MAIN_PWD}", "password: marked: more"),
        ("password: ${MAIN_PWD}", "password: marked\n  password: marked"),
        ("password: ${MAIN_PWD}", "pasword: marked"),
        ("password: ${MAIN_PWD}", "password: ${MARKED_NAME:-marked}\n  frob: 1"),
        ("  port: ", "  password: marked\n  port: x"),
        ("mysql+pymysql://reader:${ERP_PWD}@", "mysql+pymysql//reader:marked@"),
        ("mysql+pymysql://reader:${ERP_PWD}@", "reader:marked@"),
        ("mysql+pymysql://reader:${ERP_PWD}@127.0.0.1:1", "mysql://reader:marked@host:port"),
        ("mysql+pymysql://reader:${ERP_PWD}@127.0.0.1:1", "nosuchdb://reader:marked@host"),
        (
            "mysql+pymysql://reader:${ERP_PWD}@127.0.0.1:1",
            "mysql+pymysql://reader:before@marked@host",
        ),
        ("url: mysql+pymysql://reader:${ERP_PWD}@", "url: [mysql+pymysql://reader:marked@]\n  x: "),
    ],
)
def test_a_faulty_connections_yaml_shows_no_password(
    folder: Path,
    listener: Listener,
    capsys: pytest.CaptureFixture[str],
    was: str,
    becomes: str,
) -> None:
    path = folder / "connections.yaml"
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, becomes, 1))
    for name in ("validate", "versioner", "status"):
        listener.hear(here(capsys, name, folder))
    if "host" in becomes:  # the file has no fault: the source has
        write(folder, {"routes/erp/s/erp/q.sql": "select 2"})
        listener.hear(here(capsys, "versioner", folder))
        done = listener.hear(here(capsys, "run", folder, "erp.s.erp"))
        assert done.status in (1, 2)
    listener.check()


def test_a_secret_that_a_source_or_a_query_shows_is_not_shown(
    folder: Path, listener: Listener, connection: PgSession, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "run.sql": f"select set_config('dapu_test.told', '{SECRETS['KEY']}', true); {LEAKING}",
    }
    write(folder, a_task("main.s.tells", files, run="{retries: 0}"))
    check = (
        f"select '{SECRETS['KEY']}' as token, 'postgresql://u:{quote(SECRETS['ERP_PWD'])}@h' as url"
    )
    write(
        folder,
        a_task("main.s.shows", {"c.sql": check}, run="{retries: 0}", checks="[{sql: c.sql}]"),
    )
    for name in ("versioner", "registrar", "manager", "worker", "status"):
        listener.hear(here(capsys, name, folder))
    for task in ("main.s.tells", "main.s.shows"):
        listener.hear(here(capsys, "status", folder, task))
        listener.hear(here(capsys, "status", folder, task, "--json"))
    assert any("it says ***" in text for text in listener.said)
    listener.check(registry(connection))


@pytest.mark.parametrize("processes", ["1", "2"])
def test_no_list_of_processes_shows_a_secret(
    folder: Path, listener: Listener, connection: PgSession, processes: str
) -> None:
    write(folder, a_task("main.s.slow", {"run.sql": "select pg_sleep(30)"}, run="{priority: 1}"))
    prepare(folder)
    manager(folder)
    with running("worker", folder, "--processes", processes) as process:
        slow = "select count(*) from meta.agenda where task ~ 'slow' and status = 'running'"
        wait_until(lambda: one(connection, slow))
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        for member in family:
            listener.said.append(" ".join(member.cmdline()))
        activity = "select string_agg(concat_ws(' ', application_name, query), ' ') from {}"
        listener.said.append(str(one(connection, activity.format("pg_stat_activity"))))
        for member in family:
            member.kill()  # else the children would give the job its time
    listener.check()


def test_conf_prep_writes_secrets_and_shows_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "conf-prep", folder / "connections.yaml", "-o", folder / "plain.yaml")
    assert done.out == f"{folder / 'plain.yaml'} is written\n"
    assert SECRETS["MAIN_PWD"] in (folder / "plain.yaml").read_text()
