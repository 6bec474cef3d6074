-- Switches of the whole warehouse, and of routes.

-- name: get
select value from {control} where name = %(name)s;

-- name: set
insert into {control} (name, value) values (%(name)s, %(value)s)
on conflict (name) do update set value = excluded.value, changed_at = pg_catalog.now();

-- name: clear
delete from {control} where name = %(name)s;

-- name: pause_route
update {route} set paused_by = %(who)s where route = %(route)s;

-- name: resume_route
-- Whether it was paused; nothing for a route that does not exist.
update {route} r set paused_by = null from {route} before
where r.route = %(route)s and before.route = r.route returning before.paused_by is not null;

-- name: routes
-- All routes, with who paused them.
select route, paused_by from {route} order by route;
