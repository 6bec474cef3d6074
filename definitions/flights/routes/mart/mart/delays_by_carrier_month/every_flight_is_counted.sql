-- Returns a row, and so fails, when the months do not add up to the flights.
select counted.flights as in_mart, loaded.flights as in_staging
from (select coalesce(sum(flights), 0) as flights from {{ this }}) as counted
cross join (select count(*) as flights from staging.flights) as loaded
where counted.flights <> loaded.flights
