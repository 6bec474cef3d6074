create table {{target_schema}}.{{target_table}} (
    id int not null,
    amount numeric(15, 2),
    modified_ts timestamp,
    dwh_created_ts timestamptz not null default clock_timestamp(),
    constraint ak_{{target_table}}_4_uniq unique (id)
);
