-- What dapu asks of the databases that it reads.

-- name: describe
select * from ({query}) as dapu_query limit 0;

-- name: type_name
select format_type(%(oid)s::oid, %(modifier)s);
