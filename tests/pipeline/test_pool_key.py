"""One pool, one key: nothing is read under another, and what says so says what to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import signal
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml
from ingest_kit import Bench, make_contract, make_entity
from mediation_bench import ENTITIES, LEDGER, UNITS, Ledger, quarrels
from small_pool import DBT, run_dbt
from typer.testing import CliRunner

from dagster_project.city.origin import FAULTS, TRUTH
from dagster_project.cli import app
from dagster_project.contracts.model import Contract
from dagster_project.defs.runs import NotReadyError, settle_key
from dagster_project.doctor import examine
from dagster_project.home import Home
from dagster_project.ingest import batch as batch_module
from dagster_project.ingest import rotation as rotation_module
from dagster_project.ingest.control import write_control
from dagster_project.ingest.deidentify import KEY_VARIABLE, HashKeyError, create_key, hash_text, load_key
from dagster_project.ingest.expiry import older_rows
from dagster_project.ingest.night import ingest_source
from dagster_project.ingest.pool import ensure_entities
from dagster_project.ingest.pool_key import OtherKeyError
from dagster_project.ingest.receipts import Receipts
from dagster_project.ingest.rotation import rotate
from dagster_project.ledger import entries
from dagster_project.release.content import outside_content, table_content

ENTITY = make_entity(id="text", caller="text", party={"type": "text", "grade": "pseudonym"})
CONTRACT = make_contract({"id": "ID", "party": {"from": "当事人", "personal": {"treatment": "hmac", "purpose": "party"}}})
OTHER_KEY = "cd" * 32


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    bench = Bench(tmp_path, ENTITY, CONTRACT)
    create_key(bench.home)
    for day in (5, 6):
        bench.deliver(f"2024-03-0{day}.csv", f"ID,当事人\n{day},王五\n")
    bench.night(dt.date(2024, 3, 5))
    return bench


def mark_simulated(landing: Path) -> None:
    (landing / TRUTH).mkdir()
    (landing / TRUTH / FAULTS).write_text("{}", encoding="utf-8")


def key_finding(home: Home) -> tuple[bool, str]:
    (finding,) = (f for f in examine(home) if f.check == "key")
    return finding.passed, finding.detail


def test_another_key_is_refused_before_anything_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    key, before = load_key(bench.home), bench.pool()
    monkeypatch.setenv(KEY_VARIABLE, OTHER_KEY)
    other = load_key(bench.home)
    for refused in (lambda: bench.night(), lambda: settle_key(bench.home)):
        with pytest.raises((OtherKeyError, NotReadyError)) as said:
            refused()
        assert f"hashed under the key {key.id}, the key given is {other.id}" in str(said.value)
        assert "give back the former" in str(said.value) and "pool key rotate" in str(said.value)
    assert (bench.pool(), list(bench.batches())) == (before, [dt.date(2024, 3, 5)])
    assert key_finding(bench.home) == (False, str(said.value))
    monkeypatch.delenv(KEY_VARIABLE)
    assert [b.batch_date.day for b in bench.night().batches] == [6]
    assert key_finding(bench.home) == (True, f"the key for hashing is {key.id}")


def test_a_pool_under_two_keys_is_told_of_and_read_into_no_more(bench: Bench) -> None:
    bench.night()
    with Receipts(bench.home) as receipts:
        batch = receipts.batches()[1]
        receipts.record(dataclasses.replace(batch, key_id="0123456789abcdef"), [])
    passed, detail = key_finding(bench.home)
    assert not passed and "1 under 0123456789abcdef" in detail and f"1 under {load_key(bench.home).id}" in detail
    with pytest.raises(NotReadyError, match="pool key rotate"):
        settle_key(bench.home)


def test_a_lost_key_is_asked_for_and_no_other_is_made_in_its_place(bench: Bench) -> None:
    key = load_key(bench.home)
    (bench.home.secrets / "hmac.key").unlink()
    mark_simulated(bench.home.landing)
    with pytest.raises(NotReadyError, match=f"hashed under the key {key.id}: give it back"):
        settle_key(bench.home)
    result = CliRunner().invoke(app, ["doctor", "--create-key", "--home", str(bench.home.root)])
    assert result.exit_code == 2 and "pool key rotate" in result.stderr
    assert list(bench.home.secrets.iterdir()) == []
    assert bench.night().status == "failed"
    assert bench.batches()[dt.date(2024, 3, 5)].key_id == key.id


def test_a_key_is_made_unasked_for_the_simulated_city_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    home = Home.at(tmp_path / "home", tmp_path / "landing").ensure()
    with pytest.raises(NotReadyError, match=r"no key for hashing.*pool doctor --create-key"):
        settle_key(home)
    assert list(home.secrets.iterdir()) == []
    mark_simulated(home.landing)
    settle_key(home)
    assert stat.S_IMODE((home.secrets / "hmac.key").stat().st_mode) == 0o600
    (home.secrets / "hmac.key").chmod(0o644)
    with pytest.raises(NotReadyError, match="open to others"):
        settle_key(home)


def test_a_rotation_hashes_again_what_landing_holds_and_cuts_the_rest(bench: Bench) -> None:
    (bench.home.landing / "things" / "2024-03-05.csv").rename(bench.root / "gone.csv")
    bench.deliver("2024-03-07.csv", "ID,当事人\n7,王五\n8,\n")
    bench.night()
    former = load_key(bench.home)
    done = rotate(bench.home, [CONTRACT], {"thing": ENTITY}, lambda _: None)
    key = load_key(bench.home)
    assert (done.key_id, done.hashed_again, key == former) == (key.id, 2, False)
    assert [(c.batch_date.day, c.rows, c.reason) for c in done.cut] == [(5, 1, "landing holds its files no more")]
    again = hash_text(key.for_purpose("party"), "王五")
    assert bench.pool("id, party") == [("5", None), ("6", again), ("7", again), ("8", None)]
    assert [b.key_id for b in bench.batches().values()] == ["", key.id, key.id]
    assert [p.name for p in bench.home.secrets.iterdir()] == ["hmac.key"]
    told = [e.about for e in entries(bench.home) if e.action == "key"][1:]
    assert [about.get("rotation", about.get("links")) for about in told] == ["begun", "cut", "ended"]
    assert told[-1] == {"rotation": "ended", "to": key.id, "hashed_again": 2, "cut": 1, "rows_cut": 1}
    assert (bench.night().batches, key_finding(bench.home)[0]) == ((), True)


def test_a_rotation_that_finds_no_delivery_changes_nothing_unless_all_links_are_to_go(bench: Bench) -> None:
    before, command = load_key(bench.home), ["key", "rotate", "--home", str(bench.home.root), "--landing", str(bench.root / "elsewhere")]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "elsewhere holds the files of none of the 1 batches" in refused.stderr and "--landing or POOL_LANDING" in refused.stderr
    assert (bench.pool("id, party"), load_key(bench.home)) == ([("5", hash_text(before.for_purpose("party"), "王五"))], before)
    assert key_finding(bench.home)[0], "no rotation was begun"
    elsewhere = Home.at(bench.home.root, bench.root / "elsewhere")
    done = rotate(elsewhere, [CONTRACT], {"thing": ENTITY}, lambda _: None, cut_all=True)
    assert [c.rows for c in done.cut] == [1] and bench.pool("id, party") == [("5", None)]


def test_a_rotation_that_goes_on_without_its_deliveries_cuts_nothing_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(rotation_module, "_hashed_again", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(bench.home, [CONTRACT], {"thing": ENTITY}, lambda _: None)
    with pytest.raises(HashKeyError, match="no link was cut"):
        rotate(Home.at(bench.home.root, bench.root / "elsewhere"), [CONTRACT], {"thing": ENTITY}, lambda _: None)
    assert rotate(bench.home, [CONTRACT], {"thing": ENTITY}, lambda _: None).hashed_again > 0


def test_a_rotation_to_the_key_of_the_pool_is_no_rotation(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, load_key(bench.home).master.hex())
    with pytest.raises(HashKeyError, match="already: give the new key"):
        rotate(bench.home, [CONTRACT], {"thing": ENTITY}, lambda _: None)
    settle_key(bench.home)


@pytest.mark.parametrize("given", [True, False], ids=["in the environment", "made here"])
@pytest.mark.parametrize("killed_at", ["begin_rotation", "put_in_place", "record", "adopt_next_key", "end_rotation"])
def test_a_killed_rotation_lets_no_run_in_and_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch, killed_at: str, given: bool) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    bench.night()
    if given:
        monkeypatch.setenv(KEY_VARIABLE, OTHER_KEY)
    owner = {"put_in_place": batch_module, "record": Receipts}.get(killed_at, rotation_module)
    with monkeypatch.context() as killing, pytest.raises(Killed):
        done = getattr(owner, killed_at)
        killing.setattr(owner, killed_at, lambda *a: (done(*a), die()))
        rotate(bench.home, [CONTRACT], {"thing": ENTITY}, lambda _: None)
    if killed_at != "end_rotation":
        with pytest.raises(OtherKeyError, match="pool key rotate"):
            bench.night()
        rotate(bench.home, [CONTRACT], {"thing": ENTITY}, lambda _: None)
    settle_key(bench.home)
    hashed = hash_text(load_key(bench.home).for_purpose("party"), "王五")
    assert [p for _, p in bench.pool("id, party")] == [hashed, hashed]
    assert {b.key_id for b in bench.batches().values()} == {load_key(bench.home).id}


def test_an_older_home_forgets_the_hashes_of_telephones_and_keeps_whether_there_was_one(bench: Bench) -> None:
    contract = make_contract(
        {"id": "ID", "phone_key": {"from": "电话", "personal": {"treatment": "hmac", "purpose": "callback_phone"}}},
        id="calls_back",
        entity="callback",
    )
    entity = dataclasses.replace(make_entity(id="text", phone_key={"type": "text", "grade": "pseudonym"}), name="callback")
    old = dataclasses.replace(bench, entity=entity, contract=contract)
    old.deliver("2024-03-05.csv", "ID,电话\n1,13911112222\n2,\n3,13911112222\n")
    old.night(dt.date(2024, 3, 5))
    bench.home.enable_groups(("city",))
    bench.home.set_format(1)
    with bench.home.writing("a run"):
        assert old.pool("id, has_phone") == [("1", True), ("2", False), ("3", True)]
    assert "phone_key" not in pq.read_schema(next(bench.home.pool.glob("callback/*/*.parquet"))).names
    assert old.batches()[dt.date(2024, 3, 5)].key_id == ""
    assert old.night(dt.date(2024, 3, 5)).batches == ()


ROTATE_AND_DIE = """
import os, signal
from dagster_project.ingest import batch
put, files = batch.put_in_place, []
def put_and_die(*arguments):
    put(*arguments)
    files.append(arguments)
    if len(files) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
batch.put_in_place = put_and_die
from dagster_project.cli import main
main()
"""


def content_of_marts(home: Home, contracts: list[Contract], night: dt.date) -> dict[str, str]:
    """The content hash of every table that is published of mediation, of what was counted and of the figures, built anew."""
    write_control(home, contracts, night, ENTITIES)
    done = run_dbt(
        home.root, "build", "--select", "+mart_mediation", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    with duckdb.connect(str(home.candidate), read_only=True) as connection:
        tables = ("mart_mediation", "kpi", "fct_kpi_count", "int_count_mediation")
        counted = connection.execute("select count(*), sum(numerator) from int_count_mediation where kpi_id = 'MED-2.180'").fetchone()
        assert counted is not None and counted[0] > 10 and counted[1] > 5, counted
        return {table: table_content(connection, table, outside_content(table)).content_hash for table in tables}


def test_a_rotation_killed_and_run_again_moves_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it bring back a hash that was past its days: these had not gone yet, and it lets them go."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    states = quarrels(5, pairs=2)
    night = max(state.day for state in states)
    bench, sources = Ledger(tmp_path / "bench"), tmp_path / "sources"
    create_key(bench.home)
    bench.deliver_states(states)
    units = bench.home.landing / "units" / f"{night}.csv"
    units.parent.mkdir()
    units.write_text("code,parent,level\nC,,city\nS,C,county\n", encoding="utf-8")
    for contract in (LEDGER, UNITS):
        ingest_source(bench.home, contract, ENTITIES[contract.entity], night)
        written = contract.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        (sources / contract.domain).mkdir(parents=True)
        (sources / contract.domain / f"{contract.id}.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    ensure_entities(bench.home, ENTITIES)
    before, former = content_of_marts(bench.home, [LEDGER, UNITS], night), load_key(bench.home)
    monkeypatch.setenv("POOL_SOURCES", str(sources))
    command = ["key", "rotate", "--home", str(bench.home.root), "--landing", str(bench.home.landing)]
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ROTATE_AND_DIE, *command], cwd=DBT.parent, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len({b.key_id for b in bench.batches().values()}) == 2
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert {b.key_id for b in bench.batches().values()} == {"", load_key(bench.home).id} and load_key(bench.home) != former
    assert older_rows(bench.home, ENTITIES["mediation"], night) == 0
    assert content_of_marts(bench.home, [LEDGER, UNITS], night) == before
