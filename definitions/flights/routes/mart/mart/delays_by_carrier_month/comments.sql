-- The words for the next reader. `this` is the task's own table, quoted.
comment on table {{ this }} is 'Delays at arrival and cancellations, by airline and month';
comment on column {{ this }}.month is 'First day of the month, local time';
comment on column {{ this }}.cancelled is 'Flights that never left';
comment on column {{ this }}.late is 'Flights that arrived late by the minutes set in warehouse.yaml, or more';
comment on column {{ this }}.late_percent is 'Late flights, of those that arrived';
comment on column {{ this }}.average_delay is 'Minutes; early arrivals count as less than zero';
comment on column {{ this }}.delay_of_worst_5_percent is 'One flight in twenty was at least this many minutes late';
