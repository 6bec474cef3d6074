select
    h.day,
    h.holiday,
    count(*) as flights,
    count(*) filter (where f.dep_time is null) as cancelled,
    round(100.0 * count(*) filter (where f.arr_delay >= {{ late_minutes }})
          / nullif(count(f.arr_delay), 0), 1) as late_percent
from staging.holidays as h
inner join staging.flights as f
    on make_date(f.year, f.month, f.day) between h.day - 1 and h.day + 1
group by h.day, h.holiday
