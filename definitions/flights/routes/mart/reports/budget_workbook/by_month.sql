select
    month, airline, planned_flights, flights, more_flights,
    planned_delay_minutes, delay_minutes, percent_of_budget
from mart.budget_and_actuals
where extract(year from month) = {{ budget_year }}
order by month, airline
