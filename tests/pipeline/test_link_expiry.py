"""Keyed hashes go when their days are over, and no figure moves by it: night by night, at once, killed, and read again from landing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mediation_bench import ENTITIES, LEDGER, Ledger, State, quarrels

from dagster_project.contracts.load import survey
from dagster_project.contracts.model import Contract
from dagster_project.doctor import examine
from dagster_project.ingest import batch
from dagster_project.ingest import expiry as expiry_module
from dagster_project.ingest import links as links_module
from dagster_project.ingest.deidentify import create_key
from dagster_project.ingest.expiry import older_rows
from dagster_project.ingest.receipts import Receipts
from dagster_project.ledger import entries
from dagster_project.release.reproduce import came_after_hashes_went

MEDIATION = ENTITIES["mediation"]
STATES = quarrels(3, pairs=3)
LAST = max(state.day for state in STATES)
DAYS = 220


def ledger(root: Path, states: list[State] = STATES, key: Ledger | None = None) -> Ledger:
    made = Ledger(root)
    if key is None:
        create_key(made.home)
    else:
        shutil.copy2(key.home.secrets / "hmac.key", made.home.secrets)
    made.deliver_states(states)
    return made


def state_of(bench: Ledger) -> tuple[Any, ...]:
    """The pool's rows, what was settled, and what the receipts say of every batch."""
    links = next(bench.home.pool.glob("dispute_link/source=settled/*.parquet")).read_bytes()
    return bench.pool(), links, {d: (b.pool_bytes, b.content_hash, b.key_id) for d, b in bench.batches().items()}


def copied(bench: Ledger, root: Path) -> Ledger:
    shutil.copytree(bench.root, root, dirs_exist_ok=True)
    return Ledger(root)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A ledger of which every hash stands. To be left as it is."""
    bench = ledger(tmp_path_factory.mktemp("ingested"))
    bench.night(LAST)
    return bench


@pytest.fixture(scope="module")
def expired(ingested: Ledger, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, list[tuple[Any, ...]]]:
    """The same after its hashes went on its last night, all at once, and its disputes of before. To be left as it is."""
    bench = copied(ingested, tmp_path_factory.mktemp("expired"))
    bench.expire(LAST)
    return bench, ingested.disputes(LAST)


def test_hashes_go_and_no_dispute_changes(expired: tuple[Ledger, list[tuple[Any, ...]]]) -> None:
    bench, before = expired
    assert sum(row[1] == "duplicate_dispute" for row in before) > 5 and sum(row[7] for row in before) > 5
    assert bench.disputes(LAST) == before
    held = bench.pool("parties_key is not null, greatest(opened_at, closed_at)::date")
    ages = [(LAST - last).days for has_key, last in held if has_key]
    assert ages and max(ages) <= DAYS < max((LAST - last).days for _, last in held) and older_rows(bench.home, MEDIATION, LAST) == 0
    told = [e.about for e in entries(bench.home) if e.about.get("links") == "expired"]
    assert sum(about["rows"] for about in told) == sum(s.parties is not None for s in STATES) - len(ages)
    assert {b.pool_bytes for b in bench.batches().values()} == {f.stat().st_size for f in bench.home.pool.glob("mediation/source=ledger/*")}
    assert {about["batch"] for about in told if not about["left"]} == {d.isoformat() for d, b in bench.batches().items() if not b.key_id}
    assert bench.expire(LAST) == ()


def test_the_doctor_tells_of_hashes_that_stayed(ingested: Ledger, expired: tuple[Ledger, list[tuple[Any, ...]]]) -> None:
    def finding(bench: Ledger) -> tuple[bool, str]:
        (found,) = (f for f in examine(bench.home) if f.check == "links")
        return found.passed, found.detail

    stayed, gone = finding(ingested), finding(expired[0])
    assert not stayed[0] and f"rows of mediation hold keyed hashes older than their days on {LAST}: run that night" in stayed[1]
    assert gone == (True, f"no keyed hash is older than its days on {LAST}")


def test_night_by_night_comes_to_the_same(expired: tuple[Ledger, list[tuple[Any, ...]]], tmp_path: Path) -> None:
    """Which is also why a release can be reproduced from landing."""
    bench, _ = expired
    nightly, night = ledger(tmp_path, key=bench), STATES[0].day
    while night < LAST:
        night = min(night + dt.timedelta(92), LAST)
        nightly.night(night)
        nightly.expire(night)
        assert older_rows(nightly.home, MEDIATION, night) == 0
    assert state_of(nightly) == state_of(bench)


def test_a_batch_read_again_brings_no_expired_hash_back(expired: tuple[Ledger, list[tuple[Any, ...]]], tmp_path: Path) -> None:
    bench, before = expired
    again = copied(bench, tmp_path)
    gone = sorted((again.home.landing / "things").iterdir())[::2]
    for file in gone:
        file.unlink()
    again.contract = LEDGER.model_copy(update={"rules": Contract.model_validate(
        {**LEDGER.model_dump(mode="json", by_alias=True, exclude_defaults=True), "rules": [{"id": "known", "expect": "dispute_id <> ''", "message": "x"}]}
    ).rules})  # fmt: skip
    assert len(again.night(LAST).batches) == len(bench.batches()) - len(gone)
    assert older_rows(again.home, MEDIATION, LAST) > 0
    again.expire(LAST)
    assert older_rows(again.home, MEDIATION, LAST) == 0
    assert again.disputes(LAST) == before
    assert state_of(again)[:2] == state_of(bench)[:2]


@pytest.mark.parametrize(("step", "killed_after"), [("put_in_place", 1), ("put_in_place", 3)])
def test_killed_it_goes_on(
    ingested: Ledger,
    expired: tuple[Ledger, list[tuple[Any, ...]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    killed_after: int,
) -> None:
    class Killed(BaseException):
        pass

    bench, before = expired
    killed, calls = copied(ingested, tmp_path), []

    def dying(done: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            done(*arguments)
            calls.append(done)
            if len(calls) == killed_after:
                raise Killed

        return call

    with monkeypatch.context() as killing, pytest.raises(Killed):
        for owner in {"put_in_place": (expiry_module, links_module), "record": (Receipts,)}[step]:
            killing.setattr(owner, step, dying(getattr(owner, step)))
        killed.expire(LAST)
    killed.night(LAST)
    killed.expire(LAST)
    assert (killed.disputes(LAST), state_of(killed)) == (before, state_of(bench))


def test_a_record_that_comes_after_its_neighbours_hash_went_is_a_dispute_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit that the privacy page names; one that comes while the hash stands is of the same dispute for ever."""
    opened = dt.datetime(2023, 1, 10, 8)
    first = State(opened.date(), "first", opened, "王五、李四", origin="station")
    soon = dataclasses.replace(first, day=opened.date() + dt.timedelta(150), dispute_id="soon", origin="justice")
    late = dataclasses.replace(first, day=opened.date() + dt.timedelta(260), dispute_id="late", origin="110")
    bench = ledger(tmp_path, [first, soon, late])
    for night in (soon.day, opened.date() + dt.timedelta(DAYS), late.day):
        bench.night(night)
        bench.expire(night)
    assert {row[0]: row[1] for row in bench.disputes(late.day)} == {"first": None, "soon": "duplicate_dispute", "late": None}
    assert bench.pool("count(parties_key)", "all") == [(0,)]
    assert list(came_after_hashes_went(bench.home, late.day)) == [], "every batch came in its night"
    bench.deliver_states([dataclasses.replace(soon, dispute_id="overdue", day=soon.day + dt.timedelta(1))])
    monkeypatch.setattr(batch, "_now", lambda: (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).isoformat(timespec="seconds"))
    bench.night(late.day)
    assert list(came_after_hashes_went(bench.home, soon.day)) == [], "no hash had gone by that night"
    (told,) = came_after_hashes_went(bench.home, late.day)
    assert told.startswith(
        f"links: batch {soon.day + dt.timedelta(1)} of {bench.contract.id} came, or came again, when hashes of that time were gone"
    )


def test_a_hash_without_days_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "entities.yml").write_text(
        "sources:\n  - name: pool\n    tables:\n      - name: thing\n        columns:\n"
        "          - {name: id, config: {meta: {type: text}}}\n"
        "          - {name: who, config: {meta: {type: text, grade: pseudonym}}}\n",
        encoding="utf-8",
    )
    (problem,) = survey([tmp_path])[1]
    assert (problem.file, problem.line) == (tmp_path / "entities.yml", 7)
    assert "entity 'thing', column 'who'" in str(problem) and "link: {days: 220" in str(problem)


def test_every_figure_that_a_hash_is_kept_for_exists() -> None:
    catalogue = Path(__file__).resolve().parents[2] / "dbt" / "seeds" / "kpi_catalogue.csv"
    known = {line.split(",")[0] for line in catalogue.read_text(encoding="utf-8").splitlines()}
    links = [c.link for entity in ENTITIES.values() for c in entity.columns if c.link]
    assert links and all(set(link.kpis) <= known for link in links)
