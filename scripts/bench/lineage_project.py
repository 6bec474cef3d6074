"""One project of many SQL models, as dapu, dbt and sqlmesh have it: the same SQL in each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SOURCES = 50


class Model(NamedTuple):
    """A model. masters: the tables that it reads, by name; those of `raw` are sources."""

    name: str
    masters: list[str]
    sql: str


def models(count: int) -> Iterator[Model]:
    """Models of four shapes: a cleaned source, a join of two, a sum, and a window over a join."""
    for n in range(count):
        name = f"model_{n:04}"
        if n < _SOURCES:
            yield Model(name, [f"raw.source_{n:02}"], _CLEANED.format(f"raw.source_{n:02}"))
            continue
        first, second = (f"mart.model_{_scattered(n, salt):04}" for salt in (1, 2))
        shape = _SHAPES[n % len(_SHAPES)]
        used = [one for place, one in enumerate((first, second)) if f"{{{place}}}" in shape]
        yield Model(name, list(dict.fromkeys(used)), shape.format(first, second))


def _scattered(number: int, salt: int) -> int:
    """One of the models before it, seemingly any."""
    return (number * 2_654_435_761 * salt >> 7) % number


_CLEANED = """\
select
    id,
    trim(both ' ' from name) as name,
    coalesce(amount, 0)::numeric(18, 2) as amount,
    day::date as day,
    case when status in ('a', 'b') then 'open' else coalesce(status, 'unknown') end as status,
    customer_id
from {0}
where day >= date '2020-01-01'
"""
_SHAPES = (
    """\
with cleaned as (
    select a.id, a.name, a.amount, a.day, a.status, a.customer_id
    from {0} as a
    where a.amount <> 0
),
other as (
    select b.customer_id, sum(b.amount) as other_amount, max(b.day) as last_day
    from {1} as b
    group by b.customer_id
)
select
    c.id,
    c.name,
    c.amount + coalesce(o.other_amount, 0) as amount,
    greatest(c.day, o.last_day) as day,
    c.status,
    c.customer_id
from cleaned as c
left join other as o on o.customer_id = c.customer_id
""",
    """\
select
    min(id) as id,
    max(name) as name,
    sum(amount) as amount,
    date_trunc('month', day)::date as day,
    status,
    customer_id
from {0}
group by 4, status, customer_id
having count(*) filter (where amount > 0) > 0
""",
    """\
with ranked as (
    select a.*, row_number() over (partition by a.customer_id order by a.day desc, a.id) as place
    from {0} as a
)
select r.id, r.name, r.amount, r.day, r.status, r.customer_id
from ranked as r
where r.place = 1
and exists (select 1 from {1} as b where b.customer_id = r.customer_id)
union all
select id, name, amount, day, status, customer_id from {1} where status = 'unknown'
""",
)


def write_dapu(folder: Path, count: int) -> None:
    """A warehouse directory; main need not exist."""
    _write(folder / "warehouse.yaml", "")
    main = "- {name: main, driver: pg, host: /nowhere, database: none}\n"
    _write(folder / "connections.yaml", main)
    write_tasks(folder, count)


def write_tasks(folder: Path, count: int) -> None:
    """The models as tasks of a route `r`, in a warehouse directory."""
    _write(folder / "routes/r/route.yaml", "")
    for model in models(count):
        task = folder / "routes/r/mart" / model.name
        masters = [f"r.{one}" for one in model.masters if one.startswith("mart.")]
        depends = f"depends: [{', '.join(masters)}]\n" if masters else ""
        _write(task / "task.yaml", f"{depends}actions: [{{do: transform, query: query.sql}}]\n")
        _write(task / "query.sql", model.sql)


def write_dbt(folder: Path, count: int) -> None:
    """A project of dbt; `ref` and `source` stand where the tables do."""
    _write(
        folder / "dbt_project.yml",
        "name: shop\nversion: '1.0.0'\nprofile: shop\nmodel-paths: [models]\n"
        "flags: {send_anonymous_usage_stats: false}\n",
    )
    _write(
        folder / "profiles.yml",
        "shop:\n  target: dev\n  outputs:\n    dev: {type: postgres, host: nowhere, user: u,"
        " password: p, port: 5432, dbname: d, schema: mart, threads: 2}\n",
    )
    tables = "".join(f"      - name: source_{n:02}\n" for n in range(_SOURCES))
    sources = f"version: 2\nsources:\n  - name: raw\n    schema: raw\n    tables:\n{tables}"
    _write(folder / "models/sources.yml", sources)
    for model in models(count):
        text = model.sql
        for master in model.masters:
            schema, name = master.split(".")
            call = f"ref('{name}')" if schema == "mart" else f"source('raw', '{name}')"
            text = text.replace(f"{master} ", f"{{{{ {call} }}}} ").replace(
                f"{master}\n", f"{{{{ {call} }}}}\n"
            )
        _write(folder / "models" / f"{model.name}.sql", text)


def write_sqlmesh(folder: Path, count: int) -> None:
    """A project of sqlmesh, with DuckDB as its engine, which it needs for nothing here."""
    _write(
        folder / "config.yaml",
        "gateways:\n  local:\n    connection: {type: duckdb}\ndefault_gateway: local\n"
        "model_defaults: {dialect: postgres, start: 2024-01-01}\n",
    )
    for n in range(_SOURCES):
        columns = "id int, name text, amount numeric, day date, status text, customer_id int"
        external = f"- name: raw.source_{n:02}\n  columns:\n" + "".join(
            f"    {column.split()[0]}: {column.split()[1]}\n" for column in columns.split(", ")
        )
        with (folder / "external_models.yaml").open("a", encoding="utf-8") as file:
            file.write(external)
    for model in models(count):
        head = f"MODEL (name mart.{model.name}, kind FULL);\n\n"
        _write(folder / "models" / f"{model.name}.sql", head + model.sql)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
