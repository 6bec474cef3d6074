select
    f.dest,
    coalesce(a.name, 'Not in the list of airports') as airport,
    count(*) as flights,
    count(distinct f.carrier) as airlines,
    min(f.distance) as miles,
    round(avg(f.arr_delay), 1) as average_delay
from staging.flights as f
left join staging.airports as a on a.faa = f.dest
group by f.dest, a.name
