"""Ground that gives way: full disks, folders that cannot be written, clocks that go back, contracts that change in the middle."""

from __future__ import annotations

import datetime as dt
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from audit_home import NIGHT, AuditHome
from ingest_kit import Bench, make_contract, make_entity

from dagster_project.audit.expectations import Worker
from dagster_project.release import PublishResult, current_release, gate_and_publish, list_releases, verify

NEXT = NIGHT + dt.timedelta(days=1)
NOBODY = 65534
ENTITY = make_entity(id="text", n="integer", kind={"type": "text", "codes": ("a", "b")})
COLUMNS = {"id": {"from": "ID"}, "n": {"from": "N"}, "kind": {"from": "K", "codes": {"1": "a"}}}
GOOD, OTHER_GOOD = "ID,N,K\nx,1,1\ny,2,1\n", "ID,N,K\nx,3,1\ny,4,1\n"
HALF_KNOWN = {"2024-03-05": "ID,N,K\nx,1,1\ny,2,2\nz,3,9\n", "2024-03-06": "ID,N,K\nu,1,1\nv,2,2\nw,3,9\n"}
RAISED, NOT_RAISED = 7, 8


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, ENTITY, make_contract(COLUMNS))


def _drafts(root: Path) -> list[Path]:
    return [p for p in root.rglob("*") if ".draft" in p.name or p.suffix == ".tmp"]


def _raises(work: Callable[[], object], expected: type[BaseException] | tuple[type[BaseException], ...] = OSError) -> None:
    """Let a process of its own do what must raise, and end as it does."""
    child = os.fork()
    if child == 0:
        ended = NOT_RAISED
        try:
            work()
        except expected:
            ended = RAISED
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == RAISED


def _with_room_for(size: int, work: Callable[[], object]) -> Callable[[], object]:
    """No file may grow beyond ``size`` bytes: what a disk does that is full."""

    def limited() -> object:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return work()

    return limited


def test_ingest_on_a_full_disk_says_so_keeps_the_last_good_batch_and_makes_up_for_it(bench: Bench) -> None:
    bench.deliver("2024-03-05.csv", GOOD)
    bench.night()
    before = bench.pool()
    bench.deliver("2024-03-05.csv", "ID,N,K\n" + "".join(f"{os.urandom(24).hex()},{n},1\n" for n in range(4_000)))
    _raises(_with_room_for(100_000, bench.night))
    assert bench.pool() == before and _drafts(bench.home.root) == []
    assert bench.night().rows_accepted == 4_000 and len(bench.pool()) == 4_000


def test_a_publish_on_a_full_disk_leaves_readers_their_release_and_the_next_one_goes_through(
    pool: AuditHome, release: Callable[..., PublishResult], expectations_worker: Worker
) -> None:
    first = release()
    pool.build(NEXT)
    _raises(
        _with_room_for(20_000, lambda: gate_and_publish(pool.home, NEXT, pool.contracts, worker=expectations_worker, key_id="k1")),
        Exception,
    )
    seen = current_release(pool.home)
    assert seen is not None and seen.version == first.version
    verify(seen)
    second = gate_and_publish(pool.home, NEXT, pool.contracts, worker=expectations_worker, key_id="k1")
    assert second.became_current and [r.version for r in list_releases(pool.home)] == [first.version, second.version]
    assert _drafts(pool.home.root) == []


@pytest.fixture
def lent_out() -> Iterator[Path]:
    """A folder that an account without rights may enter."""
    folder = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def test_a_pool_that_cannot_be_written_fails_the_step_and_heals_when_it_can(lent_out: Path) -> None:
    bench = Bench(lent_out, ENTITY, make_contract(COLUMNS))
    bench.deliver("2024-03-05.csv", GOOD)
    bench.night()
    bench.deliver("2024-03-06.csv", OTHER_GOOD)
    source = bench.home.pool / "thing" / "source=things"
    paths = [lent_out, *lent_out.rglob("*")]

    def as_nobody() -> None:
        if os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        bench.night()

    if os.getuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY)
    source.chmod(0o500)
    _raises(as_nobody, PermissionError)
    source.chmod(0o700)
    assert bench.night().rows_accepted == 2 and len(bench.pool()) == 4


def test_landing_may_be_read_only(bench: Bench) -> None:
    file = bench.deliver("2024-03-05.csv", GOOD)
    file.chmod(0o400)
    file.parent.chmod(0o500)
    try:
        assert bench.night().rows_accepted == 2
    finally:
        file.parent.chmod(0o700)


def test_a_file_from_the_future_is_taken_and_a_clock_that_went_back_changes_nothing(bench: Bench) -> None:
    """A delivery stamped by a clock that is ahead, or taken in before this one went back."""
    file = bench.deliver("2024-03-05.csv", GOOD)
    to_come = dt.datetime.now().timestamp() + 10 * 365 * 86_400
    os.utime(file, (to_come, to_come))
    first = bench.night()
    assert (first.status, first.rows_accepted) == ("ok", 2)
    assert bench.night().status == "unchanged"


def test_publishing_goes_on_when_the_clock_went_back(
    pool: AuditHome, release: Callable[..., PublishResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order of releases is by night and serial, never by the clock."""
    from dagster_project.release import publish

    first = release()

    class Earlier(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Earlier:
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(publish.dt, "datetime", Earlier)
    second = release(NEXT)
    assert second.became_current and second.release.manifest.published_at.year == 2001
    assert [r.version for r in list_releases(pool.home)] == [first.version, second.version]


def test_a_contract_put_right_reads_landing_again_and_frees_what_waited_in_quarantine(bench: Bench) -> None:
    for day, content in HALF_KNOWN.items():
        bench.deliver(f"{day}.csv", content)
    bench.night()
    assert len(bench.pool()) == 2 and len(bench.quarantine()) == 4
    versions = {b.contract_version for b in bench.batches().values()}

    fixed = {**COLUMNS, "kind": {"from": "K", "codes": {"1": "a", "2": "b"}}}
    bench.contract = make_contract(fixed)
    again = bench.night()
    assert (again.rows_read, again.rows_accepted, again.rows_quarantined) == (6, 4, 2)
    assert sorted({kind for (kind,) in bench.pool("kind")}) == ["a", "b"]
    assert [row["row_number"] for row in bench.quarantine()] == [3, 3]
    assert versions.isdisjoint({b.contract_version for b in bench.batches().values()})
    assert bench.night().status == "unchanged"


def test_a_contract_changed_in_the_middle_makes_anew_what_landing_holds_and_keeps_the_rest(bench: Bench) -> None:
    old, _ = (bench.deliver(f"{day}.csv", content) for day, content in HALF_KNOWN.items())
    bench.night()
    old.unlink()
    bench.contract = make_contract({**COLUMNS, "kind": {"from": "K", "codes": {"1": "a", "2": "b"}}})
    bench.night()
    counted = {batch.isoformat(): b.rows_accepted for batch, b in bench.batches().items()}
    assert counted == {"2024-03-05": 1, "2024-03-06": 2}
    assert len(bench.pool()) == 3
    bench.deliver(old.name, HALF_KNOWN["2024-03-05"])
    bench.night()
    assert len(bench.pool()) == 4
