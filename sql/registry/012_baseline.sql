-- A watermark may be set by hand, for a table that dapu takes up as it is.

alter table {watermark} alter column job drop not null;
comment on column {watermark}.job is 'The job that moved it; null: set by `dapu baseline`';
