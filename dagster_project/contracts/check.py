"""A contract against the entity it feeds: names, types, codes, units, conditions, and what becomes of personal values."""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dagster_project.contracts.conditions import ConditionError, check_condition
from dagster_project.contracts.entities import PSEUDONYM, Entity, EntityColumn
from dagster_project.contracts.model import DECLARED, LOCAL_PREFIX, Column, Contract, Format
from dagster_project.contracts.patterns import PatternError, between_slashes, find, groups_of
from dagster_project.contracts.personal import personal_kind
from dagster_project.contracts.problems import DocumentPath, Finding, did_you_mean
from dagster_project.contracts.units import UNITS, UnitError, factor

COMMON_ENCODINGS = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk", "gb2312", "big5", "shift_jis", "cp932", "euc_jp", "cp949",
    "euc_kr", "latin-1", "cp1252", "cp437", "ascii",
)  # fmt: skip
DIRECTIVES = frozenset("YymdHIMSfpjbBaA%")
DAY_DIRECTIVES = frozenset("dj")
SAMPLE_NIGHT = dt.date(2024, 3, 9)
NUMBERS = ("integer", "decimal")
TIMES = ("date", "timestamp")
WITHOUT_CONVERSION = frozenset({"source", "constant", "required", "optional", "personal"})
Value = str | int | float | bool | None


def check_contract(contract: Contract, entity: Entity) -> list[Finding]:
    """Everything wrong between a contract and its entity, in the order of the document; empty when it is sound."""
    return [
        *_formats(contract),
        *_batch_date(contract),
        *_pull(contract),
        *_key_and_reduce(contract, entity),
        *_columns(contract, entity),
        *_conditions(contract, entity),
        *_corrections(contract, entity),
    ]


def logical_type(name: str, column: Column, entity: Entity) -> str:
    """The type of a mapped column: of the entity, or its own for a '_' column; 'decimal' without its digits."""
    declared = column.type or (entity.by_name[name].type if name in entity.by_name else "text")
    return declared.split("(")[0]


def _formats(contract: Contract) -> Iterator[Finding]:
    yield from _format(contract.format, ("format",), contract)
    for i, variant in enumerate(contract.variants):
        yield from _format(variant.format, ("variants", i, "format"), contract)


def _format(shape: Format, at: DocumentPath, contract: Contract) -> Iterator[Finding]:
    if not _is_encoding(shape):
        hint = did_you_mean(shape.encoding, COMMON_ENCODINGS)
        yield Finding((*at, "encoding"), f"'{shape.encoding}' is not an encoding of text", hint)
    if shape.sheet and (expression := between_slashes(shape.sheet)) is not None:
        try:
            groups_of(expression)
        except PatternError as wrong:
            yield Finding((*at, "sheet"), str(wrong))
    if shape.names and shape.header_rows == 0:
        yield from _names(shape.names, "names", at, contract)
    if shape.fields:
        yield from _names(tuple(field.name for field in shape.fields), "fields", at, contract)
    if shape.query is not None:
        yield from _query(shape.query, at)


def _is_encoding(shape: Format) -> bool:
    if shape.encoding == DECLARED:
        return shape.kind == "xml"
    try:
        return codecs.lookup(shape.encoding)._is_text_encoding
    except LookupError:
        return False


def _names(names: tuple[str, ...], key: str, at: DocumentPath, contract: Contract) -> Iterator[Finding]:
    """Names that the contract itself gives to what is delivered: each once, and what is mapped must be among them."""
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        yield Finding((*at, key), f"names twice: {', '.join(sorted(repeated))}")
    for name, column in contract.columns.items():
        read = column.aliases and not column.optional and not (column.personal and column.personal.treatment == "drop")
        if read and not contract.variants and not set(column.aliases) & set(names):
            yield Finding(
                ("columns", name, "from"), f"'{column.aliases[0]}' is not among 'format.{key}'", did_you_mean(column.aliases[0], names)
            )


def _query(query: str, at: DocumentPath) -> Iterator[Finding]:
    try:
        trees = [tree for tree in sqlglot.parse(query, read="sqlite") if tree is not None]
    except SqlglotError as wrong:
        yield Finding((*at, "query"), f"not SQL: {str(wrong).splitlines()[0]}")
        return
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        yield Finding((*at, "query"), "it must be a single SELECT")


def _batch_date(contract: Contract) -> Iterator[Finding]:
    pattern = contract.landing.batch.format
    if pattern is None:
        return
    at: DocumentPath = ("landing", "batch", "format")
    yield from _directives(pattern, at)
    if "%Y" not in pattern and "%y" not in pattern:
        yield Finding(at, f"'{pattern}' has no year", "write %Y, %Y%m, %Y%m%d or the like")


def _pull(contract: Contract) -> Iterator[Finding]:
    pull = contract.pull
    if pull is None:
        return
    written = {"sql": "parquet", "rest": "ndjson"}[pull.kind]
    if contract.format.kind != written:
        yield Finding(("format", "kind"), f"what is pulled by '{pull.kind}' lies in landing as {written}", f"write kind: {written}")
    if contract.variants:
        yield Finding(("variants",), "a pulled source has one shape")
    yield from _pulled_file(contract)
    keyed, mode = bool(contract.extract.key), contract.extract.mode
    if pull.cursor is None:
        if mode == "append":
            hint = "pull by a 'cursor', or say mode: full"
            yield Finding(("extract", "mode"), "without 'pull.cursor' every night pulls every row, and 'append' would add them up", hint)
        return
    if mode == "full":
        yield Finding(("extract", "mode"), "a pull by cursor brings changes only, 'full' would delete the rest", "say mode: delta")
    if not keyed:
        yield Finding(("extract",), "a pull by cursor may bring a row twice: it needs a 'key' to know it again")
    read = {a for c in contract.columns.values() if not (c.personal and c.personal.treatment == "drop") for a in c.aliases}
    if pull.cursor.column not in read:
        hint = did_you_mean(pull.cursor.column, read) or "map it; a name that starts with '_' is not stored"
        yield Finding(("pull", "cursor", "column"), f"'{pull.cursor.column}' is not read by any column", hint)


def _pulled_file(contract: Contract) -> Iterator[Finding]:
    glob, batch = contract.landing.glob, contract.landing.batch
    if glob.count("*") != 1 or any(sign in glob for sign in "?["):
        yield Finding(("landing", "glob"), f"'{glob}' must hold one '*', which is the night, and no other pattern")
    elif batch.path is None or batch.format is None or not DAY_DIRECTIVES & set(re.findall(r"%(.?)", batch.format)):
        yield Finding(("landing", "batch"), "a pulled batch is dated by the night: give 'path' and a 'format' with a day")
    else:
        found = find(batch.path, contract.landing.file_of(SAMPLE_NIGHT))
        if found is None or found[1] != SAMPLE_NIGHT.strftime(batch.format):
            yield Finding(("landing", "batch", "path"), f"it does not find the night in '{contract.landing.file_of(SAMPLE_NIGHT)}'")


def _directives(pattern: str, at: DocumentPath) -> Iterator[Finding]:
    unknown = [d for d in re.findall(r"%(.?)", pattern) if d not in DIRECTIVES]
    if unknown or "%" not in pattern:
        found = f"'%{unknown[0]}' is not a part of a time" if unknown else "it holds no % directive"
        yield Finding(at, f"'{pattern}' is not a format of a time: {found}", "write it as in %Y-%m-%d %H:%M:%S")


def _key_and_reduce(contract: Contract, entity: Entity) -> Iterator[Finding]:
    stored = contract.stored_columns
    for i, name in enumerate(contract.extract.key):
        if name not in stored:
            yield Finding(("extract", "key", i), f"'{name}' does not reach the pool, a key must")
    version = contract.columns.get(contract.extract.version or "")
    if version is not None and version.personal is not None and version.personal.treatment == "drop":
        yield Finding(("extract", "version"), f"'{contract.extract.version}' is dropped, a version must be read")
    if contract.reduce is None:
        return
    for i, name in enumerate(contract.reduce.by):
        if name not in stored:
            yield Finding(("reduce", "by", i), f"'{name}' does not reach the pool, a column to group by must")
    for i, name in enumerate(contract.reduce.sums):
        if name in entity.by_name and not entity.by_name[name].type.startswith(NUMBERS):
            yield Finding(("reduce", "sums", i), f"'{name}' is {entity.by_name[name].type}; only integers and decimals are summed")
    lost = sorted(set(stored) - set(contract.reduce.by) - set(contract.reduce.sums))
    for name in lost:
        if contract.columns[name].aliases:
            yield Finding(
                ("columns", name),
                f"'{name}' is neither in 'reduce.by' nor in 'reduce.sums': it would be lost",
                "name it with '_' if only a condition needs it",
            )


def _columns(contract: Contract, entity: Entity) -> Iterator[Finding]:
    for name, column in contract.columns.items():
        at: DocumentPath = ("columns", name)
        canonical = entity.by_name.get(name)
        dropped = column.personal is not None and column.personal.treatment == "drop"
        if canonical is None and not name.startswith(LOCAL_PREFIX) and not dropped:
            yield Finding(at, f"'{name}' is not a column of entity '{entity.name}'", did_you_mean(name, entity.by_name))
            continue
        yield from _personal(name, column, canonical, at)
        if dropped:
            continue
        if column.constant is not None:
            yield from _value(column.constant, logical_type(name, column, entity), canonical, (*at, "constant"))
        if not column.model_fields_set <= WITHOUT_CONVERSION:
            yield from _conversions(name, column, entity, at)
    for canonical in entity.columns:
        if canonical.required and canonical.name not in contract.stored_columns:
            hint = "map it, or give it a constant"
            yield Finding(("columns",), f"entity '{entity.name}' requires '{canonical.name}', which is not mapped", hint)
    if contract.ignore != "*":
        mapped = {alias for column in contract.columns.values() for alias in column.aliases}
        for i, ignored in enumerate(contract.ignore):
            if ignored in mapped:
                yield Finding(("ignore", i), f"'{ignored}' is mapped above and ignored here")


def _personal(name: str, column: Column, canonical: EntityColumn | None, at: DocumentPath) -> Iterator[Finding]:
    treatment = column.personal.treatment if column.personal else None
    if treatment is None:
        for alias in column.aliases:
            kind = personal_kind(alias)
            if kind is not None:
                message = f"delivered column '{alias}' looks like {_article(kind)} and nothing says what becomes of it"
                yield Finding(
                    (*at, "from"), message, "add 'personal: {treatment: drop}', or hmac, presence, generalise, keep with a reason"
                )
                break
    if canonical is None:
        return
    if canonical.grade == PSEUDONYM and treatment != "hmac":
        yield Finding(at, f"'{name}' holds pseudonyms only", "add 'personal: {treatment: hmac, purpose: …}'")
    if treatment == "hmac" and canonical.type != "text":
        yield Finding((*at, "personal"), f"a hash is text, '{name}' is {canonical.type}")
    if treatment == "presence" and canonical.type != "boolean":
        yield Finding((*at, "personal"), f"whether there is a value is yes or no, '{name}' is {canonical.type}")
    if treatment == "presence" and column.codes is not None:
        yield Finding((*at, "codes"), "of a value that is only asked for its presence no code is read", "list what means none in 'nulls'")


def _article(kind: str) -> str:
    if kind == "free text":
        return kind
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _conversions(name: str, column: Column, entity: Entity, at: DocumentPath) -> Iterator[Finding]:
    logical = logical_type(name, column, entity)
    canonical = entity.by_name.get(name)
    for key, fits in (
        ("formats", TIMES),
        ("truncate", TIMES),
        ("batch", TIMES),
        ("thousands", NUMBERS),
        ("unit", NUMBERS),
        ("pad", ("text",)),
    ):
        if getattr(column, key) and logical not in fits:
            yield Finding((*at, key), f"'{key}' is for {' and '.join(fits)} columns; '{name}' is {logical}")
    for i, pattern in enumerate(column.formats):
        yield from _directives(pattern, (*at, "formats", i))
    for delivered, value in (column.codes or {}).items():
        yield from _value(value, logical, canonical, (*at, "codes", delivered))
    if column.codes_else is not None:
        yield from _value(column.codes_else, logical, canonical, (*at, "codes_else"))
    if "codes_else" in column.model_fields_set and column.codes is None:
        yield Finding((*at, "codes_else"), "'codes_else' says what other texts than those in 'codes' mean: give 'codes' too")
    if column.unit is None or logical not in NUMBERS:
        return
    if canonical is None:
        yield Finding((*at, "unit"), f"'{name}' is not of the entity, so there is no unit of measure to convert to")
    elif column.unit not in UNITS:
        yield Finding((*at, "unit"), f"'{column.unit}' is not a known unit of measure", did_you_mean(column.unit, UNITS))
    elif canonical.unit is None:
        yield Finding((*at, "unit"), f"'{name}' has no unit of measure in entity '{entity.name}', so nothing can be converted")
    else:
        try:
            factor(column.unit, canonical.unit)
        except UnitError as wrong:
            yield Finding((*at, "unit"), str(wrong))


def _value(value: Value, logical: str, canonical: EntityColumn | None, at: DocumentPath) -> Iterator[Finding]:
    """A canonical value written in the contract: of the right type, and one of the entity's codes where it has codes."""
    if value is None:
        return
    fits = {
        "text": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "decimal": isinstance(value, (int, float)) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
    }.get(logical, isinstance(value, str))
    if not fits:
        hint = {"text": "put it in quotes", "boolean": "write true or false", "integer": "write digits without quotes"}.get(logical)
        yield Finding(at, f"{value!r} is not {logical}", hint)
    elif canonical is not None and canonical.codes and value not in canonical.codes:
        yield Finding(at, f"'{value}' is not a code of '{canonical.name}'", did_you_mean(str(value), canonical.codes))


def _conditions(contract: Contract, entity: Entity) -> Iterator[Finding]:
    read = {name: c for name, c in contract.columns.items() if not (c.personal and c.personal.treatment == "drop")}
    types = {name: c.type or entity.by_name[name].type for name, c in read.items() if c.type or name in entity.by_name}
    written: list[tuple[DocumentPath, str | None]] = [
        (("filter",), contract.filter),
        (("extract", "deleted_when"), contract.extract.deleted_when),
    ]
    written += [(("rules", i, "expect"), rule.expect) for i, rule in enumerate(contract.rules)]
    written += [(("corrections", i, "where"), correction.where) for i, correction in enumerate(contract.corrections)]
    for at, sql in written:
        if sql is None:
            continue
        try:
            check_condition(sql, types)
        except ConditionError as wrong:
            yield Finding(at, str(wrong))
    seen: set[str] = set()
    for i, rule in enumerate(contract.rules):
        if rule.id in seen:
            yield Finding(("rules", i, "id"), f"two rules are called '{rule.id}'")
        seen.add(rule.id)


def _corrections(contract: Contract, entity: Entity) -> Iterator[Finding]:
    for i, correction in enumerate(contract.corrections):
        for name, value in correction.assign.items():
            at: DocumentPath = ("corrections", i, "set", name)
            if name not in contract.columns:
                yield Finding(at, f"'{name}' is not among 'columns'", did_you_mean(name, contract.columns))
            else:
                yield from _value(value, logical_type(name, contract.columns[name], entity), entity.by_name.get(name), at)
