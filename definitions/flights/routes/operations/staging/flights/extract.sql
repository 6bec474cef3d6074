-- Runs in the source (SQLite). Name the columns: a new one in the source then changes
-- nothing here until you want it.
select
    year, month, day,
    dep_time, sched_dep_time, dep_delay,
    arr_time, sched_arr_time, arr_delay,
    carrier, flight, tailnum, origin, dest,
    air_time, distance, hour, minute, time_hour
from flights
