"""Where a personal value can get to: what is read off the SQL of models, that of the project and that of models which must be refused."""

from __future__ import annotations

import pytest

from dagster_project.audit.column_flow import ColumnFlowError, Relation, column_flow

POOL = Relation("pool", "callback")
MART = Relation("main", "mart")
COLUMNS = {POOL: ["incident_id", "phone_key", "unit_code", "minutes"], Relation("pool", "unit"): ["unit_code", "unit_name"]}
PERSONAL = {POOL: ["phone_key"], Relation("pool", "unit"): []}


def _carried(**models: str) -> dict[str, list[str]]:
    compiled = {Relation("main", name): sql for name, sql in models.items()}
    known = COLUMNS | {Relation("main", "staged"): ["incident_id", "caller", "unit_code", "minutes"]}
    flow = column_flow(compiled, known, PERSONAL)
    return {column: sorted(origins) for column, origins in flow.carried[MART].items() if origins}


@pytest.mark.parametrize(
    "sql",
    [
        "select unit_code, max(phone_key) as n from w.pool.callback group by unit_code",
        "select unit_code, string_agg(phone_key, ',') as n from w.pool.callback group by unit_code",
        "select unit_code, any_value(phone_key) as n from w.pool.callback group by unit_code",
        "select unit_code, list(distinct phone_key) as n from w.pool.callback group by unit_code",
        "select unit_code, arg_max(phone_key, minutes) as n from w.pool.callback group by unit_code",
        "select phone_key as n, count(*) as calls from w.pool.callback group by phone_key",
        "select phone_key || '' as n from w.pool.callback",
        "select md5(phone_key) as n from w.pool.callback",
        "select left(phone_key, 2) as n from w.pool.callback",
        "select cast(phone_key as varchar) as n from w.pool.callback",
        "select length(phone_key) as n from w.pool.callback",
        "select case when minutes > 3 then phone_key end as n from w.pool.callback",
        "select coalesce(unit_code, phone_key) as n from w.pool.callback",
        "select lag(phone_key) over (order by minutes) as n from w.pool.callback",
        "select first_value(phone_key) over (partition by unit_code order by minutes) as n from w.pool.callback",
        "select {'key': phone_key} as n from w.pool.callback",
        "select sum(case when phone_key = 'ab12' then 1 else 0 end) as n from w.pool.callback",
        "select sum(case when phone_key < 'ab12' then 1 else 0 end) as n from w.pool.callback",
        "select count(*) filter (where minutes > 1) + max(case when phone_key like 'a%' then 1 end) as n from w.pool.callback",
        "select n from (select phone_key as n from w.pool.callback) as inside",
        "select (select max(phone_key) from w.pool.callback) as n",
        "with a as (select phone_key as k from w.pool.callback), b as (select k as j from a), c as (select j as n from b) select n from c",
        "select unit_code as n from w.pool.unit union all select phone_key from w.pool.callback",
        "select unit_code as n from w.pool.callback where phone_key = 'ab12'",
        "select count(*) as n from w.pool.callback where phone_key like 'a%'",
        "select count(*) as n from w.pool.callback having max(phone_key) > 'a'",
        "select u.unit_code as n from w.pool.unit as u join w.pool.callback as c on c.phone_key = u.unit_name",
        "select unit_code as n from w.pool.callback qualify row_number() over (order by unit_code) = 1 and phone_key > 'a'",
        "select phone_key as k, k as n from w.pool.callback",
        "select unnest(list(phone_key)) as n from w.pool.callback",
        "select k as n from (select list(phone_key) as keys from w.pool.callback) as a, unnest(a.keys) as u(k)",
        "from w.pool.callback select phone_key as n",
        "select unit_code as n from w.pool.callback where (phone_key, 'ab12') = ('ab12', phone_key)",
        "select unit_code as n from w.pool.callback where (phone_key, unit_code) in (select unit_code, phone_key from w.pool.callback)",
        "select unit_code as n, minutes from w.pool.callback union all by name select minutes, phone_key as n from w.pool.callback",
        "select columns('phone.*') from w.pool.callback",
    ],
)
def test_a_value_that_gets_out_is_seen(sql: str) -> None:
    assert ["callback.phone_key"] in _carried(mart=sql).values()


@pytest.mark.parametrize(
    "sql",
    [
        "select unit_code, count(phone_key) as n from w.pool.callback group by unit_code",
        "select unit_code, count(distinct phone_key) as n from w.pool.callback group by unit_code",
        "select unit_code, sum(case when phone_key is not null then 1 else 0 end) as n from w.pool.callback group by unit_code",
        "select unit_code, phone_key is null as n from w.pool.callback",
        "select count(*) as n from w.pool.callback where phone_key is not null",
        "select count(*) over (partition by phone_key) as n from w.pool.callback",
        "select row_number() over (partition by phone_key order by minutes) as n from w.pool.callback",
        "select a.unit_code as n from w.pool.callback as a join w.pool.callback as b on a.phone_key = b.phone_key and a.minutes < b.minutes",
        "select n from (select phone_key, count(*) as n from w.pool.callback group by phone_key) as callers",
        "select count(*) as n from w.pool.callback as a where exists (select 1 from w.pool.callback as b where b.phone_key = a.phone_key)",
        "select count(*) as n from w.pool.callback where phone_key in (select phone_key from w.pool.callback where minutes > 3)",
        "select count(*) as n from w.pool.callback where (unit_code, phone_key) in (select unit_code, phone_key from w.pool.callback)",
        "select n from (select unit_code as n, phone_key as k from w.pool.callback union all by name "
        "select phone_key as k, unit_code as n from w.pool.callback) as b",
        "with everything as (select * from w.pool.callback) select unit_code as n from everything",
        "select unit_name as n from w.pool.unit",
    ],
)
def test_counting_and_comparing_give_nothing_away(sql: str) -> None:
    assert _carried(mart=sql) == {}


def test_a_value_is_followed_through_models_and_stars_and_its_way_is_told() -> None:
    models = {
        Relation("main", "staged"): "select incident_id, phone_key as caller, unit_code, minutes from w.pool.callback",
        Relation("main", "counted"): "with rows as (select * from w.main.staged) select *, 1 as one from rows",
        MART: "select * exclude (incident_id) from w.main.counted",
    }
    columns = COLUMNS | {
        Relation("main", "staged"): ["incident_id", "caller", "unit_code", "minutes"],
        Relation("main", "counted"): ["incident_id", "caller", "unit_code", "minutes", "one"],
    }
    flow = column_flow(models, columns, PERSONAL)
    assert flow.carried[MART] == {"caller": frozenset({"callback.phone_key"})}
    assert [r.name for r in flow.path(MART, "callback.phone_key")] == ["mart", "counted", "staged", "callback"]


def test_every_column_of_a_star_over_unknown_columns_is_suspect() -> None:
    flow = column_flow({MART: "select * from w.pool.callback"}, {}, PERSONAL)
    assert any("callback.phone_key" in origins for origins in flow.carried[MART].values())


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select from where (((", r"main\.mart cannot be followed"),
        ("select x from w.main.by_hand", r"reads main\.by_hand, which no model makes"),
        ("select x from by_hand", r"reads main\.by_hand, which no model makes"),
        ("select phone from read_parquet('/somewhere/*.parquet')", "read it through a source"),
        ("select * from w.main.other", "reads itself"),
    ],
)
def test_a_model_that_cannot_be_followed_is_refused(sql: str, said: str) -> None:
    with pytest.raises(ColumnFlowError, match=said):
        column_flow({MART: sql, Relation("main", "other"): "select * from w.main.mart"}, COLUMNS, PERSONAL)


def test_a_table_of_the_same_name_in_another_schema_is_another() -> None:
    models = {
        Relation("main", "staged"): "select unit_code as k from pool.callback",
        MART: "select s.k as n from staged as s inner join applied.staged on s.k = applied.staged.k",
    }
    flow = column_flow(models, COLUMNS, PERSONAL | {Relation("applied", "staged"): ["k"]})
    assert flow.carried[MART] == {"n": frozenset({"staged.k"})}


FIRST = "select incident_id, phone_key as caller, unit_code, minutes from w.pool.callback"
STAGED = Relation("main", "staged")


def _carried_by_a_table_made_again_in_part(first: str, again: str) -> dict[str, list[str]]:
    known = COLUMNS | {STAGED: ["incident_id", "caller", "unit_code", "minutes"]}
    flow = column_flow({STAGED: again}, known, PERSONAL, first_made_by={STAGED: first})
    return {column: sorted(origins) for column, origins in flow.carried[STAGED].items() if origins}


def test_a_model_that_takes_over_rows_of_its_own_table_carries_what_those_carry() -> None:
    again = (
        f"{FIRST} where minutes > 3 union all by name select * from w.main.staged "
        "where (unit_code, caller) in (select unit_code, phone_key from w.pool.callback)"
    )
    assert _carried_by_a_table_made_again_in_part(FIRST, again) == {"caller": ["callback.phone_key"]}


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (FIRST.replace("unit_code", "phone_key as unit_code"), FIRST),
        (FIRST, FIRST.replace("unit_code", "phone_key as unit_code")),
        (FIRST, "select incident_id, caller, caller as unit_code, minutes from w.main.staged"),
        (FIRST, "select unit_code as incident_id, caller, caller as minutes, minutes as unit_code from w.main.staged"),
        (FIRST, f"{FIRST} union all by name select * from w.main.staged where caller = unit_code"),
    ],
)
def test_a_leak_into_a_table_made_again_in_part_is_seen(first: str, again: str) -> None:
    assert _carried_by_a_table_made_again_in_part(first, again)["unit_code"] == ["callback.phone_key"]


def test_a_model_that_reads_itself_is_refused_when_nobody_knows_what_made_its_first_rows() -> None:
    with pytest.raises(ColumnFlowError, match="full-refresh"):
        column_flow({STAGED: f"{FIRST} union all select * from w.main.staged"}, COLUMNS, PERSONAL)
