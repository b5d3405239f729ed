"""Pulls: from a real PostgreSQL server, an SQLite file and a real HTTP API to landing, and from there to the pool."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ingest_kit import Bench, make_contract, make_entity
from servers import Postgres, free_port, postgres, postgres_folder

from dagster_project.city.servers import PagedApi, Unreliable, serve
from dagster_project.contracts.check import check_contract
from dagster_project.extract import rest
from dagster_project.extract.source import Extraction, extract_source
from dagster_project.extract.state import read_state

NIGHT = dt.date(2024, 3, 5)
NEXT = NIGHT + dt.timedelta(days=1)
ENTITY = make_entity(
    id={"type": "text", "required": True}, unit="text", changed={"type": "timestamp", "required": True}, size="decimal(18,6)"
)
COLUMNS = {
    "id": "no",
    "unit": "unit",
    "changed": "gxsj",
    "size": {"from": "size", "optional": True},
    "person": {"from": "name", "personal": {"treatment": "drop"}},
}
DELTA = {"mode": "delta", "key": ["id"], "version": "changed"}
SERVER, TOKEN = "TEST_SERVER", "TEST_TOKEN"


def landing(ending: str) -> dict[str, Any]:
    return {"glob": f"things/pulled_*.{ending}", "batch": {"path": r"pulled_(\d{8})", "format": "%Y%m%d"}}


@dataclass
class Pulling:
    """One pulled source in a home of its own."""

    bench: Bench

    def pull(self, night: dt.date = NIGHT) -> Extraction:
        home = self.bench.home
        return extract_source(self.bench.contract, home.landing, home.pulls, night)

    def ingested(self, night: dt.date = NIGHT) -> list[tuple[Any, ...]]:
        """The present state of every record after a night's ingest."""
        result = self.bench.night(night)
        assert result.status in {"ok", "unchanged"}, result.messages
        rows = self.bench.pool("id, unit, changed, size, batch_date", "id, changed, batch_date")
        return [row[:4] for row in {row[0]: row for row in rows}.values()]

    @property
    def files(self) -> list[str]:
        folder = self.bench.home.landing / "things"
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    def written(self) -> str:
        """Everything that the home and landing hold, as text."""
        files = [p for folder in (self.bench.home.root, self.bench.home.landing) for p in folder.rglob("*") if p.is_file()]
        return "\n".join(p.read_bytes().decode("latin-1") for p in files)


def sql_source(folder: Path, **parts: Any) -> Pulling:
    pull = {"kind": "sql", "server": SERVER, "table": "thing", "cursor": {"column": "gxsj", "overlap": 60}} | parts.pop("pull", {})
    pull = {name: part for name, part in pull.items() if part is not None}
    contract = make_contract(
        COLUMNS, **{"landing": landing("parquet"), "pull": pull, "format": {"kind": "parquet"}, "extract": DELTA} | parts
    )
    assert check_contract(contract, ENTITY) == []
    return Pulling(Bench(folder, ENTITY, contract))


def rest_source(folder: Path, by: str = "cursor", **parts: Any) -> Pulling:
    pages: dict[str, Any] = {"by": by, "parameter": by, "size": 10, "size_parameter": "size", "total": "data.total"}
    if by == "cursor":
        pages["next"] = "data.next"
    pull = {
        "kind": "rest", "server": SERVER, "path": f"/by_{by}", "records": "data.list", "pages": pages, "token": {"variable": TOKEN},
        "cursor": {"column": "gxsj", "parameter": "updated_since", "overlap": 60},
    } | parts.pop("pull", {})  # fmt: skip
    contract = make_contract(
        COLUMNS, **{"landing": landing("ndjson"), "pull": pull, "format": {"kind": "ndjson"}, "extract": DELTA} | parts
    )
    assert check_contract(contract, ENTITY) == []
    return Pulling(Bench(folder, ENTITY, contract))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if postgres_folder() is None:
        pytest.skip("PostgreSQL's server programs are not installed (apt-get install postgresql)")
    with postgres() as running:
        yield running


@pytest.fixture
def table(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    monkeypatch.setenv(SERVER, server.dsn)
    server.execute(
        "drop table if exists thing",
        "create table thing (no text primary key, name text, unit text, size numeric(12,3), gxsj timestamptz, extra bytea)",
        "insert into thing select 'T' || i, '张三', '单位' || i % 3, i / 8.0, timestamptz '2024-03-05 10:00:00+08' + i * interval '1 minute' "
        "from generate_series(1, 50) i",
    )
    yield server


def test_table_to_landing_to_pool(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    assert source.pull() == Extraction("things", "delivered", "things/pulled_20240305.parquet", 50)
    rows = source.ingested()
    assert len(rows) == 50
    assert [str(cell) for cell in rows[0]] == ["T1", "单位1", "2024-03-05 10:01:00", "0.125000"], "a time zone becomes China Standard Time"


def test_dropped_and_unmapped_columns_are_never_selected(table: Postgres, tmp_path: Path) -> None:
    table.execute(
        "drop role if exists reader",
        "create role reader login password 'readers-own-word'",
        "grant select (no, unit, size, gxsj) on thing to reader",
    )
    source = sql_source(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SERVER, table.dsn.replace(f"pool:{table.password}", "reader:readers-own-word"))
        assert source.pull().status == "delivered", "a right to the mapped columns is enough"
    written = pq.read_table(source.bench.home.landing / "things" / "pulled_20240305.parquet")
    assert written.column_names == ["no", "unit", "size", "gxsj"]


def test_only_what_changed_is_pulled_again(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    source.pull()
    source.ingested()
    table.execute(
        "update thing set unit = '新单位', gxsj = timestamptz '2024-03-06 09:00:00+08' where no = 'T7'",
        "insert into thing (no, unit, gxsj) values ('LATE', 'x', timestamptz '2024-03-05 10:49:30+08')",
    )
    pulled = source.pull(NEXT)
    assert (pulled.status, pulled.rows) == ("delivered", 4), (
        "the changed row, and those of the last minute: the highest, one before, the late one"
    )
    after = {row[0]: row for row in source.ingested(NEXT)}
    assert len(after) == 51 and after["T7"][1] == "新单位" and "LATE" in after


def test_time_to_come_in_one_row_does_not_hide_later_changes(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    table.execute("update thing set gxsj = timestamptz '9999-12-31 00:00+08' where no = 'T9'")
    source.pull()
    table.execute("update thing set unit = '新单位', gxsj = timestamptz '2024-03-06 09:00:00+08' where no = 'T7'")
    assert source.pull(NEXT).rows == 4, "the changed row, the two of the last minute, and the one that lies ahead of every cursor"


def test_night_without_changes_is_a_delivery_of_no_rows(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path, pull={"cursor": {"column": "gxsj"}})
    table.execute("delete from thing")
    assert source.pull() == Extraction("things", "delivered", "things/pulled_20240305.parquet", 0)
    assert source.ingested() == []
    assert source.bench.receipts()["2024-03-05 things/pulled_20240305.parquet"].status == "ok"


def test_whole_table_each_night(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path, pull={"cursor": None}, extract={"mode": "full", "key": ["id"]})
    assert source.pull().rows == 50
    table.execute("delete from thing where no > 'T3'")
    assert source.pull(NEXT).rows == 23


def test_running_numbers_as_cursor(table: Postgres, tmp_path: Path) -> None:
    table.execute("drop table if exists thing", "create table thing (no text, unit text, gxsj timestamp, serial bigint)")
    table.execute("insert into thing select i::text, 'u', timestamp '2024-01-01', i from generate_series(1, 20) i")
    columns = {"id": "no", "unit": "unit", "changed": "gxsj", "_serial": {"from": "serial", "type": "integer"}}
    pull = {"kind": "sql", "server": SERVER, "table": "public.thing", "cursor": {"column": "serial", "overlap": 2}}
    contract = make_contract(
        columns, landing=landing("parquet"), pull=pull, format={"kind": "parquet"}, extract={"mode": "delta", "key": ["id"]}
    )
    source = Pulling(Bench(tmp_path, ENTITY, contract))
    assert source.pull().rows == 20
    table.execute("insert into thing values ('9', 'new', timestamp '2024-01-02', 21)")
    assert source.pull(NEXT).rows == 4
    table.execute("insert into thing values ('null', 'no cursor', timestamp '2024-01-02', null)")
    assert source.pull(NEXT + dt.timedelta(days=1)).rows == 4, "a row without a cursor is never lost"


def test_a_night_is_pulled_once_and_never_after_a_later_one(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    assert source.pull(NEXT).status == "delivered"
    assert source.pull(NEXT).status == "pulled_before"
    assert source.pull(NIGHT).status == "pulled_before"
    assert source.files == ["pulled_20240306.parquet"]


def test_file_in_landing_is_never_replaced(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    source.pull()
    path = source.bench.home.landing / "things" / source.files[0]
    before = path.read_bytes()
    (source.bench.home.pulls / "things.json").unlink()
    table.execute("delete from thing")
    assert source.pull().status == "pulled_before", "another home may have pulled it; this one reads it"
    assert path.read_bytes() == before
    assert len(source.ingested()) == 50


def test_another_mapping_pulls_everything_anew(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    source.pull()
    fewer = {name: column for name, column in COLUMNS.items() if name != "size"}
    changed = make_contract(fewer, landing=landing("parquet"), pull=source.bench.contract.pull, format={"kind": "parquet"}, extract=DELTA)
    assert Pulling(Bench(tmp_path, ENTITY, changed)).pull(NEXT).rows == 50


def test_server_that_is_gone_leaves_nothing_half_and_comes_back(table: Postgres, tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    table.stop()
    try:
        failed = source.pull()
        assert (failed.status, source.files) == ("failed", [])
        assert failed.detail == f"the server in {SERVER}: cannot be connected to: nothing answers there: is the server running?"
        result = source.bench.night(NIGHT)
        assert result.status == "unchanged"
        assert f"things: not delivered for 2024-03-05: the server in {SERVER}: cannot be connected to" in result.messages[0]
        assert next(c for c in result.checks if c.check == "pull").severity == "warn"
    finally:
        table.start()
    assert source.pull().status == "delivered"
    assert all("not delivered" not in message for message in source.bench.night(NIGHT).messages)


def test_server_that_goes_away_in_the_middle(table: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table.execute(
        "insert into thing select 'B' || i, null, repeat('x', 400), 1, timestamptz '2024-03-05 08:00+08' from generate_series(1, 400000) i"
    )
    source = sql_source(tmp_path)
    said: list[str] = []

    def stop_at_the_first_rows(text: str) -> None:
        if "rows pulled" in text and not said:
            said.append(text)
            table.stop()

    home = source.bench.home
    try:
        failed = extract_source(source.bench.contract, home.landing, home.pulls, NIGHT, stop_at_the_first_rows)
        assert said and failed.status == "failed"
        assert failed.detail == f"the server in {SERVER}: the server went away while it was read"
        assert source.files == []
    finally:
        table.start()
    assert source.pull().rows == 400_050


def test_table_that_is_not_there(table: Postgres, tmp_path: Path) -> None:
    detail = sql_source(tmp_path, pull={"table": "nothing_here"}).pull().detail
    assert detail.endswith("the table 'nothing_here' does not exist, or the account may not see it")


def test_column_that_is_not_there_is_named_with_the_closest(table: Postgres, tmp_path: Path) -> None:
    table.execute("alter table thing rename column unit to units")
    detail = sql_source(tmp_path).pull().detail
    assert "no column 'unit' is delivered (the closest delivered name is 'units'" in detail


def test_no_secret_is_written_or_said(table: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = sql_source(tmp_path)
    secrets = [table.password, str(table.port), "127.0.0.1", "pool:", "readers-own-word"]
    details = [source.pull().detail]
    for wrong in (table.dsn.replace(table.password, "readers-own-word"), "mysql://127.0.0.1/x", f"{table.dsn}_missing", "nonsense"):
        monkeypatch.setenv(SERVER, wrong)
        failed = source.pull(NEXT)
        assert failed.status == "failed"
        source.bench.night(NEXT)
        details.append(failed.detail)
    assert details[1].endswith("the server refuses the account or its password")
    assert details[2].endswith("the address is neither postgresql://… nor sqlite:///path")
    everything = "\n".join(details) + source.written()
    assert [secret for secret in secrets if secret in everything] == []


def test_home_without_the_variable_does_not_expect_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVER, raising=False)
    source = sql_source(tmp_path, cadence="daily")
    assert source.pull().status == "not_connected"
    result = source.bench.night()
    assert (result.status, result.messages) == ("unchanged", ())
    monkeypatch.setenv(SERVER, "sqlite:////nowhere.db")
    assert "daily deliveries are missing: any delivery" in " ".join(source.bench.night().messages)


def test_sqlite_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "things.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table thing (no text, name text, unit text, size real, gxsj text)")
        rows = [(f"T{i}", "张三", "u", i / 8, f"2024-03-05 10:{i:02}:00") for i in range(50)]
        connection.executemany("insert into thing values (?, ?, ?, ?, ?)", rows)
        connection.commit()
        monkeypatch.setenv(SERVER, f"sqlite:///{path}")
        source = sql_source(tmp_path / "pool")
        assert source.pull().rows == 50
        assert len(source.ingested()) == 50
        connection.execute("insert into thing values ('late', 'x', 'u', 1, '2024-03-05 10:48:10')")
        connection.commit()
        assert source.pull(NEXT).rows == 3
    assert "张三" not in source.written()
    monkeypatch.setenv(SERVER, f"sqlite:///{tmp_path}/nothing.db")
    assert source.pull(NEXT + dt.timedelta(days=1)).detail.endswith("the SQLite database cannot be read (SQLITE_CANTOPEN)")


def things(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"no": f"T{i}", "name": "张三", "unit": f"单位{i % 3}", "size": i / 8, "gxsj": f"2024-03-05 {10 + i // 60:02}:{i % 60:02}:00"}
        for i in range(first, first + count)
    ]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[PagedApi]:
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    with serve(PagedApi(things(95), "let-me-in")) as running:
        monkeypatch.setenv(SERVER, running.address)
        monkeypatch.setenv(TOKEN, "let-me-in")
        yield running


@pytest.mark.parametrize("by", ["page", "offset", "cursor"])
def test_pages_to_landing_to_pool(api: PagedApi, tmp_path: Path, by: str) -> None:
    source = rest_source(tmp_path, by)
    assert source.pull() == Extraction("things", "delivered", "things/pulled_20240305.ndjson", 95)
    assert len(api.asked) == 10
    assert sorted(row[:2] for row in source.ingested()) == sorted((t["no"], t["unit"]) for t in api.records)
    lines = (source.bench.home.landing / "things" / "pulled_20240305.ndjson").read_text(encoding="utf-8").splitlines()
    assert {tuple(json.loads(line)) for line in lines} == {("no", "unit", "size", "gxsj")}, "what is dropped is not even written to landing"


def test_changes_since_the_last_night(api: PagedApi, tmp_path: Path) -> None:
    source = rest_source(tmp_path)
    source.pull()
    api.asked.clear()
    api.records[7] |= {"unit": "新单位", "gxsj": "2024-03-06 09:00:00"}
    assert source.pull(NEXT).rows == 3
    assert "updated_since=2024-03-05+11%3A33%3A00" in api.asked[0]
    after = {row[0]: row for row in source.ingested(NEXT)}
    assert len(after) == 95 and after["T7"][1] == "新单位"


def test_time_to_come_in_one_record_does_not_hide_later_changes(api: PagedApi, tmp_path: Path) -> None:
    source = rest_source(tmp_path)
    api.records[3]["gxsj"] = "9999-12-31 00:00:00"
    source.pull()
    api.records[7] |= {"unit": "新单位", "gxsj": "2024-03-06 09:00:00"}
    assert source.pull(NEXT).rows == 4


def test_busy_and_broken_answers_are_asked_again(api: PagedApi, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    api.unreliable = Unreliable(too_many=0.15, unavailable=0.15, broken_off=0.15, retry_after=0)
    pages = {"by": "offset", "parameter": "offset", "size": 2, "size_parameter": "size", "total": "data.total"}
    source = rest_source(tmp_path, "offset", pull={"pages": pages})
    assert source.pull().rows == 95
    assert api.answers[429] and api.answers[503] and len(api.asked) > 48
    assert len(source.ingested()) == 95
    assert str(api.port) not in caplog.text


def test_retry_after_is_respected_within_its_bound(api: PagedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    api.unreliable = Unreliable(too_many=1.0, retry_after=7)
    failed = rest_source(tmp_path).pull()
    assert failed.detail.endswith("the first page: the API is busy or broken: status 429, 7 times in a row")
    assert slept.count(7) == 6
    slept.clear()
    api.unreliable = Unreliable(too_many=1.0, retry_after=86_400)
    rest_source(tmp_path).pull()
    assert slept.count(60) == 6


def test_interrupted_pull_goes_on_where_it_stopped(api: PagedApi, tmp_path: Path) -> None:
    source = rest_source(tmp_path)
    home, contract = source.bench.home, source.bench.contract
    pages = 0

    def kill_behind_the_fourth_page(text: str) -> None:
        nonlocal pages
        pages += "rows pulled" in text
        if pages == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_source(contract, home.landing, home.pulls, NIGHT, kill_behind_the_fourth_page)
    assert source.files == [".things.pull"]
    assert source.bench.night().status == "unchanged", "a half pull is no delivery"
    draft = read_state(home.pulls, contract).draft
    assert draft is not None and draft.rows == 40
    with (home.landing / "things" / ".things.pull").open("ab") as file:
        file.write(b'{"no":"half a pa')
    api.asked.clear()
    assert source.pull().rows == 95
    assert len(api.asked) == 6
    assert source.files == ["pulled_20240305.ndjson"]
    assert len(source.ingested()) == 95


def test_api_that_goes_away_in_the_middle_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "TRIES", 1)
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    api = PagedApi(things(95), "let-me-in", port=free_port())
    monkeypatch.setenv(SERVER, api.address)
    monkeypatch.setenv(TOKEN, "let-me-in")
    source = rest_source(tmp_path)
    with serve(api):
        api.unreliable = Unreliable(unavailable=0.5)
        failed = source.pull()
    assert failed.status == "failed" and ".ndjson" not in " ".join(source.files)
    gone = source.pull()
    assert gone.detail.endswith("the API cannot be reached: is it running?")
    assert "127.0.0.1" not in source.written() + gone.detail and "let-me-in" not in source.written()
    api.unreliable = Unreliable()
    with serve(api):
        assert source.pull().rows == 95


def test_total_that_is_not_reached_is_no_delivery(api: PagedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = rest_source(tmp_path)
    monkeypatch.setattr(type(api), "answer", _without_every_tenth(type(api).answer))
    failed = source.pull()
    assert "the API speaks of 95 records, its pages held 86" in failed.detail
    assert source.files == []


def _without_every_tenth(answer: Callable[..., Any]) -> Callable[..., Any]:
    def short(api: PagedApi, path: str, query: dict[str, str]) -> Any:
        page = answer(api, path, query)
        page["data"]["list"] = [record for record in page["data"]["list"] if not record["no"].endswith("9")]
        return page

    return short


def test_api_that_does_not_know_the_page_parameter(api: PagedApi, tmp_path: Path) -> None:
    pages = {"by": "page", "parameter": "seite", "size": 10, "size_parameter": "size"}
    failed = rest_source(tmp_path, "page", pull={"pages": pages}).pull()
    assert failed.detail.endswith("two pages are the same: does the API know the parameter 'seite'?")


def test_token_that_is_refused_or_not_set(api: PagedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "wrong-token")
    failed = rest_source(tmp_path).pull()
    assert failed.detail.endswith(f"the API refuses the token in {TOKEN} (status 401)") and "wrong-token" not in failed.detail
    monkeypatch.delenv(TOKEN)
    assert f"the environment variable {TOKEN}, which holds the token, is not set" in rest_source(tmp_path).pull().detail


def test_answer_that_is_no_json_or_has_no_records(api: PagedApi, tmp_path: Path) -> None:
    api.unreliable = Unreliable()
    assert "the API answers with status 404" in rest_source(tmp_path, pull={"path": "/nowhere"}).pull().detail
    assert "holds no array of records at 'data'" in rest_source(tmp_path, pull={"records": "data"}).pull().detail
