"""`dapu mcp`, asked by the protocol's own client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from psycopg2.extensions import connection as PgSession

from dapu.errors import DapuError
from dapu.mcp import commands
from tests.conftest import Database, MakeWarehouse
from tests.support.command import DAPU, dapu
from tests.support.components import ROUTE, a_task, registrar, rows


@pytest.fixture
def reader(database: Database, connection: PgSession) -> str:
    """A connection of a role that may read one schema."""
    name = f"{database.name}_reader"
    rows(connection, f"create role {name} login; create schema mart")
    rows(connection, "create table mart.sale as select n as id from generate_series(1, 500) n")
    rows(connection, f"grant usage on schema mart to {name}; grant select on mart.sale to {name}")
    main = database.connections_yaml().replace("name: main", "name: reader")
    return "\n".join(
        f"  username: {name}" if "username" in line else line for line in main.splitlines()
    )


def asked(folder: Path, *questions: tuple[str, dict[str, Any]]) -> list[Any]:
    """The tools there are, and each answer: a value, or the text of an error."""

    async def ask() -> list[Any]:
        server = StdioServerParameters(
            command=DAPU[0], args=[*DAPU[1:], "mcp", str(folder), "--connection", "reader"]
        )
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            found: list[Any] = [await session.list_tools()]
            for name, arguments in questions:
                result = await session.call_tool(name, arguments)
                text = result.content[0].text if result.content else ""  # type: ignore[union-attr]
                found.append(text if result.is_error else json.loads(text))
            return found

    return asyncio.run(asyncio.wait_for(ask(), 60))


def test_an_assistant_sees_and_changes_nothing(
    make_warehouse: MakeWarehouse, database: Database, reader: str, connection: PgSession
) -> None:
    connections = f"{database.connections_yaml()}\n{reader}\n"
    folder = make_warehouse({**ROUTE, "connections.yaml": connections, **a_task("r.s.t")})
    registrar(folder)
    tools, status, why, files, missing, few, refused, option, zero, much = asked(
        folder,
        ("status", {}),
        ("why", {"tasks": ["r.s.t"]}),
        ("definition", {"task": "r.s.t"}),
        ("definition", {"task": "r.s.u"}),
        ("query", {"sql": "table mart.sale", "limit": 3}),
        ("query", {"sql": "reset role; delete from mart.sale returning id"}),
        ("why", {"tasks": ["--help"]}),
        ("query", {"sql": "select '\0'"}),
        ("query", {"sql": "select repeat('x', 2000000) as x"}),
    )
    assert "query" in {tool.name for tool in tools.tools}
    assert all(tool.annotations.read_only_hint for tool in tools.tools)
    assert "r.s.t" in json.dumps(status)
    assert "r.s.t" in json.dumps(why)
    assert set(files) == {"task.yaml", "run.sql"}
    assert "did you mean `r.s.t`" in missing
    assert few == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert "fails" in refused
    assert "--help" in option
    assert "cannot be asked" in zero
    assert "ask for less" in much
    assert rows(connection, "select count(*) from mart.sale") == [(500,)]


def test_a_query_that_takes_too_long_ends_on_the_server_too(
    make_warehouse: MakeWarehouse,
    database: Database,
    reader: str,
    connection: PgSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections = f"{database.connections_yaml()}\n{reader}\n"
    folder = make_warehouse({**ROUTE, "connections.yaml": connections})
    monkeypatch.setattr(commands, "_WITHIN", 2.0)
    asking = commands.answer(folder, "query", ["select pg_sleep(600)"], "--limit=1")
    with pytest.raises(DapuError, match="not ended in 2 seconds"):
        asyncio.run(asking)
    sleeps = "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> "
    assert rows(connection, f"{sleeps} pg_backend_pid() and state = 'active'") == [(0,)]


def test_the_role_that_writes_is_refused(make_warehouse: MakeWarehouse) -> None:
    done = dapu("mcp", make_warehouse(), "--connection", "main")
    assert done.status == 2
    assert "that role writes" in done.err


@pytest.mark.parametrize(
    ("grant", "why"),
    [
        ("alter role {name} superuser", "is a superuser"),
        ("grant pg_read_server_files to {name}", "is a member of pg_read_server_files"),
        ("grant update on mart.sale to {name}", "may write mart.sale"),
        ("alter table mart.sale owner to {name}", "may write mart.sale"),
    ],
)
def test_so_is_another_that_may_write(
    make_warehouse: MakeWarehouse,
    database: Database,
    reader: str,
    connection: PgSession,
    grant: str,
    why: str,
) -> None:
    folder = make_warehouse(
        {**ROUTE, "connections.yaml": f"{database.connections_yaml()}\n{reader}\n"}
    )
    rows(connection, grant.format(name=f"{database.name}_reader"))
    done = dapu("mcp", folder, "--connection", "reader")
    assert done.status == 2
    assert why in done.err
