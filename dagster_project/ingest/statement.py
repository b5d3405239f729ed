"""The one SQL statement of a mapping: types, corrections, filter, rules, record key, and the fate of every row of a chunk.

It reads the table ``chunk``: row_number, every delivered column as cleaned text (or as value, where a code map gave it), and a flag
``unknown:<column>`` for every column with codes. Helper columns carry a ':' and so cannot meet a column of a contract.
"""

from __future__ import annotations

from dagster_project.contracts.model import Column
from dagster_project.ingest.mapping import Mapping
from dagster_project.ingest.typed import duckdb_type, literal, sortable, typed_value, within_calendar

ACCEPTED, FILTERED, REJECTED = 0, 1, 2
_KEY_SEPARATOR = "|"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def active_corrections(mapping: Mapping) -> list[int]:
    """Numbers of the corrections that apply to this batch."""
    return [i for i, c in enumerate(mapping.contract.corrections) if c.batch in (None, mapping.batch_date)]


def warning_rules(mapping: Mapping) -> list[str]:
    return [rule.id for rule in mapping.contract.rules if rule.severity == "warn"]


def build_column_statement(mapping: Mapping, name: str) -> str:
    """The statement that types the distinct clean texts of one column: from ``texts(text)``, in order, to ``value``."""
    return f"select {_typed(mapping, name, 'text')} as value from texts"


def needs_typing(mapping: Mapping, name: str) -> bool:
    """Whether a delivered column is more than clean text or the value of a code."""
    return not mapping.cleaners[name].yields_values and _typed(mapping, name, "text") != "text"


def build_statement(mapping: Mapping, typed_before: frozenset[str] = frozenset()) -> str:
    """The statement. Columns in ``typed_before`` come as values, with a flag ``given:<column>`` where a text stood.

    Its result, in the order of the rows: row_number, row:status, row:reasons, row:content, fix:<i>, warn:<rule>, the stored columns
    that are not untouched and, where the contract gives them, record_key, record_version, is_deleted.
    """
    return "\n".join(
        (
            f"with parsed as (select {_list(_parsed(mapping, typed_before))} from chunk),",
            f"valued as (select {_list(_valued(mapping))} from parsed),",
            f"corrected as (select {_list(_corrected(mapping))} from valued),",
            f"marked as (select *, {_list(_marks(mapping))} from corrected),",
            f"judged as (select *, {_list(_judgements(mapping))} from marked)",
            f"select {_list(_results(mapping))} from judged",
        )
    )


def _list(parts: list[str]) -> str:
    return ", ".join(parts)


def _coded(mapping: Mapping) -> list[str]:
    return [name for name, cleaner in mapping.cleaners.items() if cleaner.has_codes]


def _may_be_bad(mapping: Mapping) -> list[str]:
    return [name for name in mapping.columns if mapping.may_be_bad(name)]


def _flag(kind: str, name: str | int) -> str:
    return quoted(f"{kind}:{name}")


def _parsed(mapping: Mapping, typed_before: frozenset[str]) -> list[str]:
    parts = ["row_number"]
    for name, column in mapping.columns.items():
        if name not in mapping.delivered:
            value = _constant(mapping, name, column)
        elif name in typed_before or mapping.cleaners[name].yields_values:
            value = quoted(name)
        else:
            value = _typed(mapping, name, quoted(name))
        parts.append(f"{value} as {quoted(name)}")
    for name in _may_be_bad(mapping):
        given = _flag("given", name) if name in typed_before else f"{quoted(name)} is not null"
        parts.append(f"{given} as {_flag('given', name)}")
    return parts + [_flag("unknown", name) for name in _coded(mapping)]


def _typed(mapping: Mapping, name: str, text: str) -> str:
    return typed_value(text, mapping.columns[name], mapping.logical(name), mapping.canonical_unit(name))


def _constant(mapping: Mapping, name: str, column: Column) -> str:
    value: str | int | float | bool | None = column.constant
    if column.batch is not None:
        first = mapping.contract.landing.batch.first_day(mapping.batch_date)
        value = (first if column.batch == "first_day" else mapping.batch_date).isoformat()
    return f"cast({literal(value)} as {duckdb_type(mapping.logical(name))})"


def _valued(mapping: Mapping) -> list[str]:
    dated = {n for n in _may_be_bad(mapping) if mapping.logical(n) in ("date", "timestamp")}
    value = {name: within_calendar(quoted(name)) if name in dated else quoted(name) for name in mapping.columns}
    parts = ["row_number"]
    parts += [f"{value[name]} as {quoted(name)}" for name in mapping.columns]
    parts += [f"{_flag('given', name)} and ({value[name]}) is null as {_flag('bad', name)}" for name in _may_be_bad(mapping)]
    return parts + [_flag("unknown", name) for name in _coded(mapping)]


def _corrected(mapping: Mapping) -> list[str]:
    corrections = mapping.contract.corrections
    active = active_corrections(mapping)
    parts = ["row_number"]
    for name in mapping.columns:
        fixes = [(f"({corrections[i].where})", corrections[i].assign[name]) for i in reversed(active) if name in corrections[i].assign]
        arms = " ".join(f"when {where} then cast({literal(value)} as {duckdb_type(mapping.logical(name))})" for where, value in fixes)
        parts.append(f"case {arms} else {quoted(name)} end as {quoted(name)}" if fixes else quoted(name))
        untouched = "".join(f" and not coalesce({where}, false)" for where, _ in fixes)
        parts += [f"{_flag('bad', name)}{untouched} as {_flag('bad', name)}"] if mapping.may_be_bad(name) else []
        parts += [f"{_flag('unknown', name)}{untouched} as {_flag('unknown', name)}"] if name in _coded(mapping) else []
    return parts + [f"coalesce(({corrections[i].where}), false) as {_flag('fix', i)}" for i in active]


def _marks(mapping: Mapping) -> list[str]:
    deleted = mapping.contract.extract.deleted_when
    return [
        f"coalesce(({mapping.contract.filter or 'true'}), true) as {_flag('row', 'kept')}",
        f"coalesce(({deleted or 'false'}), false) as {_flag('row', 'deleted')}",
    ]


def _reasons(mapping: Mapping) -> dict[str, str]:
    """Reason code to the condition under which a row bears it; a row that deletes its key needs no more than the key."""
    reasons: dict[str, str] = {}
    coded, may_be_bad = _coded(mapping), _may_be_bad(mapping)
    for name in mapping.columns:
        faults = []
        if name in coded:
            reasons[f"unknown_code:{name}"] = _flag("unknown", name)
            faults.append(_flag("unknown", name))
        if name in may_be_bad:
            reasons[f"bad_type:{name}"] = _flag("bad", name)
            faults.append(_flag("bad", name))
        if name in mapping.required:
            waived = [] if name in mapping.contract.extract.key else [_flag("row", "deleted")]
            reasons[f"missing_required:{name}"] = " and not ".join((f"{quoted(name)} is null", *faults, *waived))
    for rule in mapping.contract.rules:
        if rule.severity == "reject":
            reasons[f"rule:{rule.id}"] = f"({rule.expect}) is false"
    return reasons


def _judgements(mapping: Mapping) -> list[str]:
    reasons = [f"({condition}) as {_flag('reason', i)}" for i, condition in enumerate(_reasons(mapping).values())]
    warnings = [f"({rule.expect}) is false as {_flag('warn', rule.id)}" for rule in mapping.contract.rules if rule.severity == "warn"]
    return [*reasons, *warnings, f"{_record_key(mapping)} as record_key"]


def _record_key(mapping: Mapping) -> str:
    key = mapping.contract.extract.key
    if not key:
        return "cast(null as varchar)"
    if len(key) == 1:
        return f"cast({quoted(key[0])} as varchar)"
    return f" || '{_KEY_SEPARATOR}' || ".join(_key_part(quoted(name), mapping.logical(name)) for name in key)


def _key_part(value: str, logical: str) -> str:
    """Texts that hold the separator are escaped, so that no two keys are written alike."""
    if logical != "text":
        return f"cast({value} as varchar)"
    return rf"case when regexp_matches({value}, '[|\\]') then replace(replace({value}, '\', '\\'), '|', '\|') else {value} end"


def _results(mapping: Mapping) -> list[str]:
    texts = list(_reasons(mapping))
    flags = [_flag("reason", i) for i in range(len(texts))]
    kept, deleted = _flag("row", "kept"), _flag("row", "deleted")
    broken = " or ".join(flags) if flags else "false"
    listed = ", ".join(f"case when {flag} then {literal(text)} end" for flag, text in zip(flags, texts, strict=True))
    reasons = (
        f"case when {kept} and ({broken}) then list_filter([{listed}], lambda x: x is not null) end" if flags else "cast(null as varchar[])"
    )
    status = f"case when not {kept} then {FILTERED} when {broken} then {REJECTED} else {ACCEPTED} end"
    hashed = _list([quoted(name) for name in mapping.stored] + [deleted])
    parts = [
        "row_number",
        f"cast({status} as utinyint) as {_flag('row', 'status')}",
        f"{reasons} as {_flag('row', 'reasons')}",
        f"hash({hashed}) as {_flag('row', 'content')}",
    ]
    parts += [_flag("fix", i) for i in active_corrections(mapping)]
    parts += [_flag("warn", rule) for rule in warning_rules(mapping)]
    parts += [quoted(name) for name in mapping.stored if name not in mapping.untouched]
    extract = mapping.contract.extract
    if extract.key and mapping.record_key_column is None:
        parts.append("record_key")
    if extract.version:
        parts.append(f"{sortable(quoted(extract.version), mapping.logical(extract.version))} as record_version")
    if extract.deleted_when:
        parts.append(f"{deleted} as is_deleted")
    return parts
