select
    make_date(year, month, day) as day,
    count(*) as flights,
    count(*) filter (where dep_time is null) as cancelled,
    count(*) filter (where dep_time is not null and arr_delay is null) as diverted,
    count(*) filter (where arr_delay >= {{ late_minutes }}) as late,
    round(100.0 * count(*) filter (where arr_delay < {{ late_minutes }}) / count(*), 1)
        as on_time_percent
from staging.flights
-- Not `group by day`: that would mean the column day of flights, the day of the month.
group by make_date(year, month, day)
