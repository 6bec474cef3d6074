-- What definitions are generated with. It runs in the source, which quotes the names itself.

-- name: extract
-- For the columns alone: nothing is read where the source declares them.
select {columns} from {origin};

-- name: has_nulls
-- How many rows have no value in a column of their key.
select count(*) from {origin} where {condition};
