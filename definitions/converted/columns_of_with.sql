with query ({listed}) as (
{query}
)
select {wanted} from query
