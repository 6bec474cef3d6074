-- What a job or a correction reads again of the past is a backfill, in the registry as in the docs.

alter table {agenda} rename column span to backfill;
comment on column {agenda}.backfill is 'Values of the watermark''s column to read again, from and to; the watermark stays where it is';
alter table {correction} rename column span to backfill;
comment on column {correction}.backfill is 'Values of the task''s own watermark to read again, from and to; null: everything';
comment on column {correction}.reason is 'range: a range was read again; full: everything was; deletes: rows were deleted';
