"""A warehouse of many small tasks, and a real Airflow beside it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from dapu.agents.installed import known_agents
from dapu.components.graph import read_graph, write_graph
from dapu.components.registrar import register
from dapu.components.versioner import bring_up_to_date
from dapu.warehouse.warehouse import open_warehouse
from tests.services.postgres import Postgres, running_postgres

_TASK = "{depends}run: {{pause: 0 minutes, retries: 1}}\nactions: [{{do: sql, file: run.sql}}]\n"
_SQL = (
    "create table if not exists {schema}.{table} (at timestamptz, job text);\n"
    "insert into {schema}.{table} select now(), current_setting('application_name');\n{more}"
)
_DAG = """\
from dapu.airflow import DapuDag
dag = DapuDag({folder!r}, "dapu"{options})
"""
# The same tasks, which do nothing: what Airflow takes for itself.
_IDLE = """\
import json
from airflow.sdk import DAG, BaseOperator

class Idle(BaseOperator):
    def execute(self, context):
        pass

with DAG("idle", schedule=None):
    tasks = json.load(open({graph!r}))["tasks"]
    made = {{one["task"]: Idle(task_id=one["task"]) for one in tasks}}
    for one in tasks:
        if one["masters"]:
            made[one["task"]].set_upstream([made[m] for m in one["masters"]])
"""


def make_warehouse(folder: Path, server: Postgres, tasks: int, more: str = "") -> None:
    """Tasks in ten routes, each after the one of its route before the last; more: SQL of each."""
    files = {
        "warehouse.yaml": "name: shop\n",
        "connections.yaml": (
            f"- {{name: main, driver: pg, host: {server.socket_directory}, port: {server.port}, "
            "database: warehouse, username: postgres}\n"
        ),
    }
    for number in range(tasks):
        route, table = f"r{number % 10}", f"t{number // 10}"
        master = f"{route}.s{number % 10}.t{number // 10 - 2}"
        depends = f"depends: [{master}]\n" if number >= 20 else ""
        task = f"routes/{route}/s{number % 10}/{table}"
        files[f"routes/{route}/route.yaml"] = ""
        files[f"{task}/task.yaml"] = _TASK.format(depends=depends)
        files[f"{task}/run.sql"] = _SQL.format(schema=f"s{number % 10}", table=table, more=more)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "ver").mkdir()
    schemas = "".join(f"create schema s{number};\n" for number in range(10))
    (folder / "ver" / "001_schemas.sql").write_text(schemas)
    warehouse = open_warehouse(folder)
    bring_up_to_date(warehouse, lambda _: None)
    reader = known_agents(warehouse.settings).reader(warehouse.settings)
    assert register(warehouse, reader, lambda _: None, wait=True).faults == []
    write_graph(read_graph(warehouse), folder / "graph.json")


@dataclass
class Airflow:
    """A running Airflow. processes: by name."""

    home: Path
    cache: Path
    server: Postgres
    environment: Mapping[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, **environment: str) -> None:
        """Starts one of its programs; its log is a file in `home`."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(self.cache / "bin" / command[0]), *command[1:]],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends a program with all that it started."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        process.wait()

    def stop(self) -> None:
        """Ends all its programs."""
        for name in list(self.processes):
            self.kill(name)

    def rows(self, query: str, *values: Any, database: str = "airflow") -> list[tuple[Any, ...]]:
        """The rows of a query of its database, or of the warehouse."""
        with closing(psycopg2.connect(self.server.uri(database))) as session, session.cursor() as c:
            c.execute(query, values)
            return c.fetchall()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Asks its public API, as its pages do."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self._token()},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def _token(self) -> dict[str, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/auth/token", timeout=60) as one:
            return {"Authorization": f"Bearer {json.load(one)['access_token']}"}

    def trigger(self, dag: str) -> str:
        """Starts a run of a DAG; returns its id."""
        found = self.call("POST", f"api/v2/dags/{dag}/dagRuns", {"logical_date": None})
        if "dag_run_id" not in found:
            raise SystemExit(f"{dag} is not run: {found}")
        return str(found["dag_run_id"])

    def states(self, run: str) -> dict[str, int]:
        """How many tasks of a run are how."""
        found = self.rows(
            "select coalesce(state, 'none'), count(*) from task_instance "
            "where run_id = %s group by 1",
            run,
        )
        return dict(found)

    def wait_for(self, run: str, minutes: float = 20) -> str:
        """Waits for the end of a run; returns its state."""

        def is_over() -> bool:
            [(state,)] = self.rows("select state from dag_run where run_id = %s", run)
            return state in ("success", "failed")

        wait_until(is_over, minutes * 60)
        return str(self.rows("select state from dag_run where run_id = %s", run)[0][0])

    def log_of(self, run: str, task: str) -> str:
        """The log of the newest try of a task."""
        folder = next(self.home.glob(f"logs/dag_id=*/run_id={run}/task_id={task}"))
        newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime)
        return "".join(
            file.read_text() for file in sorted(folder.iterdir()) if file.stem[:9] in newest.name
        )

    def events_of(self, run: str, task: str) -> list[str]:
        """What dapu wrote to the log of a task."""
        lines = [json.loads(line) for line in self.log_of(run, task).splitlines() if line]
        return [str(one["event"]) for one in lines if "dapu" in str(one.get("logger"))]


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    """Waits for something; raises TimeoutError when it does not come."""
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.2)


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def running_airflow(
    cache: Path, tasks: int, *, executor: str, options: str = "", more: str = "", broker: str = ""
) -> Iterator[tuple[Airflow, Path]]:
    """Airflow and a warehouse directory; the DAGs `dapu` and `idle` are there.

    options: of DapuDag. more: SQL of each task. broker: of Celery.
    """
    with ExitStack() as ending:
        home = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="dapu-airflow-")))
        home.chmod(0o755)
        server = ending.enter_context(running_postgres(durable=False))
        for name in ("airflow", "warehouse"):
            server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        server.execute(sql.SQL("alter system set max_connections = 300"))
        folder = home / "shop"
        make_warehouse(folder, server, tasks, more)
        dags = home / "dags"
        dags.mkdir()
        (dags / "shop.py").write_text(_DAG.format(folder=str(folder), options=options))
        graph = str(folder / "graph.json")
        (dags / "idle.py").write_text("# airflow DAG\n" + _IDLE.format(graph=graph))
        port = free_port()
        environment = _environment(home, server, port, executor)
        environment["AIRFLOW__CELERY__BROKER_URL"] = broker
        airflow = Airflow(home, cache, server, environment, port)
        ending.callback(airflow.stop)
        run = [str(cache / "bin" / "airflow"), "db", "migrate"]
        subprocess.run(run, env=dict(airflow.environment), check=True, capture_output=True)
        for name in ("api-server", "scheduler", "triggerer", "dag-processor"):
            airflow.start(name, "airflow", name)
        try:
            wait_until(lambda: _has_dags(airflow), 120)
        except TimeoutError:
            for log in home.glob("*.log"):
                print(log.name, log.read_text()[-3000:], file=sys.stderr)
            raise
        yield airflow, folder


def _has_dags(airflow: Airflow) -> bool:
    with suppress(OSError, psycopg2.Error):
        airflow.call("GET", "api/v2/dags/dapu/details")
        airflow.call("GET", "api/v2/dags/idle/details")
        return True
    return False


def _environment(home: Path, server: Postgres, port: int, executor: str) -> dict[str, str]:
    where = f"postgres@/airflow?host={server.socket_directory}&port={server.port}"
    settings = {
        "CORE__EXECUTOR": executor,
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__PARALLELISM": "4",
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
        "CORE__FERNET_KEY": "cGFzc3dvcmRwYXNzd29yZHBhc3N3b3JkcGFzc3dvcmQ=",
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{where}",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{where}",
        "API__PORT": str(port),
        "API__HOST": "127.0.0.1",
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": "of-this-run-alone" * 4,
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        "CELERY__RESULT_BACKEND": f"db+postgresql://{where}",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }
    own = {
        name: text for name, text in os.environ.items() if not name.startswith(("PG", "AIRFLOW"))
    }
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    own |= {f"AIRFLOW__{name}": text for name, text in settings.items()}
    own["PATH"] = f"{Path(sys.executable).parent}:{own['PATH']}"
    return {**own, "AIRFLOW_HOME": str(home), "PYTHONWARNINGS": "ignore"}
