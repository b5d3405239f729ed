"""Nothing personal reaches what is published: by the lineage of the compiled SQL, and by a search of every text that would go out.

What counts as personal: the columns of the pool graded ``pseudonym`` (keyed hashes of persons), and ``record_key``, which names a record
of somebody. Values in clear have no column in the pool at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb

from dagster_project.audit.candidate import Candidate, CandidateRefusedError, sql_text
from dagster_project.audit.column_flow import ROUNDS, ColumnFlow, ColumnFlowError, Queries, Relation, column_flow
from dagster_project.audit.lineage import ABOUT_THE_POOL, POOL_SOURCE, PUBLISHED_FOR_ALL, Lineage, Node
from dagster_project.audit.register import PRODUCT_CHECKS
from dagster_project.audit.verdict import NOT_AUDITED, Verdict, first_line
from dagster_project.contracts.entities import PSEUDONYM, Entity
from dagster_project.contracts.personal_values import MAY_BE_PERSONAL, find_personal

RECORD_KEY = "record_key"
LAST_BUILD = "applied"
"""Schema in which a build names what it keeps of its own tables for the next one, and what it knows of the batches read (known by its columns)."""


def pseudonyms(entity: Entity) -> tuple[str, ...]:
    """The columns of an entity that name a person or a record under a key."""
    return (*(column.name for column in entity.columns if column.grade == PSEUDONYM), RECORD_KEY)


def privacy_verdicts(candidate: Candidate, entities: Mapping[str, Entity]) -> list[Verdict]:
    """Both checks of every product; what is wrong with a table that all products share is wrong with each of them.

    Raises CandidateRefusedError when a table that goes out whatever becomes of the products holds a personal value.
    """
    shared = [n for name in (*PUBLISHED_FOR_ALL, *ABOUT_THE_POOL) if (n := candidate.lineage.named(name)) is not None]
    flow, trouble = _flow(candidate, entities)
    values = {node.unique_id: list(_values(candidate, node)) for node in shared}
    for node in shared:
        if node.name in ABOUT_THE_POOL and values[node.unique_id]:
            raise CandidateRefusedError(f"nothing was published: {_first(values[node.unique_id])}; have the delivery renamed or corrected")
    verdicts = []
    for product in candidate.lineage.products:
        tables = [*candidate.lineage.tables_of(product), *shared]
        verdicts.append(_flow_verdict(product, tables, flow, trouble))
        found = [row for node in tables for row in (values[node.unique_id] if node.unique_id in values else _values(candidate, node))]
        words = f"{len(found)} texts: {_first(found)}" if found else f"{len(tables)} tables searched"
        verdicts.append(PRODUCT_CHECKS["personal values"].of_product(product, not found, words, found))
    return verdicts


def _first(found: Sequence[Mapping[str, str]]) -> str:
    first = found[0]
    return f"{first['table']}.{first['column']} holds a {first['kind']}, {first['shown']}"


def _key(node: Node) -> Relation:
    return Relation(node.schema.lower(), node.identifier.lower())


def _flow(candidate: Candidate, entities: Mapping[str, Entity]) -> tuple[ColumnFlow | None, str]:
    try:
        compiled = {i: b.compiled_sql for i, b in candidate.built.items() if b.compiled_sql}
        return followed(candidate.lineage, compiled, _columns(candidate), entities, _first_made_by(candidate)), ""
    except ColumnFlowError as error:
        return None, str(error)


def followed(
    lineage: Lineage,
    compiled: Mapping[str, str],
    columns: Mapping[Relation, list[str]],
    entities: Mapping[str, Entity],
    first_made_by: Mapping[str, str],
) -> ColumnFlow:
    """The personal columns of the pool, followed through the compiled models (by unique id). Raises ColumnFlowError.

    ``first_made_by`` is the SQL that made all rows of the models that were built again in part. A table kept for the next build carries
    what its model carries, which may read it: followed until nothing is added.
    """
    models, given, first = {}, {}, {}
    for node in lineage.nodes.values():
        relation = _key(node)
        if node.kind == "source":
            entity = entities.get(node.name) if node.source_name == POOL_SOURCE else None
            given[relation] = pseudonyms(entity) if entity else (RECORD_KEY,) if node.source_name == POOL_SOURCE else ()
        elif node.kind == "seed":
            given[relation] = ()
        elif node.kind == "model" and node.unique_id in compiled:
            models[relation] = compiled[node.unique_id]
            if node.unique_id in first_made_by:
                first[relation] = first_made_by[node.unique_id]
    origins = {
        name: frozenset(f"{e}.{name}" for e, entity in entities.items() if name in pseudonyms(entity))
        for e in entities.values()
        for name in pseudonyms(e)
    }
    known: dict[Relation, Mapping[str, frozenset[str]]] = {
        r: {n: origins[n] for n in names if n in origins} for r, names in columns.items() if r.schema == LAST_BUILD
    }
    queries = Queries(columns)
    kept = known | {Relation(LAST_BUILD, r.name): {} for r in models}
    for _ in range(ROUNDS):
        flow = column_flow(models, columns, given, kept, first, queries)
        carried = {Relation(LAST_BUILD, r.name): {c: o for c, o in flow.carried[r].items() if o} for r in models}
        if all(kept[r] == columns_of for r, columns_of in carried.items()):
            return flow
        kept |= carried
    raise ColumnFlowError("what builds keep for the next ones goes round in a way that cannot be followed")


def _first_made_by(candidate: Candidate) -> dict[str, str]:
    known = candidate.connection.execute(
        "select 1 from duckdb_tables() "
        f"where database_name = {sql_text(candidate.lineage.database)} and schema_name = '{LAST_BUILD}' and table_name = 'first_made_by'"
    ).fetchone()
    if known is None:
        return {}
    relation = f'"{candidate.lineage.database}"."{LAST_BUILD}"."first_made_by"'
    return dict(candidate.connection.execute(f"select unique_id, compiled_sql from {relation}").fetchall())


def _columns(candidate: Candidate) -> dict[Relation, list[str]]:
    columns: defaultdict[Relation, list[str]] = defaultdict(list)
    for schema, table, column in candidate.connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() "
        f"where database_name = {sql_text(candidate.lineage.database)} order by schema_name, table_name, column_index"
    ).fetchall():
        columns[Relation(schema.lower(), table.lower())].append(column)
    return columns


def _flow_verdict(product: str, tables: Iterable[Node], flow: ColumnFlow | None, trouble: str) -> Verdict:
    check = PRODUCT_CHECKS["personal columns"]
    if flow is None:
        return check.of_product(product, False, f"{NOT_AUDITED}: {trouble}")
    found = [
        {"table": node.name, "column": column, "carries": origin, "through": " ← ".join(r.name for r in flow.path(_key(node), origin))}
        for node in tables
        for column, origins in sorted(flow.carried.get(_key(node), {}).items())
        for origin in sorted(origins)
    ]
    if not found:
        return check.of_product(product, True, "no published column carries a personal one")
    first = found[0]
    return check.of_product(product, False, f"{first['table']}.{first['column']} carries {first['carries']} ({first['through']})", found)


def _values(candidate: Candidate, node: Node) -> Iterator[dict[str, str]]:
    """The texts of a table in which something reads as a person's: kind, and the value with its middle hidden."""
    if not candidate.has(node):
        return
    try:
        for column, kind in candidate.columns(node).items():
            if "VARCHAR" not in kind:
                continue
            quoted = f'"{column.replace(chr(34), chr(34) * 2)}"::varchar'
            # As one list, below which no filter is pushed: the expression is asked of every text once, not of every row.
            suspects = candidate.connection.execute(
                f"select text from (select unnest(list(distinct {quoted})) as text from {candidate.relation(node)}) "
                f"where regexp_matches(text, {sql_text(MAY_BE_PERSONAL)}) order by text"
            )
            for (text,) in suspects.fetchall():
                for found in find_personal(text):
                    yield {"table": node.name, "column": column, "kind": found.kind, "shown": found.shown}
    except duckdb.Error as error:
        yield {"table": node.name, "column": "", "kind": NOT_AUDITED, "shown": first_line(error)}
