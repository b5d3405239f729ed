"""A release that turned out wrong: readers get another one and the reason, and what it held does not come back unseen."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_home import NIGHT, AuditHome
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.ledger import check, entries
from dagster_project.release import (
    PublishResult,
    ReleaseError,
    WithdrawnError,
    current_release,
    list_releases,
    open_current,
    open_release,
    release_of,
    releases_to_compare,
    rollback,
    verify,
    withdraw,
)

NEXT = NIGHT + dt.timedelta(days=1)
AFTER = NEXT + dt.timedelta(days=1)
WHY = "mediation counted twice"
Publish = Callable[..., PublishResult]


def _no_mediation(night: dt.date) -> list[str]:
    return ["delete from kpi where product = 'mediation'"]


def _no_incidents(night: dt.date) -> list[str]:
    return ["delete from kpi where product = 'incident'"]


def _current(pool: AuditHome) -> str:
    release = current_release(pool.home)
    assert release is not None
    return release.version


def _bytes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def _pool(pool: AuditHome, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--home", str(pool.root)])


def test_readers_get_the_newest_other_release_and_the_reason_and_its_files_stay(pool: AuditHome, release: Publish) -> None:
    first, second, third = release(), release(NEXT), release(AFTER)
    before = _bytes(third.release.path)
    assert withdraw(pool.home, third.version, WHY, "Wang, statistics").version == second.version
    assert _current(pool) == second.version and _bytes(third.release.path) == before
    with pytest.raises(WithdrawnError, match=f"{third.version} is withdrawn: {WHY}.*Wang, statistics"):
        open_release(pool.home, third.version)
    with pytest.raises(WithdrawnError, match=WHY):
        rollback(pool.home, third.version)
    with pytest.raises(ReleaseError, match="withdrawn already"):
        withdraw(pool.home, third.version, "again")
    with pytest.raises(ReleaseError, match="needs a reason"):
        withdraw(pool.home, first.version, "  ")
    verify(release_of(pool.home, third.version))
    actions = [e.action for e in entries(pool.home)]
    assert actions[-2:] == ["withdrawal", "switch"] and check(pool.home) == ""


def test_a_release_that_is_not_current_is_withdrawn_without_a_switch_and_a_damaged_one_does_not_take_its_place(
    pool: AuditHome, release: Publish
) -> None:
    first, second, third = release(), release(NEXT), release(AFTER)
    withdraw(pool.home, first.version, WHY)
    assert _current(pool) == third.version
    before, after = releases_to_compare(pool.home, None, None)
    assert (before.version, after.version) == (second.version, third.version)
    with pytest.raises(ReleaseError, match="first release that stands"):
        releases_to_compare(pool.home, None, second.version)
    second.release.database.chmod(0o644)
    second.release.database.write_bytes(b"")
    notice = withdraw(pool.home, third.version, WHY)
    assert notice.products == (), "the second release is damaged, the first withdrawn"


def test_where_no_other_is_left_readers_find_empty_tables_and_the_reason(pool: AuditHome, release: Publish) -> None:
    first = release()
    notice = withdraw(pool.home, first.version, WHY)
    verify(notice)
    assert notice.version == "20240131-002" and _current(pool) == notice.version
    with open_current(pool.home) as connection:
        assert connection.execute("select count(*) from kpi").fetchall() == [(0,)]
        assert connection.execute("select count(*) from fct_kpi_count").fetchall() == [(0,)]
        told = connection.execute("select product, status, reason from release_info order by 1").fetchall()
        bare = connection.execute("select table_name, column_name from duckdb_columns() where not internal and comment is null").fetchall()
    assert [(product, status) for product, status, _ in told] == [("incident", "left_out"), ("mediation", "left_out")]
    assert all(WHY in reason and first.version in reason for _, _, reason in told) and bare == []
    healed = release(NEXT)
    assert healed.became_current and healed.release.products == ("incident", "mediation")


def test_the_same_figures_again_are_refused_and_other_ones_are_a_release_of_their_own(pool: AuditHome, release: Publish) -> None:
    first, second = release(), release(NEXT)
    withdraw(pool.home, second.version, WHY)
    with pytest.raises(WithdrawnError, match=f"{second.version} is withdrawn: {WHY}.*same figures again"):
        release(NEXT)
    assert _current(pool) == first.version and len(list_releases(pool.home)) == 2
    other = release(NEXT, tamper=_no_mediation(NEXT))
    assert other.is_new and other.became_current
    (remark,) = _gate_result(pool, "withdrawn before")
    assert remark[0] == "incident" and WHY in remark[1] and second.version in remark[1]


def _gate_result(pool: AuditHome, check_name: str) -> list[tuple[str, str]]:
    with open_current(pool.home) as connection:
        return connection.execute(f"select product, detail from gate_result where \"check\" = '{check_name}' order by 1").fetchall()


def test_a_held_product_does_not_fall_back_to_what_only_a_withdrawn_release_vouches_for(pool: AuditHome, release: Publish) -> None:
    first, second = release(), release(NEXT)
    third = release(AFTER, tamper=_no_mediation(AFTER))
    assert third.products["mediation"].origin_release == second.version
    withdraw(pool.home, second.version, WHY)
    assert _current(pool) == third.version
    night = AFTER + dt.timedelta(days=1)
    fourth = release(night, tamper=_no_mediation(night))
    assert fourth.products["mediation"].bundle == first.products["mediation"].bundle
    assert (fourth.products["mediation"].status, fourth.products["mediation"].origin_release) == ("stale", first.version)


def test_a_held_product_falls_back_to_nothing_when_all_that_vouched_for_it_is_withdrawn(pool: AuditHome, release: Publish) -> None:
    first = release()
    second = release(NEXT, tamper=_no_mediation(NEXT))
    assert second.products["mediation"].bundle
    withdraw(pool.home, first.version, WHY)
    third = release(AFTER, tamper=_no_mediation(AFTER))
    assert third.release.left_out == ("mediation",) and "no earlier good state" in third.products["mediation"].reason


def test_a_bundle_that_an_earlier_release_published_too_stays_good(pool: AuditHome, release: Publish) -> None:
    first = release()
    second = release(tamper=["delete from kpi where product = 'incident'"])
    assert second.products["mediation"].bundle == first.products["mediation"].bundle
    withdraw(pool.home, second.version, WHY)
    third = release(NEXT, tamper=_no_mediation(NEXT))
    assert third.products["mediation"].bundle == first.products["mediation"].bundle


def test_a_night_is_not_compared_with_a_withdrawn_release(pool: AuditHome, release: Publish) -> None:
    first, second = release(), release(NEXT)
    withdraw(pool.home, second.version, WHY)
    assert release(AFTER).release.manifest.baseline == first.version


@pytest.mark.parametrize("place", ["record", "note_switch"])
def test_a_withdrawal_that_was_killed_is_finished_by_the_next_writer(
    place: str, pool: AuditHome, release: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = release(), release(NEXT)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(f"dagster_project.release.withdrawal.{place}", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        withdraw(pool.home, second.version, WHY, "Wang")
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    if place != "note_switch":
        with pytest.raises(WithdrawnError, match=WHY):
            open_current(pool.home)
    third = release(AFTER)
    assert third.release.manifest.baseline == first.version
    told = [(e.action, e.about["version"]) for e in entries(pool.home) if e.action in ("withdrawal", "switch")]
    assert sorted(told[2:]) == sorted([("withdrawal", second.version), ("switch", first.version), ("switch", third.version)])


def test_a_withdrawal_that_cannot_be_read_withdraws_all_the_same(pool: AuditHome, release: Publish) -> None:
    first = release()
    (pool.home.published / f"{first.version}.withdrawn.json").write_text("{")
    with pytest.raises(WithdrawnError, match="cannot be read"):
        open_release(pool.home, first.version)


def test_the_commands_tell_the_reason(pool: AuditHome, release: Publish) -> None:
    first, second = release(), release(NEXT)
    third = release(AFTER, tamper=_no_mediation(AFTER))
    said = _pool(pool, "withdraw", second.version, "--reason", WHY, "--by", "Wang").output
    assert f"current is {third.version}" in said and f"still in {third.version} (mediation)" in said
    assert f"{second.version} is withdrawn: {WHY} (Wang" in _pool(pool, "releases").output
    sql = "select max(as_of) from kpi"
    refused = _pool(pool, "query", sql, "--release", second.version)
    assert refused.exit_code == 2 and WHY in refused.output
    read = _pool(pool, "query", sql, "--release", second.version, "--withdrawn")
    assert read.exit_code == 0 and NEXT.isoformat() in read.output and WHY in read.output
    current = _pool(pool, "query", sql)
    assert f"mediation in it came from release {second.version}, withdrawn: {WHY}" in current.output
    assert _pool(pool, "withdraw", "20200101-001", "--reason", WHY).exit_code == 2
    withdraw(pool.home, third.version, WHY)
    today = f"{dt.datetime.now(tz=dt.timezone(dt.timedelta(hours=8))):%Y-%m-%d}"
    then = _pool(pool, "query", sql, "--on", today)
    assert then.exit_code == 0 and f"readers saw release {first.version}" in then.output


def test_what_was_published_on_a_day_is_told_though_it_was_withdrawn_since(pool: AuditHome, release: Publish) -> None:
    first = release()
    ledger = [json.loads(line) for line in pool.home.ledger_log.read_text().splitlines()]
    assert [e["action"] for e in ledger] == ["publish", "switch", "public"]
    day = dt.datetime.fromisoformat(ledger[1]["about"]["since"]).astimezone(dt.timezone(dt.timedelta(hours=8))).date()
    (pool.home.published / f"{first.version}.withdrawn.json").write_text(
        json.dumps({"version": first.version, "reason": WHY, "by": "Wang", "at": "2030-01-01T00:00:00+00:00"})
    )
    answer = _pool(pool, "query", "select max(as_of) from kpi", "--on", day.isoformat())
    assert answer.exit_code == 0 and NIGHT.isoformat() in answer.output and f"is withdrawn: {WHY}" in answer.output
