-- The history that dapu 0.8 kept becomes one of `load: history`: the same rows and the same times.

alter table {table} rename column dwh_effective_from to valid_from;
alter table {table} rename column dwh_effective_to to valid_to;
alter table {table} rename column dwh_effective_current to is_current;

-- Times without a zone were those of the machine that loaded.
do $$
declare
    name text;
begin
    for name in
        select attname from pg_attribute where attrelid = '{table}'::regclass
        and attname in ('valid_from', 'valid_to') and atttypid = 'timestamp'::regtype
    loop
        execute format('alter table {table} alter column %1$I drop default,'
            ' alter column %1$I type timestamptz using %1$I at time zone ''{zone}''', name);
    end loop;
    -- What only dapu 0.8 filled in stays as it is, and is empty from now on.
    for name in
        select attname from pg_attribute where attrelid = '{table}'::regclass
        and attname like 'dwh\_%' and attnotnull and attnum > 0
    loop
        execute format('alter table {table} alter column %I drop not null', name);
    end loop;
end $$;

alter table {table}
    add column began_by text not null default 'new',
    add column ended_by text,
    alter column valid_from set default now(),
    alter column valid_from set not null,
    alter column is_current set default true,
    alter column is_current set not null,
    alter column valid_to drop default;

-- dapu 0.8 wrote `I` for each version; why it began is how the one before it ended.
update {table} as t set
    valid_to = case when t.is_current then null else t.valid_to end,
    ended_by = case t.dwh_reason_end when 'D' then 'gone' when 'U' then 'changed' end,
    began_by = case v.ended_before when 'D' then 'returned' when 'U' then 'changed' else 'new' end
from (
    select ctid as place, lag(dwh_reason_end) over (
        partition by {key} order by valid_from, valid_to nulls last) as ended_before
    from {table}
) as v
where v.place = t.ctid;

create unique index on {table} ({key}) where is_current;
