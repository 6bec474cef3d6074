-- Each flight with the weather where it left, in the hour it was to leave.
-- Both times are in UTC, so the join is right when the clocks change, too.
with departures as (
    select
        f.dep_time,
        f.dep_delay,
        case
            when w.wind_speed > {{ fastest_wind }} then 'unknown'
            when w.wind_speed >= 25 then 'strong'
            when w.wind_speed >= 13 then 'moderate'
            when w.wind_speed >= 0 then 'light'
            else 'unknown'
        end as wind,
        case
            when w.visib >= 10 then 'clear'
            when w.visib >= 3 then 'haze'
            when w.visib >= 1 then 'mist'
            when w.visib >= 0 then 'fog'
            else 'unknown'
        end as visibility
    from staging.flights as f
    left join staging.weather as w on w.origin = f.origin and w.time_hour = f.time_hour
)
select
    wind,
    visibility,
    count(*) as flights,
    round(100.0 * count(*) filter (where dep_time is null) / count(*), 1) as cancelled_percent,
    round(100.0 * count(*) filter (where dep_delay >= {{ late_minutes }})
          / nullif(count(dep_delay), 0), 1) as late_percent,
    round(avg(dep_delay), 1) as average_delay
from departures
group by wind, visibility
