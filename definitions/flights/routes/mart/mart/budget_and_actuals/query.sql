with flown as (
    select
        make_date(year, month, 1) as month,
        carrier,
        count(dep_time) as flights,
        sum(arr_delay) filter (where arr_delay > 0) as delay_minutes
    from staging.flights
    group by 1, 2
)
-- A full join: an airline that was planned and did not fly is seen, and the reverse.
select
    month,
    carrier,
    a.name as airline,
    coalesce(p.flights, 0) as planned_flights,
    coalesce(f.flights, 0) as flights,
    coalesce(f.flights, 0) - coalesce(p.flights, 0) as more_flights,
    coalesce(p.delay_minutes, 0) as planned_delay_minutes,
    coalesce(f.delay_minutes, 0) as delay_minutes,
    (100.0 * f.delay_minutes / nullif(p.delay_minutes, 0))::numeric(8, 1) as percent_of_budget
from staging.budget as p
full join flown as f using (month, carrier)
left join staging.airlines as a using (carrier)
