SELECT i.id, i.total, i.modified_ts
FROM shop.invoice i
WHERE i.{{ts_column}} > '{{last_ts_value}}'
ORDER BY i.modified_ts
