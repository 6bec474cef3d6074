"""Nothing lost, nothing made twice: kills in the middle of `dapu views`.

    ./scripts/faults/run views --rounds 50 --seed 1

Each round changes what some groups want, starts two `dapu views` of one task at once, and kills one
of them or both with SIGKILL at a random moment. Of a group there are all views of one version then,
or those of the version before. A run that is left alone makes the rest. The server notes each view
that is made and committed: each version of each view there once. Exit status 1 when anything
differs, or when no run was killed in the middle of its work.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as PgSession

from tests.services.postgres import Postgres, running_postgres

_TASK = "r.reports.views"
_KINDS = ("a", "b", "c")  # views of a group
_WORK = 0.3  # seconds that two runs work at least
_FILES = {
    "warehouse.yaml": "",
    "routes/r/route.yaml": "connection: main",
    "routes/r/reports/views/task.yaml": """\
        actions:
        - do: views
          query: wanted.sql
          template: view.sql
          view: v_{{ row.name }}_{{ row.kind }}
          group: name
          consumers: 3
    """,
    "routes/r/reports/views/wanted.sql": "select name, kind, version from wanted",
    "routes/r/reports/views/view.sql": "select {{ row.version }}::int as version",
}
_SCHEMA = """
create table wanted (name text, kind text, version int);
create table made (view text, version int);
create function note_view() returns event_trigger language plpgsql as $$
declare
    name text;
    version int;
begin
    for name in select distinct object_identity from pg_event_trigger_ddl_commands()
        where object_type = 'view' and schema_name = 'reports' loop
        execute format('select version from %s', name) into version;
        insert into public.made values (name, version);
    end loop;
end $$;
create event trigger note_view on ddl_command_end when tag in ('CREATE VIEW')
    execute function note_view();
"""


@dataclass
class Tally:
    """What the rounds did. found: what differed."""

    killed: int = 0
    halfway: int = 0
    found: list[str] = field(default_factory=list)


class Views:
    """A warehouse whose task makes three views for each name in a table."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.folder = folder
        for path, text in _FILES.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (folder / "connections.yaml").write_text(
            f"- {{name: main, driver: pg, host: {server.socket_directory}, port: {server.port}, "
            f"database: postgres, username: {server.username}}}\n"
        )
        self._uri = server.uri()
        self.run(_SCHEMA)
        subprocess.run([*_DAPU, "versioner", folder], check=True, capture_output=True)

    def run(self, text: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Runs a statement and commits."""
        with closing(self._connect()) as session, session, session.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def _connect(self) -> PgSession:
        return psycopg2.connect(self._uri)

    def start(self) -> subprocess.Popen[bytes]:
        """Starts `dapu views`."""
        command = [*_DAPU, "views", str(self.folder), _TASK]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def wanted(self) -> dict[str, int]:
        """The version that each view is to have."""
        found = self.run("select 'reports.v_' || name || '_' || kind, version from wanted")
        return dict(found)

    def there(self) -> dict[str, int]:
        """The version that each view has."""
        query = """
            select pg_catalog.string_agg(
                pg_catalog.format('select %L, version from reports.%I', viewname, viewname),
                ' union all ')
            from pg_views where schemaname = 'reports'"""
        [(text,)] = self.run(query)
        return {f"reports.{name}": version for name, version in self.run(text)} if text else {}

    def made(self) -> int:
        """How many views were made so far."""
        return int(self.run("select count(*) from made")[0][0])

    def settled(self) -> None:
        """Waits until no session of a killed run works any more."""
        query = (
            "select 1 from pg_stat_activity where backend_type = 'client backend' "
            "and pid <> pg_backend_pid()"
        )
        while self.run(query):
            time.sleep(0.02)


_DAPU = (sys.executable, "-m", "dapu")


def main() -> None:
    """Runs the rounds and says what differed."""
    options = _options()
    tally = run(options.rounds, options.seed, options.names)
    print(f"{options.rounds} rounds, {tally.killed} runs killed, {tally.halfway} of them halfway")
    for line in tally.found:
        print(f"  {line}")
    sys.exit(1 if tally.found or not tally.halfway else 0)


def run(rounds: int, seed: int, names: int) -> Tally:
    """Kills runs, so many times."""
    some, tally = random.Random(seed), Tally()
    with (
        running_postgres() as server,
        tempfile.TemporaryDirectory(prefix="dapu-faults-") as folder,
    ):
        views = Views(server, Path(folder))
        for number in range(rounds):
            _change(views, some, number, names)
            before = views.made()
            _kill(views, some, tally)
            views.settled()
            tally.halfway += views.made() > before and views.there() != views.wanted()
            tally.found += [f"round {number}, killed: {what}" for what in _torn(views.there())]
            _finish(views)
            tally.found += [f"round {number}: {what}" for what in _differences(views)]
    return tally


def _change(views: Views, some: random.Random, version: int, names: int) -> None:
    """Other versions of some groups, and new groups."""
    changed = [f"n{n}" for n in some.sample(range(names), names // 2)]
    views.run("delete from wanted where name = any (%s)", (changed,))
    insert = "insert into wanted select n, k, %s from unnest(%s) n cross join unnest(%s) k"
    views.run(insert, (version, changed, list(_KINDS)))


def _kill(views: Views, some: random.Random, tally: Tally) -> None:
    """Kills one run or both, some time after the first group was made."""
    before, both = views.made(), (views.start(), views.start())
    while views.made() == before and any(process.poll() is None for process in both):
        time.sleep(0.002)
    time.sleep(some.random() * _WORK)
    for process in both if some.random() < 0.5 else both[:1]:
        if process.poll() is None:
            process.kill()
            tally.killed += 1
    for process in both:
        said, _ = process.communicate()
        if process.returncode > 0:
            tally.found.append(f"a run failed by itself: {said.decode()}")


def _finish(views: Views) -> None:
    process = views.start()
    said, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a run failed by itself: {said.decode()}")


def _torn(there: dict[str, int]) -> Iterator[str]:
    """Groups of which not all views have one version."""
    groups = defaultdict(list)
    for name, version in there.items():
        groups[name.rpartition("_")[0]].append(version)
    for name, versions in groups.items():
        if len(versions) != len(_KINDS) or len(set(versions)) > 1:
            yield f"{name} has the versions {versions}"


def _differences(views: Views) -> Iterator[str]:
    there, wanted = views.there(), views.wanted()
    for name in sorted(there.keys() | wanted.keys()):
        if there.get(name) != wanted.get(name):
            yield f"{name} has version {there.get(name)}, not {wanted.get(name)}"
    made = Counter(views.run("select view, version from made"))
    for (name, version), count in made.items():
        if count > 1:
            yield f"version {version} of {name} was made {count} times"
    if views.run("select 1 from meta.view_group where status <> 'done'"):
        yield "a group waits"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", type=int, default=200, help="groups of three views")
    return parser.parse_args()


if __name__ == "__main__":
    main()
