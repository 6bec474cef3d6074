-- A task that an operator keeps off for a time, and that comes back by itself.

alter table {override} add blacklisted_until timestamptz;
comment on column {override}.blacklisted_until is 'When `blacklisted` ends by itself; null: it does not';

create function {is_blacklisted}(one {override}, at timestamptz) returns boolean
language sql stable
begin atomic
    select one.blacklisted and coalesce(one.blacklisted_until > at, true);
end;
comment on function {is_blacklisted}({override}, timestamptz) is 'Whether an override keeps its task off at a time; null without an override';

create or replace function {readiness}(at timestamptz, parts_now text[])
returns table (
    task text, route text, priority integer, reason text, due_from timestamptz, day_parts text[])
language sql stable
begin atomic
    select t.task, t.route, t.priority,
        case
            when paused.name is not null then 'paused'
            when t.state <> 'ready' then t.state
            when running.job is not null then 'running'
            when waiting.job is not null then 'waiting'
            when r.paused_by is not null then 'route_paused'
            when 'manager' = any (r.disabled) then 'route_disabled'
            when {is_blacklisted}(o, at) then 'blacklisted'
            -- Woken by its masters; only a task that is new or changed is queued by the Manager,
            -- when they have all run.
            when t.on_masters and t.changed_at <= t.last_started_at then 'on_masters'
            when t.on_masters and exists (
                select from {dependency} d join {registry} m on m.task = d.master
                where d.task = t.task and m.last_done_at is null) then 'master_never_ran'
            when not t.on_masters and pg_catalog.cardinality(coalesce(o.day_parts, t.day_parts)) > 0
                and not coalesce(o.day_parts, t.day_parts) && parts_now then 'day_part'
            when not t.on_masters and t.next_cron_at > at then 'cron'
            -- A run that began before the change does not count as one.
            when not t.on_masters and not coalesce(t.last_ended_at is null
                or t.changed_at > t.last_started_at
                or t.last_ended_at + coalesce(o.pause, t.pause) <= at, false) then 'pause'
            when exists (
                select from {dependency} d join {registry} m on m.task = d.master
                where d.task = t.task
                and pg_catalog.to_regclass(pg_catalog.format('%I.%I', m.schema_name, m.table_name)) is null
                -- A master that only runs SQL files may have no table of its own: it must have run.
                and not (m.last_done_at is not null and not pg_catalog.jsonb_path_exists(
                    m.definition::jsonb, '$.actions[*] ? (@.do != "sql")')))
                then 'no_master_table'
        end,
        greatest(at, case when not t.on_masters then t.next_cron_at end,
            case when not t.on_masters and not coalesce(t.changed_at > t.last_started_at, false)
                then t.last_ended_at + coalesce(o.pause, t.pause) end,
            case when o.blacklisted then o.blacklisted_until end),
        case when t.on_masters then '{{}}' else coalesce(o.day_parts, t.day_parts) end
    from {registry} t
    join {route} r on r.route = t.route
    left join {override} o on o.task = t.task
    left join {agenda} running on running.task = t.task and running.status = 'running'
    left join {agenda} waiting on waiting.task = t.task and waiting.status = 'waiting'
        and waiting.backfill is null
    left join {control} paused on paused.name = 'paused';
end;
comment on function {readiness}(timestamptz, text[]) is 'For each task why the Manager does not queue it at a time, in these parts of the day; reason null: it does. due_from: when neither its pause nor cron holds it back any more';
