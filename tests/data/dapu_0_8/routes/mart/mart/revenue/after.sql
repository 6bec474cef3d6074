comment on table {{target_schema}}.{{target_table}} is 'Revenue of each day';
