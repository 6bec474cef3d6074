create temporary table {shadow} on commit drop as
{query}
