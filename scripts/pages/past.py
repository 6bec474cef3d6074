"""Forty runs of each task before today, so that pages have a past to show."""

from __future__ import annotations

from dapu.warehouse.warehouse import Warehouse

_RUNS = """
insert into meta.agenda (task, route, status, priority, cause, queued_at, started_at, ended_at,
    rows, message, worker, tries)
select t.task, t.route, case when r.dice > 96 then 'failed' else 'done' end, 5, 'manager',
    r.at, r.at, r.at + r.took, case when r.dice > 96 then null else r.rows end,
    case when r.dice > 96 then 'the source `main` refuses the query: the connection was lost'
        else 'database: ' || r.rows || ' rows in ' || r.dice || ' s' end, 0, 1
from generate_series(40, 1, -1) n
cross join meta.registry t
cross join lateral (
    select abs(hashtext(t.task || n)) % 100 as dice, abs(hashtext(t.task)) % 50 + 4 as usual) d
cross join lateral (
    select d.dice,
        now() - n * interval '1 day' - abs(hashtext(t.task)) % 9 * interval '7 min' as at,
        d.usual * (case when d.dice = 50 then 4 else 0.8 + d.dice / 250.0 end)
            * interval '1 second' as took,
        (1000 + d.usual * 900 + (40 - n) * d.usual * 11 + d.dice) as rows) r
where t.route <> 'r' or n = 1
order by r.at;
update meta.registry t
set last_job = a.job, last_status = a.status, last_started_at = a.started_at,
    last_ended_at = a.ended_at,
    last_done_at = (select max(d.ended_at) from meta.agenda d where d.task = t.task
        and d.status = 'done')
from meta.agenda a
where a.job = (select max(x.job) from meta.agenda x where x.task = t.task);
"""
_TODAY = """
insert into meta.agenda (task, route, status, priority, cause, queued_at, ended_at, message)
select task, route, 'cancelled', 5, 'run', now(), now(), 'cancelled by ann (login)'
from meta.registry where task = 'crm.staging.deal';
update meta.registry set last_done_at = now() - interval '9 hours',
    last_started_at = now() - interval '9 hours 12 seconds',
    last_ended_at = now() - interval '9 hours' where task = 'web.staging.visit';
update meta.registry set changed_at = now() - interval '30 days';
update meta.registry set last_ended_at = now() - abs(hashtext(task)) % 1300 * interval '1 min'
where route = 'r';
update meta.registry set last_started_at = last_ended_at - interval '40 seconds' where route = 'r';
"""


def make_past(warehouse: Warehouse) -> None:
    """Fills the registry."""
    _execute(warehouse, _RUNS)


def make_late(warehouse: Warehouse) -> None:
    """Lets one task be late and one be cancelled, after the others ran today."""
    _execute(warehouse, _TODAY)


def _execute(warehouse: Warehouse, statements: str) -> None:
    with warehouse.session("pages") as session, session, session.cursor() as cursor:
        cursor.execute(statements)
