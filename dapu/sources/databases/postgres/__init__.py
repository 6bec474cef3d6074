"""PostgreSQL: rows from `COPY` to `COPY`."""
