-- The warehouse's own schemas and roles: files NNN_name.sql, applied once each, in order, by
-- `dapu versioner`. Never change one that was applied; add the next.
create schema if not exists staging;
