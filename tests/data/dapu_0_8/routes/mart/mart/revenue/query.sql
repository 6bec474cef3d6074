select modified_ts::date as day, sum(amount) as amount from recent group by 1
