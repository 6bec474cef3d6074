drop table if exists {{target_schema}}.{{target_table}}__imp;
create table {{target_schema}}.{{target_table}}__imp as
select {{key_columns}}, {{data_columns}},
    md5(id::text) as dwh_hash_pk, md5(concat_ws('|', {{data_columns}})) as dwh_hash_data
from staging.customer;
