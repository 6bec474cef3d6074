select
    make_date(f.year, f.month, 1) as month,
    f.carrier,
    a.name as airline,
    count(*) as flights,
    count(*) filter (where f.dep_time is null) as cancelled,
    count(*) filter (where f.arr_delay >= {{ late_minutes }}) as late,
    round(100.0 * count(*) filter (where f.arr_delay >= {{ late_minutes }})
          / nullif(count(f.arr_delay), 0), 1) as late_percent,
    round(avg(f.arr_delay), 1) as average_delay,
    percentile_disc(0.95) within group (order by f.arr_delay) as delay_of_worst_5_percent
from staging.flights as f
-- A left join, so that a flight of an unknown airline is not lost: the check
-- `not_null: [airline]` says so instead.
left join staging.airlines as a on a.carrier = f.carrier
group by 1, 2, 3
