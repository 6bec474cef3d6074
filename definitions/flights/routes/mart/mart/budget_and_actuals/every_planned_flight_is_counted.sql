-- Returns a row, and so fails, when the table does not have all that was planned.
select counted.flights as in_mart, planned.flights as in_budget
from (select coalesce(sum(planned_flights), 0) as flights from {{ this }}) as counted
cross join (select coalesce(sum(flights), 0) as flights from staging.budget) as planned
where counted.flights <> planned.flights
