-- Attempts to log in, which are events.

-- name: failed
-- How many of the last quarter of an hour failed, from an address and with a name.
select pg_catalog.count(*) filter (where data ->> 'address' = %(address)s),
    pg_catalog.count(*) filter (where data ->> 'login' = %(login)s)
from {event}
where at > pg_catalog.now() - interval '15 minutes' and job is null and task is null
and data -> 'failed_login' is not null;
