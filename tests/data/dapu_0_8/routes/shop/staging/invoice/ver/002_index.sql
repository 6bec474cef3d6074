create index ix_{{target_table}}_4_ts on {{target_schema}}.{{target_table}} (modified_ts);
