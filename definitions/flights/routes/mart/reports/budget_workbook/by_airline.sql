select
    airline,
    sum(planned_flights) as planned_flights,
    sum(flights) as flights,
    sum(planned_delay_minutes) as planned_delay_minutes,
    sum(delay_minutes) as delay_minutes,
    -- The cell shows as many decimals as the type has.
    (100.0 * sum(delay_minutes) / sum(planned_delay_minutes))::numeric(8, 1) as percent_of_budget
from mart.budget_and_actuals
where extract(year from month) = {{ budget_year }}
group by airline
order by percent_of_budget desc, airline
