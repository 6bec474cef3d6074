-- Flights that did not leave from New York do not belong here.
select origin, count(*) as flights
from {{ this }}
where origin not in {{ new_york_airports }}
group by origin
