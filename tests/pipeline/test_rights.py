"""Who may read what of a home: strangers what is public, the owner's group the releases, nobody else anything."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from audit_home import NIGHT, AuditHome
from who_reads import GROUP, STRANGERS, files_below, readable, writable

from dagster_project import backup, ledger
from dagster_project.audit.expectations import Worker
from dagster_project.doctor import examine
from dagster_project.home import Home
from dagster_project.ingest.deidentify import create_key
from dagster_project.ingest.receipts import Receipts
from dagster_project.release import PublishResult, gate_and_publish, rollback
from dagster_project.release.asking import asking
from dagster_project.release.withdrawal import withdraw

NOBODY = 65534
Publish = Callable[..., PublishResult]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def assert_walls(home: Home) -> None:
    """Strangers read the public releases and nothing else, the group the releases, what was done and the settings."""
    assert readable(home.root, STRANGERS) == files_below(home.root, "public")
    assert readable(home.root, GROUP) == files_below(home.root, "public", "published", "ledger", "home.json")
    assert writable(home.root, STRANGERS) == set()
    assert {name.split("/")[0] for name in writable(home.root, GROUP)} <= {"ledger"}


@pytest.fixture
def closed(pool: AuditHome, release: Publish) -> tuple[AuditHome, PublishResult]:
    made = release()
    pool.home.enable_groups(("city",))
    create_key(pool.home)
    with Receipts(pool.home):
        pass
    return pool, made


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_whatever_rights_a_process_gives_a_home_has_its_walls(tmp_path: Path, expectations_worker: Worker, umask: int) -> None:
    before = os.umask(umask)
    try:
        pool = AuditHome(tmp_path / "home")
        pool.home.enable_groups(("city",))
        pool.build()
        made = gate_and_publish(pool.home, NIGHT, pool.contracts, worker=expectations_worker, key_id="k1")
    finally:
        os.umask(before)
    assert_walls(pool.home)
    assert len(files_below(pool.root, "public")) >= 2 and len(files_below(pool.root, "published", "ledger", "home.json")) >= 7
    assert [_mode(p) for p in (pool.root, pool.home.published, made.release.path, made.release.database)] == [0o751, 0o750, 0o750, 0o440]
    assert [_mode(p) for p in (pool.home.public, pool.home.public / "current", pool.home.bundles)] == [0o755, 0o755, 0o700]


def test_rollback_withdrawal_backup_and_restore_keep_the_walls(
    closed: tuple[AuditHome, PublishResult], release: Publish, tmp_path: Path
) -> None:
    pool, first = closed
    rollback(pool.home, first.version)
    assert_walls(pool.home)
    withdraw(pool.home, first.version, "wrong")
    assert len(list(pool.home.published.glob("*.withdrawn.json"))) == 1 and len(list(pool.home.public.glob("*.withdrawn.json"))) == 1
    assert_walls(pool.home)
    backup.backup(pool.home, tmp_path / "backups")
    assert readable(tmp_path / "backups", GROUP) == set()
    restored = Home.at(tmp_path / "restored")
    backup.restore(tmp_path / "backups", restored)
    assert_walls(restored)
    assert files_below(restored.root, "published", "public") == files_below(pool.root, "published", "public")


def test_an_older_home_is_closed_by_its_next_run_and_what_is_closed_further_stays_so(closed: tuple[AuditHome, PublishResult]) -> None:
    home = closed[0].home
    for path in (home.root, home.published, home.ledger, home.receipts, home.settings_file, home.pool, home.landing):
        path.chmod(0o777)
    found = [f.detail for f in examine(home) if f.check == "rights" and not f.passed]
    assert [str(p) in "\n".join(found) for p in (home.root, home.published, home.ledger, home.receipts, home.settings_file)] == [True] * 5
    home.bundles.chmod(0o500)
    home.public.chmod(0o700)
    home.ensure()
    assert [_mode(p) for p in (home.root, home.published, home.receipts, home.pool, home.landing)] == [0o751, 0o770, 0o700, 0o700, 0o700]
    assert [_mode(p) for p in (home.bundles, home.public)] == [0o500, 0o700]
    assert [f.passed for f in examine(home) if f.check == "rights"] == [True]


def test_files_that_come_and_go_meanwhile_disturb_nobody(tmp_path: Path) -> None:
    """SQLite's companions do, whenever a run closes the receipts."""
    home = Home.at(tmp_path / "home").ensure()
    companions = [home.root / f"receipts.sqlite-{n}" for n in range(50)]
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            for file in companions:
                file.touch()
            for file in companions:
                file.unlink()

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(60):
            home.ensure()
            assert [f.detail for f in examine(home) if f.check == "folder" and not f.passed] == []
    finally:
        stop.set()
        other.join()


@pytest.fixture
def lent_out() -> Iterator[Path]:
    """A folder that an account without rights may enter."""
    folder = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _as(user: int, group: int, work: Callable[[], None]) -> None:
    """Let another account do something; fails with what it met."""
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            work()
        except BaseException as problem:
            os.write(telling, f"{type(problem).__name__}: {problem}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(telling)
    with os.fdopen(told, encoding="utf-8") as said:
        assert said.read() == ""


def _cannot_read(*paths: Path) -> None:
    for path in paths:
        with pytest.raises(PermissionError):
            list(path.iterdir()) if path.is_dir() else path.read_bytes()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another account")
def test_another_account_reads_what_is_public_and_one_of_the_group_asks_the_release(
    closed: tuple[AuditHome, PublishResult], lent_out: Path
) -> None:
    pool, made = closed
    home = Home.at(shutil.copytree(pool.root, lent_out / "home", symlinks=True))
    public = home.public / "current" / "kpi_public.duckdb"
    internal = home.current / "kpi.duckdb"

    def stranger() -> None:
        assert len(public.read_bytes()) > 10_000
        _cannot_read(home.root, home.settings_file, home.receipts, home.root / "ledger" / "log.ndjson")
        for behind_a_wall in (internal, home.secrets / "hmac.key", home.bundles / made.products["incident"].bundle):
            with pytest.raises(PermissionError):
                behind_a_wall.stat()

    def analyst() -> None:
        with asking(home, "select count(*) from kpi") as asked:
            assert asked.remarks == () and asked.connection.execute("select count(*) > 0 from kpi").fetchone() == (True,)
        _cannot_read(home.pool, home.bundles, home.withheld, home.secrets, home.receipts)
        with pytest.raises(PermissionError):
            internal.write_bytes(b"")

    _as(NOBODY, NOBODY, stranger)
    asked_before = len(ledger.entries(home))
    _as(NOBODY, home.root.stat().st_gid, analyst)
    assert [e.action for e in ledger.entries(home)[asked_before:]] == ["query"]
    assert ledger.check(home) == ""
