select {wanted} from (
{query}
) as query ({listed})
