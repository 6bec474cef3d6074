-- `description` counts what all tries of a read have committed: one that is tried again goes on
-- where the last one ended. A stream that is read as a whole has the rows that its table has.

create or replace view {source_task} as
select r.sync_id, r.task_id, r.package, r.version, r.requested_at as started_at,
    coalesce(a.ended_at, e.at, a.started_at, r.requested_at) as updated_at,
    case
        when r.then_error is not null then 'FAILED'
        when a.status = 'waiting' and a.started_at is null then 'PENDING'
        when a.status in ('waiting', 'running') then 'RUNNING'
        when r.answered_at is not null then 'SUCCESS'
        when a.status = 'cancelled' then 'CANCELLED'
        when a.message like 'timed out%' or 'TIME_EXCEEDED' = any (d.statuses) then 'TIME_EXCEEDED'
        when d.statuses && array['SUCCESS', 'PARTIAL'] then 'PARTIAL'
        else 'FAILED'
    end as status,
    d.description::text as description,
    coalesce(r.then_error, case when a.status <> 'done' then a.message end) as error,
    r.started_by, null::json as metrics
from {request} r
left join {agenda} a on a.job = r.job
left join lateral (
    select x.at, x.data -> 'streams' as streams from {event} x
    where x.job = r.job and x.data ? 'streams' order by x.event desc limit 1) e on true
left join lateral (
    select json_object_agg(s.name, json_strip_nulls(json_build_object(
            'events', coalesce(s.rows, 0), 'bytes', coalesce(s.bytes, 0),
            'status', s.status, 'error', s.error)) order by s.place) as description,
        array_agg(s.status) as statuses
    from (
        select n.name, n.place, t.rows, t.bytes, e.streams -> n.name -> 'error' as error,
            case
                when a.status not in ('waiting', 'running')
                    then coalesce(e.streams -> n.name ->> 'status', case
                        when r.answered_at is not null then 'SUCCESS'
                        when a.status = 'cancelled' then 'CANCELLED' else 'FAILED' end)
                when a.job is null and r.answered_at is not null then 'SUCCESS'
                when a.job is null then 'FAILED'
                when e.streams ? n.name then 'RUNNING'
                else 'PENDING' end as status
        from (
            select concat_ws('.', nullif(c.stream -> 'stream' ->> 'namespace', ''),
                    c.stream -> 'stream' ->> 'name') as name,
                c.place, c.stream ->> 'sync_mode' = 'full_refresh' as is_whole
            from json_array_elements(r.parameters -> 'catalog' -> 'streams')
                with ordinality as c (stream, place)) n
        left join lateral (
            select sum(y.rows)::bigint as rows, sum(y.bytes)::bigint as bytes
            from (
                select (x.data -> 'streams' -> n.name -> 'rows')::bigint as rows,
                    (x.data -> 'streams' -> n.name -> 'bytes')::bigint as bytes
                from {event} x
                where x.job = r.job and x.data -> 'streams' ? n.name
                    and not (n.is_whole and x.data -> 'streams' -> n.name ->> 'status' <> 'SUCCESS')
                order by x.event desc
                limit case when n.is_whole then 1 end) y) t on true) s) d on true
where r.command = 'read' or r.then_error is not null;
