-- The decade is null for planes whose year, or that themselves, are unknown.
select
    p.year / 10 * 10 as built_in_decade,
    count(distinct f.tailnum) as planes,
    count(*) as flights,
    round(100.0 * count(*) filter (where f.dep_delay >= {{ late_minutes }})
          / nullif(count(f.dep_delay), 0), 1) as late_percent,
    round(avg(f.dep_delay), 1) as average_delay
from staging.flights as f
left join staging.planes as p on p.tailnum = f.tailnum
group by 1
