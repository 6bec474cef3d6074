-- Switches of the whole warehouse.

-- name: get
select value from {control} where name = %(name)s;

-- name: set
insert into {control} (name, value) values (%(name)s, %(value)s)
on conflict (name) do update set value = excluded.value, changed_at = pg_catalog.now();

-- name: clear
delete from {control} where name = %(name)s;
