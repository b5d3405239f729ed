"""What need not be kept goes, and nothing that a kept release rests on."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from audit_home import NIGHT, AuditHome, contract
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.contracts import load
from dagster_project.home import Home
from dagster_project.ingest.receipts import BatchReceipt, FileReceipt, Receipts
from dagster_project.ledger import entries
from dagster_project.release import PublishResult, ReleaseError, current_release, list_releases, rollback
from dagster_project.release.retention import Retention, expired, expired_deliveries, prune, prune_landing, retention_of

DAY = dt.timedelta(days=1)
NO_MEDIATION = ["delete from kpi where product = 'mediation'"]
Publish = Callable[..., PublishResult]


def _versions(home: Home) -> list[str]:
    return [r.version for r in list_releases(home)]


def test_month_ends_and_what_a_kept_release_rests_on_stay_and_the_rest_goes(pool: AuditHome, release: Publish) -> None:
    """30 and 31 January; 1 February, which 2 and 3 February hold as stale."""
    pool.home.settings_file.write_text(json.dumps({"groups": ["city"], "public": False}))
    nights = [NIGHT - DAY, NIGHT, NIGHT + DAY, NIGHT + 2 * DAY, NIGHT + 3 * DAY]
    made = [release(night, **({"tamper": NO_MEDIATION} if night > NIGHT + DAY else {})).version for night in nights]
    home = pool.home
    assert [r.version for r in expired(home, Retention(last=1, days=0))] == [made[0]], "2 February is compared with, 1 February vouches"
    assert [r.version for r in expired(home, Retention(last=1, days=0, month_ends=False))] == made[:2]
    assert expired(home, Retention(last=1, days=5, month_ends=False)) == [] == expired(home, Retention(last=5, days=0, month_ends=False))
    bundles = len(list(home.bundles.glob("*/*")))
    assert prune(home, Retention(last=1, days=0)) == made[:1] and _versions(home) == made[1:]
    assert len(list(home.bundles.glob("*/*"))) == bundles - 2
    assert [e.about["releases"] for e in entries(home) if e.action == "prune"] == [made[:1]]
    rollback(home, made[1])
    assert made[1] not in [r.version for r in expired(home, Retention(last=1, days=0, month_ends=False))], "it is current"


def test_a_release_whose_public_face_is_out_stays_so_that_it_can_be_withdrawn(pool: AuditHome, release: Publish) -> None:
    made = [release(NIGHT + n * DAY).version for n in range(3)]
    assert (pool.home.public / "current").readlink().name == made[0]
    assert expired(pool.home, Retention(last=1, days=0, month_ends=False)) == []


def test_a_home_that_says_so_prunes_when_it_publishes(pool: AuditHome, release: Publish) -> None:
    made = [release(NIGHT + n * DAY).version for n in range(1, 4)]
    pool.home.settings_file.write_text(json.dumps({"groups": ["city"], "retention": {"last": 2, "days": 1, "month_ends": True}}))
    pool.home.enable_groups(("city", "open_data"))
    assert retention_of(pool.home) == Retention(2, 1, True)
    last = release(NIGHT + 4 * DAY)
    assert _versions(pool.home) == [made[2], last.version]
    current = current_release(pool.home)
    assert current is not None and current.version == last.version


@pytest.mark.parametrize(
    "wrong", [{"last": 2}, {"last": "2", "days": 1}, {"last": 0, "days": 1}, {"last": 2, "days": 1, "months": 3}, [2, 1]]
)
def test_a_rule_that_is_wrong_is_said(pool: AuditHome, wrong: object) -> None:
    pool.home.settings_file.write_text(json.dumps({"groups": ["city"], "retention": wrong}))
    with pytest.raises(ReleaseError, match="retention"):
        retention_of(pool.home)


def _delivered(home: Home, name: str, night: dt.date, status: str, content: bytes = b"unit\nA\n") -> Path:
    file = home.landing / "calls" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    sha256 = hashlib.sha256(b"unit\nA\n").hexdigest()
    receipt = FileReceipt("calls", night, f"calls/{name}", sha256, 7, 0, "utf-8", 1, 1, 0, 0, 0, 0.1, "v1", status)  # type: ignore[arg-type]
    with Receipts(home) as receipts:
        receipts.record(BatchReceipt("calls", night, status, "", "f", "v1", "", {}, "", "incident"), [receipt])  # type: ignore[arg-type]
    return file


def test_deliveries_go_only_when_asked_when_old_and_when_these_very_bytes_were_ingested(
    pool: AuditHome, release: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    release()
    home = pool.home
    calls = {"glob": "calls/*.csv", "batch": {"path": r"(\d{8})", "format": "%Y%m%d"}, "retention_days": 10}
    keeping, for_ever = contract("calls", "incident", landing=calls), contract("calls", "incident")
    old = _delivered(home, "20240120.csv", dt.date(2024, 1, 20), "ok")
    _delivered(home, "20240121.csv", dt.date(2024, 1, 21), "ok")
    _delivered(home, "20240110.csv", dt.date(2024, 1, 10), "held")
    _delivered(home, "20240111.csv", dt.date(2024, 1, 11), "ok", b"unit\nB\n")
    assert expired_deliveries(home, [for_ever]) == [] and expired_deliveries(home, [keeping]) == [old]
    monkeypatch.setattr(load, "load_catalogue", lambda: SimpleNamespace(contracts=[keeping]))
    dry = CliRunner().invoke(app, ["prune", "--home", str(pool.root), "--deliveries", "--dry-run"]).output
    assert f"would go: {old}" in dry and "names no retention" in dry and old.exists()
    assert prune_landing(home, [keeping]) == [old] and not old.exists()
    assert sorted(p.name for p in old.parent.iterdir()) == ["20240110.csv", "20240111.csv", "20240121.csv"]
    assert entries(home)[-1].about == {"deliveries": ["calls/20240120.csv"]}
