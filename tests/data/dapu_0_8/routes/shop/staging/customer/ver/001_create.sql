create table {{target_schema}}.{{target_table}} (
    id int not null, name text, constraint ak_{{target_table}}_4_uniq unique (id)
);
