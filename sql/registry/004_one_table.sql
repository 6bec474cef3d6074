-- Two tasks may not fill one table.

create unique index on {registry} (schema_name, table_name);
