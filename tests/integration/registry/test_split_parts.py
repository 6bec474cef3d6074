"""Parts of a split load: each is written once, and into the plan that it belongs to only."""

from __future__ import annotations

from psycopg2.extensions import connection as PgSession

from dapu.registry import split_parts
from dapu.registry.split_parts import SplitPart
from dapu.registry.store import Registry
from tests.conftest import MakeWarehouse
from tests.support.components import a_task, registrar, versioner

REGISTRY, TASK = Registry(), "r.s.t"


def _planned(plan: str, job: int) -> list[SplitPart]:
    bounds = [(None, "7"), ("7", None)]
    return [SplitPart(n, plan, *bound, None, job) for n, bound in enumerate(bounds, start=1)]


def test_a_part_of_an_old_plan_is_not_written_into_the_new_one(
    make_warehouse: MakeWarehouse, connection: PgSession
) -> None:
    folder = make_warehouse({"routes/r/route.yaml": "", **a_task(TASK)})
    versioner(folder)
    registrar(folder)
    old, new = _planned("old", 1), _planned("new", 2)

    def done(part: SplitPart, job: int) -> bool:
        return split_parts.done(cursor, REGISTRY, TASK, 1, part, 10, job)

    with connection, connection.cursor() as cursor:
        split_parts.plan(cursor, REGISTRY, TASK, 1, old)
        assert done(old[0], 1)
        split_parts.plan(cursor, REGISTRY, TASK, 1, new)
        assert not done(old[0], 1), "a worker that woke up has another job's part"
        assert not done(old[1], 1)
        assert [part.rows for part in split_parts.of_action(cursor, REGISTRY, TASK, 1)] == [
            None
        ] * 2
        assert done(new[0], 2)
        assert not done(new[0], 3), "another worker was first"
        found = split_parts.of_action(cursor, REGISTRY, TASK, 1)
        assert [(part.plan, part.rows, part.job) for part in found] == [
            ("new", 10, 2),
            ("new", None, 2),
        ]
