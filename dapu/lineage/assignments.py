"""What `update … from`, `merge` and `on conflict do update` put into columns.

Each as the query that would give the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp


def query_of(statement: exp.Expr) -> exp.Select | None:
    """A SELECT of what is assigned, each under the name of its column; None where nothing is."""
    if not isinstance(statement, exp.Update | exp.Merge):
        return None
    pairs = list(_pairs(statement))
    if not pairs or not isinstance(statement.this, exp.Table):
        return None
    values = [exp.alias_(value, column.this.copy()) for column, value in pairs]
    conditions = [one for one in _conditions(statement) if one is not None]
    return exp.Select(
        expressions=values,
        from_=exp.From(this=statement.this.copy()),
        joins=[exp.Join(this=one.copy()) for one in _sources(statement)],
        where=exp.Where(this=exp.and_(*conditions)) if conditions else None,
        with_=statement.args["with_"].copy() if statement.args.get("with_") else None,
    )


def conflict_query(statement: exp.Expr) -> exp.Select | None:
    """A SELECT of what `on conflict do update` assigns; `excluded` is the query that inserts."""
    pairs, target = [*_conflict_pairs(statement)], target_of(statement)
    if not pairs or target is None:
        return None
    table = target.copy()
    if alias := table.args.get("alias"):
        alias.set("columns", None)  # `insert into t as x (a, b)`: those that are filled
    inserted = statement.expression
    joins = []
    if isinstance(inserted, exp.Query):
        names = [exp.to_identifier(name) for name in inserted_columns(statement)]
        alias = exp.TableAlias(this=exp.to_identifier("excluded"), columns=names)
        joins = [exp.Join(this=exp.Subquery(this=inserted.copy(), alias=alias))]
    return exp.Select(
        expressions=[exp.alias_(value, column.this.copy()) for column, value in pairs],
        from_=exp.From(this=table),
        joins=joins,
        where=where.copy() if (where := statement.args["conflict"].args.get("where")) else None,
        with_=statement.args["with_"].copy() if statement.args.get("with_") else None,
    )


def target_of(statement: exp.Expr) -> exp.Table | None:
    """The table that a statement writes."""
    kinds = (exp.Insert, exp.Create, exp.Update, exp.Delete, exp.Merge)
    if not isinstance(statement, kinds):
        return None
    found = statement.this
    found = found.this if isinstance(found, exp.Schema) else found
    return found if isinstance(found, exp.Table) else None


def inserted_columns(statement: exp.Expr) -> list[str]:
    """Those of `insert into t (a, b)` and `insert into t as x (a, b)`; none where it says none."""
    into = statement.this
    if isinstance(into, exp.Schema):
        return [column.name for column in into.expressions]
    alias = into.args.get("alias") if isinstance(statement, exp.Insert) else None
    return [column.name for column in alias.columns] if alias else []


def assigned(statement: exp.Expr) -> list[exp.Column]:
    """The columns of the target that are named."""
    return [column for column, _ in _pairs(statement)]


def _pairs(statement: exp.Expr) -> Iterator[tuple[exp.Column, exp.Expr]]:
    if isinstance(statement, exp.Update):
        for one in statement.expressions:
            yield from _pair(one.this, one.expression)
    elif isinstance(statement, exp.Insert):
        yield from _conflict_pairs(statement)
    elif isinstance(statement, exp.Merge):
        for when in statement.args["whens"].expressions:
            then = when.args.get("then")
            if isinstance(then, exp.Insert):
                yield from _pair(then.this, then.expression)
            elif isinstance(then, exp.Update):
                yield from _pairs(then)


def _conflict_pairs(statement: exp.Expr) -> Iterator[tuple[exp.Column, exp.Expr]]:
    conflict = statement.args.get("conflict")
    for one in conflict.expressions if conflict is not None else ():
        yield from _pair(one.this, one.expression)


def _pair(target: exp.Expr, value: exp.Expr) -> Iterator[tuple[exp.Column, exp.Expr]]:
    """`a = 1`, `(a, b) = (1, 2)`, or `(a, b) = (select …)`."""
    if isinstance(target, exp.Column):
        yield target, value.copy()
        return
    if not isinstance(target, exp.Tuple):
        return
    names = [one for one in target.expressions if isinstance(one, exp.Column)]
    if isinstance(value, exp.Tuple) and len(value.expressions) == len(names):
        yield from zip(names, (one.copy() for one in value.expressions), strict=True)
    elif isinstance(value, exp.Subquery) and isinstance(value.this, exp.Select):
        selects = value.this.expressions
        for name, one in zip(names, selects, strict=False):
            part = value.copy()
            part.this.set("expressions", [one.copy()])
            yield name, part


def _sources(statement: exp.Expr) -> Iterator[exp.Expr]:
    using = statement.args.get("using")
    found = statement.args.get("from_")
    for one in (using, found.this if found is not None else None):
        if one is not None:
            yield one


def _conditions(statement: exp.Expr) -> Iterator[exp.Expr | None]:
    where = statement.args.get("where")
    yield where.this.copy() if where is not None else None
    on = statement.args.get("on")
    yield on.copy() if on is not None else None
    if isinstance(statement, exp.Merge):
        for when in statement.args["whens"].expressions:
            condition = when.args.get("condition")
            yield condition.copy() if condition is not None else None
