"""`dapu execute` as a person uses it: settings from .env, what it says, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import Database
from tests.services.execute_server import KEY_SECRET, ExecuteServer
from tests.support.command import DAPU, Finished, dapu, here, wait_until
from tests.support.execute_warehouse import ExecuteWarehouse


@pytest.fixture
def warehouse(
    tmp_path: Path, execute: ExecuteServer, monkeypatch: pytest.MonkeyPatch
) -> ExecuteWarehouse:
    """A folder with a .env, which is the working directory."""
    execute.schema = {"AFE": {"X": {"TYPE": "INTEGER"}}}
    for number in range(3):
        execute.put("AFE", f"{number}", X=number)
    warehouse = ExecuteWarehouse("SQLITE", str(tmp_path / "e.sqlite"), execute, tmp_path)
    lines = [f"{name}={value}\n" for name, value in warehouse.environment.items()]
    (tmp_path / ".env").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)
    return warehouse


def test_push_reads_what_is_new(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "execute", "push")
    assert done.status == 0, done.text
    assert f"3 documents; the mark is {warehouse.server.mark()}" in done.out
    assert "0 documents" in here(capsys, "execute", "p").out
    assert "3 documents" in here(capsys, "execute", "push", "-f").out
    assert warehouse.has_all()


def test_options_of_another_sqlite_driver_are_no_part_of_the_files_name(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = f"{warehouse.dsn}?_journal_mode=WAL&_busy_timeout=5000"
    assert here(capsys, "execute", "push", "--database-dsn", dsn).status == 0
    assert [file.name for file in warehouse.folder.glob("*sqlite*")] == ["e.sqlite"]
    assert warehouse.has_all()


def test_clone_makes_views_and_reads_everything(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(capsys, "execute", "clone")
    assert "1 document types have their views" in done.out
    assert "3 documents" in done.out
    assert warehouse.rows("select document_id, x from afe order by 1") == [
        ("0", 0), ("1", 1), ("2", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["create-views", "create_views"])
def test_views_can_be_made_by_either_name(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert here(capsys, "execute", name).status == 0
    assert warehouse.rows("select * from afe") == []


def test_prune_says_what_it_deleted(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.push()
    warehouse.push(full=True)
    assert "3 rows of superseded batches deleted" in here(capsys, "execute", "prune").out


def test_config_shows_everything_but_secrets(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = "postgresql://u:my-pa55@host/db"
    done = here(capsys, "execute", "--wait", "5", "config", "--database-dsn", dsn, "-c", "77")
    assert done.out.splitlines() == [
        "EXECUTESYNC_DATABASE_TYPE=SQLITE",
        "EXECUTESYNC_DATABASE_DSN=postgresql://u:***@host/db",
        f"EXECUTESYNC_EXECUTE_URL={warehouse.server.url}",
        "EXECUTESYNC_EXECUTE_APIKEY_ID=key-1",
        "EXECUTESYNC_EXECUTE_APIKEY_SECRET=***",
        "EXECUTESYNC_WAIT=5",
        "EXECUTESYNC_MAX_DOCUMENTS=10000",
        "EXECUTESYNC_CHUNK_SIZE=77",
        "EXECUTESYNC_INCLUDE_CALCS=False",
        "EXECUTESYNC_HIDE_INACTIVE_FIELDS=False",
        f"EXECUTESYNC_STATE_DIR={warehouse.folder}",
        "EXECUTESYNC_LOG_LEVEL=info",
        "EXECUTESYNC_LOG_FILE=",
        "EXECUTESYNC_FORCE=False",
    ]


def test_the_environment_goes_before_the_file(
    warehouse: ExecuteWarehouse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXECUTESYNC_WAIT", "9")
    (warehouse.folder / ".env").open("a").write("EXECUTESYNC_WAIT=8\nEXECUTESYNC_CHUNKSIZE=1\n")
    assert "EXECUTESYNC_WAIT=9" in here(capsys, "execute", "config").out
    done = here(capsys, "execute", "push")
    assert "EXECUTESYNC_CHUNKSIZE is not a setting; did you mean" in done.out


def test_what_is_missing_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here(capsys, "execute", "push", "--database-type", "SQLITE")
    assert done.status == 2
    assert done.err.startswith("EXECUTESYNC_EXECUTE_URL (--execute-url) is not given\n")


def test_a_push_that_fails_says_so_there_and_in_the_log_file(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.server.misbehave("bad line")
    log = warehouse.folder / "execute.log"
    done = here(capsys, "execute", "push", "--log-file", log)
    assert done.status == 1
    assert "dapu: line 2 of Execute's answer to since=1900-01-01 is not JSON" in done.err
    assert "line 2 of Execute's answer" in log.read_text()
    assert here(capsys, "execute", "push", "-l", "debug", "--log-file", log).status == 0
    assert "3 documents; the mark is" in log.read_text()
    assert f"reads {warehouse.server.url} since the beginning" in log.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--database-dsn", "/no/such/folder/e.sqlite"), "there is no folder /no/such/folder for"),
        (("--database-dsn", "?_journal_mode=WAL"), "the SQLite DSN names no file"),
        (("--database-dsn", "."), "unable to open database file"),
        (("--execute-url", "execute.example.com"), "does not begin with https://"),
        (("--execute-url", "https://[x"), "'https://[x', names no host"),
        (("--log-file", "/no/such/folder/x.log"), "cannot be written: No such file"),
        (("--database-type", "POSTGRES", "--database-dsn", "host=/nowhere password=s3-cret"),
         "PostgreSQL does not answer"),
        (("--database-type", "POSTGRES", "--database-dsn", "postgres://[x/db?search_path=a"),
         "PostgreSQL's DSN cannot be read: invalid dsn:"),
        (("--database-type", "SNOWFLAKE", "--database-dsn", "u@x/y"), "DSN cannot be read"),
        (("--max-documents", "0"), "EXECUTESYNC_MAX_DOCUMENTS (--max-documents): input should"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_reported_without_a_traceback(
    warehouse: ExecuteWarehouse,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    done = here(capsys, "execute", "push", *options)
    assert done.status in (1, 2)
    assert message in done.err
    assert "Traceback" not in done.text
    assert "s3-cret" not in done.text


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("postgresql://u:s3-cret@db:54x/a", 'invalid integer value "54x" for connection option'),
        ("host=db port=0", 'invalid port number: "0"'),
        ("host=db port=65536 password=s3-cret", 'invalid port number: "65536"'),
        ("host=db port=1,2", "could not match 2 port numbers to 1 hosts"),
        ("host=db sslmode=on", 'invalid sslmode value: "on"'),
    ],
)
def test_a_dsn_of_postgres_with_a_wrong_option_is_wrong_use(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str], dsn: str, message: str
) -> None:
    done = here(capsys, "execute", "push", "--database-type", "POSTGRES", "--database-dsn", dsn)
    assert done.status == 2
    assert f"dapu: PostgreSQL's DSN cannot be read: {message}" in done.err
    assert "s3-cret" not in done.text


def sections(done: Finished) -> list[str]:
    return [line for line in done.out.splitlines() if line.startswith("== ")]


def test_gen_gives_the_key_pair_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "execute", "gen")
    assert sections(done) == [
        "== Private key for privateKey= in EXECUTESYNC_DATABASE_DSN",
        "== Private key, PKCS #8 PEM",
        "== Public key, PEM",
        "== Public key for Snowflake, with your user's name",
    ]
    assert "alter user MY_USER set RSA_PUBLIC_KEY = 'MII" in done.out


def test_gen_asks_for_a_passphrase() -> None:
    done = dapu("execute", "gen", "--encrypt", stdin="correct horse\n")
    assert done.status == 0, done.text
    assert "-----BEGIN ENCRYPTED PRIVATE KEY-----" in done.out
    assert "correct horse" not in done.text
    done = dapu("execute", "gen", "--encrypt")
    assert (done.status, done.out) == (2, "")
    assert "there is no passphrase on standard input" in done.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sync_goes_on_until_it_is_told_to_stop(
    warehouse: ExecuteWarehouse, number: signal.Signals
) -> None:
    warehouse.server.misbehave(401)
    process = subprocess.Popen(
        [*DAPU, "execute", "sync", "--wait", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        wait_until(lambda: warehouse.rows("select 1 from sqlite_schema where name = 'EXECUTE_SYNC'")
                   and warehouse.mark() == warehouse.server.mark())  # fmt: skip
        warehouse.server.put("AFE", "9")
        wait_until(lambda: warehouse.mark() == warehouse.server.mark())
        started = time.monotonic()
        process.send_signal(number)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert time.monotonic() - started < 5
    assert "the round failed: " in said
    assert "the key id and its secret are not accepted" in said
    assert "stopped; what was read is stored" in said
    assert KEY_SECRET not in said
    assert warehouse.has_all()


def test_sync_is_stopped_while_the_server_says_nothing(warehouse: ExecuteWarehouse) -> None:
    warehouse.server.misbehave("stall")
    process = subprocess.Popen([*DAPU, "execute", "sync"], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: len(warehouse.server.questions) == 1)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "stopped; what was read is stored" in said
    assert warehouse.mark() is None


@pytest.mark.parametrize(
    ("command", "number", "ends"),
    [
        ("sync", signal.SIGTERM, (0, "stopped; what was read is stored")),
        ("push", signal.SIGINT, (1, "dapu: stopped")),
        ("prune", signal.SIGTERM, (1, "dapu: stopped")),
    ],
)
def test_a_signal_is_seen_while_postgres_lets_it_wait(
    warehouse: ExecuteWarehouse,
    database: Database,
    command: str,
    number: signal.Signals,
    ends: tuple[int, str],
) -> None:
    options = ["--database-type", "POSTGRES", "--database-dsn", database.uri]
    postgres = ExecuteWarehouse("POSTGRES", database.uri, warehouse.server, warehouse.folder)
    postgres.push()
    with closing(psycopg2.connect(database.uri)) as other, other.cursor() as cursor:
        cursor.execute("lock table execute_documents")
        process = subprocess.Popen(
            [*DAPU, "execute", command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = %s"
        try:
            wait_until(lambda: postgres.rows(waiting, database.name))
            process.send_signal(number)
            said, _ = process.communicate(timeout=10)
        finally:
            process.kill()
            process.communicate()
        assert (process.returncode, said.strip()[-len(ends[1]) :]) == ends
        wait_until(lambda: not postgres.rows(waiting, database.name))


def test_without_a_wait_sync_is_one_round(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert here(capsys, "execute", "sync", "-w", "0").status == 0
    assert warehouse.has_all()


def test_config_env_stands_behind_dotenv_and_values_may_name_others(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDS", "7")
    (warehouse.folder / ".env").open("a").write("EXECUTESYNC_WAIT=${ROUNDS}0\n")
    (warehouse.folder / "config.env").write_text(
        "SIZE=12\nEXECUTESYNC_WAIT=1\nEXECUTESYNC_CHUNK_SIZE=${SIZE}3\n"
        "EXECUTESYNC_LOG_FILE='${AS_IT_IS}'\n"
    )
    shown = here(capsys, "execute", "config").out
    assert "EXECUTESYNC_WAIT=70\n" in shown
    assert "EXECUTESYNC_CHUNK_SIZE=123\n" in shown
    assert "EXECUTESYNC_LOG_FILE=${AS_IT_IS}\n" in shown
    (warehouse.folder / "config.env").write_text("\nEXECUTESYNC_WAIT=${NOBODY}\n")
    missing = here(capsys, "execute", "config")
    assert missing.status == 2
    assert "config.env:2: the environment has no NOBODY" in missing.err


def test_force_may_stand_before_the_command(
    warehouse: ExecuteWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "3 documents" in here(capsys, "execute", "push").out
    assert "3 documents" in here(capsys, "execute", "--force", "push").out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert here(capsys, "execute", "version").out == here(capsys, "--version").out
