-- How old a table's last good run may be.

alter table {registry} add fresh_within interval;
comment on column {registry}.fresh_within is 'It is late when its last good run ended longer ago; null: any age is all right';
