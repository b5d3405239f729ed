"""Which columns a value of a personal column can reach, read off the compiled SQL of the models.

A column *carries* a personal column when its value is computed from it. What only asks something of a personal value does not carry
it: counting it, whether it is there (``is null``), whether it equals another value of the same personal column (a join, a partition, a
group). Everything else does, and so does every column of a query that picks rows by comparing a personal value with anything else.
What the analysis does not know carries: it errs by naming too much, never too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

DIALECT = "duckdb"
MAIN = "main"
EVERYTHING = "*"
"""The column of a relation whose columns are not known."""

Origins = frozenset[str]
NOTHING: Origins = frozenset()
COUNTS = (exp.Count, exp.CountIf, exp.ApproxDistinct)
RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.PercentRank, exp.CumeDist)
COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
MADE_UP = (exp.GenerateSeries, exp.GenerateDateArray, exp.Explode, exp.Unnest)
CONDITIONS = ("where", "having", "qualify")
ROUNDS = 10
"""How often a model that reads its own table is followed until it carries nothing new."""


class ColumnFlowError(ValueError):
    """A model whose SQL cannot be followed; the message names it."""


@dataclass(frozen=True, order=True)
class Relation:
    """A table or view, by schema and name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class ColumnFlow:
    """For every relation asked for: its columns that carry personal columns, with those as 'relation.column'."""

    carried: Mapping[Relation, Mapping[str, Origins]]
    read_from: Mapping[Relation, tuple[Relation, ...]]

    def path(self, relation: Relation, origin: str) -> tuple[Relation, ...]:
        """One way from a relation back to the personal column, the relation first."""
        way = [relation]
        while carrying := [
            parent
            for parent in self.read_from.get(way[-1], ())
            if parent not in way and any(origin in origins for origins in self.carried.get(parent, {}).values())
        ]:
            way.append(carrying[0])
        return tuple(way)


def column_flow(
    models: Mapping[Relation, str],
    columns: Mapping[Relation, Sequence[str]],
    personal: Mapping[Relation, Iterable[str]],
    kept: Mapping[Relation, Mapping[str, Origins]] | None = None,
    first_made_by: Mapping[Relation, str] | None = None,
    queries: Queries | None = None,
) -> ColumnFlow:
    """Follow the ``personal`` columns through the compiled SQL of ``models``.

    ``columns`` are those of every relation that a model may read, other models included; a relation that is not among them has any
    column that is asked of it. ``personal`` names every relation that is given, those without personal columns too; ``kept`` those of which
    it is known what they carry. ``first_made_by`` is the SQL that made the rows of a table which its model now only replaces in part: such
    a model carries what either carries, and may read its own table. ``queries`` (of the same columns) spares who asks again the parsing. Raises ColumnFlowError for SQL that does not parse, that reads files or
    what nobody made, or that reads itself in a circle.
    """
    analysis = _Analysis(models, queries or Queries(columns), first_made_by or {})
    for relation, names in personal.items():
        analysis.carried[relation] = {name: frozenset({f"{relation.name}.{name}"}) for name in names}
        analysis.read_from[relation] = ()
    for relation, carried in (kept or {}).items():
        analysis.carried[relation], analysis.read_from[relation] = dict(carried), ()
    for relation in models:
        analysis.follow(relation)
    return ColumnFlow(analysis.carried, analysis.read_from)


@dataclass
class Queries:
    """The SQL of models, parsed once however often it is followed. ``columns`` are those of every relation that a model may read."""

    columns: Mapping[Relation, Sequence[str]]
    _trees: dict[str, exp.Expr] = field(default_factory=dict)
    _read: dict[str, tuple[Relation, ...]] = field(default_factory=dict)
    _scopes: dict[str, list[Scope]] = field(default_factory=dict)

    def read(self, sql: str) -> tuple[Relation, ...]:
        """The tables that it reads."""
        if sql not in self._read:
            self._trees[sql] = parse_one(sql, dialect=DIALECT)
            self._read[sql] = tuple(sorted(_relations(self._trees[sql])))
        return self._read[sql]

    def scopes(self, sql: str) -> list[Scope]:
        """Its queries, innermost first."""
        if sql not in self._scopes:
            schema: dict[str, dict[str, dict[str, str]]] = {}
            for parent in self.read(sql):
                if parent in self.columns:
                    schema.setdefault(parent.schema, {})[parent.name] = dict.fromkeys(self.columns[parent], "text")
            qualified = qualify(
                _addressed(self._trees[sql]),
                dialect=DIALECT,
                schema=dict(schema),
                validate_qualify_columns=False,
                quote_identifiers=False,
            )
            self._scopes[sql] = traverse_scope(qualified)
        return self._scopes[sql]


@dataclass
class _Analysis:
    models: Mapping[Relation, str]
    queries: Queries
    first_made_by: Mapping[Relation, str]
    carried: dict[Relation, dict[str, Origins]] = field(default_factory=dict)
    read_from: dict[Relation, tuple[Relation, ...]] = field(default_factory=dict)
    following: list[Relation] = field(default_factory=list)

    def follow(self, relation: Relation) -> Mapping[str, Origins]:
        if relation in self.carried:
            return self.carried[relation]
        if relation not in self.models:
            return {}
        if relation in self.following:
            raise ColumnFlowError(f"{relation} reads itself: {' ← '.join(map(str, self.following))}")
        self.following.append(relation)
        try:
            self._follow_model(relation)
        except SqlglotError as error:
            raise ColumnFlowError(f"the SQL of {relation} cannot be followed: {str(error).splitlines()[0]}") from None
        finally:
            self.following.pop()
        return self.carried[relation]

    def _follow_model(self, relation: Relation) -> None:
        """A table that its model makes again in part: what it carried first, and what each build after that can add."""
        sql, first = self.models[relation], self.first_made_by.get(relation)
        read = self._followed(relation, self.queries.read(sql))
        outputs: dict[str, Origins] = {}
        if first is not None and first != sql:
            read_first = self._followed(relation, self.queries.read(first))
            if relation in read_first:
                raise ColumnFlowError(f"{relation} reads itself where it is made first")
            outputs = self._outputs(first)
            read = tuple(sorted({*read, *read_first}))
        elif relation in read:
            raise ColumnFlowError(f"{relation} reads itself, and what made its first rows is not known: build it anew (--full-refresh)")
        self.read_from[relation] = tuple(parent for parent in read if parent != relation)
        if relation not in read:
            self.carried[relation] = _either(outputs, self._outputs(sql))
            return
        for _ in range(ROUNDS):
            self.carried[relation] = outputs
            outputs = _either(outputs, self._outputs(sql))
            if outputs == self.carried[relation]:
                return
        raise ColumnFlowError(f"{relation} reads itself in a way that cannot be followed")

    def _followed(self, relation: Relation, read: tuple[Relation, ...]) -> tuple[Relation, ...]:
        """What a model reads, all of it followed before."""
        for parent in read:
            if parent not in self.models and parent not in self.carried:
                raise ColumnFlowError(f"{relation} reads {parent}, which no model makes")
            if parent != relation:
                self.follow(parent)
        return read

    def _outputs(self, sql: str) -> dict[str, Origins]:
        if not any(any(self.carried.get(parent, {}).values()) for parent in self.queries.read(sql)):
            return {}
        queries = self.queries.scopes(sql)
        if not queries:
            raise ColumnFlowError("a model without a query")
        followed = _Scopes(self.carried)
        for query in queries:
            followed.follow(query)
        return {name: origins for name, origins in followed.outputs[id(queries[-1].expression)] if origins}


def _either(one: Mapping[str, Origins], other: Mapping[str, Origins]) -> dict[str, Origins]:
    return {name: one.get(name, NOTHING) | other.get(name, NOTHING) for name in sorted({*one, *other})}


def _relation(table: exp.Table) -> Relation:
    return Relation(table.db.lower() or MAIN, table.name.lower())


def _relations(tree: exp.Expr) -> set[Relation]:
    """The tables that a query reads. Raises ColumnFlowError for one that reads files, past every model."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    found = set()
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            if not isinstance(table.this, MADE_UP):
                raise ColumnFlowError(f"{table.sql(dialect=DIALECT)} is no model: read it through a source")
        elif table.db or table.name.lower() not in ctes:
            found.add(_relation(table))
    return found


def _addressed(tree: exp.Expr) -> exp.Expr:
    """Every table by its schema, and none by its database."""
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
        if not table.db and not isinstance(table.this, exp.Func) and table.name.lower() not in ctes:
            table.set("db", exp.to_identifier(MAIN))
    return tree


@dataclass
class _Scopes:
    """The queries inside one model, innermost first: what each of their columns carries."""

    carried: Mapping[Relation, Mapping[str, Origins]]
    outputs: dict[int, list[tuple[str, Origins]]] = field(default_factory=dict)

    def follow(self, scope: Scope) -> None:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            sides = [self.outputs[id(side.expression)] for side in scope.set_operation_scopes]
            if query.args.get("by_name"):
                names = dict.fromkeys(name for side in sides for name, _ in side)
                sides = [[(name, dict(side).get(name, NOTHING)) for name in names] for side in sides]
            self.outputs[id(query)] = [
                (names[0][0], frozenset().union(*(origins for _, origins in names))) for names in zip(*sides, strict=False)
            ]
        elif isinstance(query, exp.Select):
            picked = self._picked(scope, query)
            self.outputs[id(query)] = [
                (column.alias_or_name.lower() or EVERYTHING, self._of(column, scope) | picked) for column in query.selects
            ]
        else:
            everything = frozenset().union(*(self._of(part, scope) for part in query.iter_expressions()))
            self.outputs[id(query)] = [(EVERYTHING, everything)]

    def _picked(self, scope: Scope, query: exp.Select) -> Origins:
        """What the choice of rows gives away."""
        conditions = [query.args[name] for name in CONDITIONS if query.args.get(name)]
        conditions += [join.args["on"] for join in query.args.get("joins") or () if join.args.get("on")]
        return frozenset().union(
            *(
                self._of(condition.this if isinstance(condition, exp.Where | exp.Having | exp.Qualify) else condition, scope)
                for condition in conditions
            )
        )

    def _of_column(self, column: exp.Column, scope: Scope | None) -> Origins:
        name = column.name.lower()
        while scope is not None:
            sources = scope.sources
            if column.table and column.table in sources:
                return self._of_source(sources[column.table], name)
            if not column.table and (found := frozenset().union(*(self._of_source(source, name) for source in sources.values()))):
                return found
            scope = scope.parent
        return NOTHING

    def _of_source(self, source: object, name: str) -> Origins:
        if isinstance(source, Scope):
            outputs = self.outputs.get(id(source.expression), [])
            return frozenset().union(*(origins for output, origins in outputs if name == EVERYTHING or output in (name, EVERYTHING)))
        if isinstance(source, exp.Table):
            columns = self.carried.get(_relation(source), {})
            if name == EVERYTHING:
                return frozenset().union(*columns.values())
            return columns.get(name, NOTHING) | columns.get(EVERYTHING, NOTHING)
        return NOTHING

    def _of(self, node: exp.Expr, scope: Scope) -> Origins:
        if isinstance(node, exp.Column):
            return self._of_column(node, scope)
        if isinstance(node, exp.Star | exp.Columns):
            return frozenset().union(*(self._of_source(source, EVERYTHING) for source in scope.sources.values()))
        if isinstance(node, (*COUNTS, *RANKS)):
            return NOTHING
        if isinstance(node, exp.Window):
            return self._of(node.this, scope)
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return NOTHING
        if isinstance(node, COMPARISONS):
            return self._of_pairs(self._of_each(node.left, scope), self._of_each(node.right, scope))
        if isinstance(node, exp.In) and node.args.get("query"):
            query = cast(exp.Expr, node.args["query"]).unnest()
            return self._of_pairs(self._of_each(node.this, scope), [origins for _, origins in self.outputs.get(id(query), [])])
        if isinstance(node, exp.Query):
            return frozenset().union(*(origins for _, origins in self.outputs.get(id(node.unnest()), [])))
        return frozenset().union(*(self._of(part, scope) for part in node.iter_expressions()))

    def _of_each(self, node: exp.Expr, scope: Scope) -> list[Origins]:
        return [self._of(part, scope) for part in (node.expressions if isinstance(node, exp.Tuple) else [node])]

    def _of_pairs(self, left: list[Origins], right: list[Origins]) -> Origins:
        """Of several columns at once each is compared with its own."""
        if len(left) != len(right):
            return frozenset().union(*left, *right)
        return frozenset().union(*map(self._of_comparison, left, right))

    @staticmethod
    def _of_comparison(left: Origins, right: Origins) -> Origins:
        """Whether two values of one personal column are the same says nothing of the value."""
        return NOTHING if left and left == right else left | right
