create table {{target_schema}}.{{target_table}} (
    id int, name text,
    dwh_effective_current boolean not null, dwh_effective_from timestamp not null,
    dwh_effective_to timestamp, dwh_reason_start char(1), dwh_reason_end char(1),
    dwh_hash_pk varchar(32) not null, dwh_hash_data varchar(32) not null,
    dwh_worker_start int not null, dwh_worker_end int
);
