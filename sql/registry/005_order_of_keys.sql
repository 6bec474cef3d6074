-- The columns that a definition lists have an order, which jsonb does not keep.

alter table {registry} alter column definition type json;
