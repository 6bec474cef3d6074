-- A Jinja2 template; `greeting` comes from `variables:` in warehouse.yaml.
select number, {{ greeting }}::text || ' number ' || number as words
from generate_series(1, 10) as number
