"""The ledger: nothing recorded is lost, changed or cut off unseen, whoever writes at once and however a writer ends."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.home import Home
from dagster_project.ingest.deidentify import create_key
from dagster_project.ledger import Head, LedgerError, check, entries, head, presentable_sql, record


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home", tmp_path / "landing").ensure()


@pytest.fixture
def written(home: Home) -> Home:
    for number in range(1, 6):
        record(home, "publish", {"version": f"20240131-00{number}"})
    return home


def _in_a_process(act: Callable[[], object]) -> int:
    """Run ``act`` in a child; how the child ended."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:
            os._exit(9)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_an_entry_says_when_who_what_and_follows_the_one_before(home: Home) -> None:
    before = dt.datetime.now(tz=dt.UTC)
    first = record(home, "publish", {"version": "20240131-001", "stale": ["调解"]})
    second = record(home, "key", {"key_id": "ab"})
    assert entries(home) == [first, second]
    assert (first.number, first.action, first.about["stale"], second.before) == (1, "publish", ["调解"], first.hash)
    assert before <= first.time <= second.time <= dt.datetime.now(tz=dt.UTC)
    assert first.actor and first.time.utcoffset() == dt.timedelta(0)
    assert head(home) == Head(2, second.hash) and check(home) == ""


def test_a_home_without_a_ledger_has_nothing_wrong(home: Home) -> None:
    assert entries(home) == [] and check(home) == "" and head(home) == Head()


def test_the_making_of_a_key_is_recorded_without_the_key(home: Home) -> None:
    key = create_key(home)
    ((action, about),) = [(e.action, e.about) for e in entries(home)]
    assert (action, about) == ("key", {"key_id": key.id})
    assert key.master.hex() not in home.ledger_log.read_text()


def _append_many(root: Path, writer: int) -> None:
    for number in range(25):
        record(Home.at(root, root), "query", {"writer": writer, "number": number})


def test_processes_that_write_at_once_write_one_chain(home: Home) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(home.root, writer)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = [(e.about["writer"], e.about["number"]) for e in entries(home)]
    assert sorted(found) == [(w, n) for w in range(4) for n in range(25)]
    assert check(home) == ""


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_line_torn_by_a_kill_is_set_aside_and_recorded(written: Home, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies_while_it_writes() -> None:
        write = os.write

        def torn(file: int, line: bytes) -> int:
            write(file, line[: int(len(line) * share) - 1] if share else b"{")
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

        monkeypatch.setattr(os, "write", torn)
        record(written, "query", {"sql": "select 1"})

    assert os.WTERMSIG(_in_a_process(dies_while_it_writes)) == signal.SIGKILL
    torn = written.ledger_log.read_bytes().split(b"\n")[-1]
    assert torn and "unfinished entry" in check(written)
    record(written, "query", {"sql": "select 2"})
    assert check(written) == ""
    set_aside, after = entries(written)[5:]
    assert (set_aside.action, set_aside.about["bytes"], after.about["sql"]) == ("torn line", len(torn), "select 2")
    assert (written.ledger / set_aside.about["file"]).read_bytes() == torn


def test_a_writer_killed_after_it_cut_the_torn_line_off_leaves_it_to_be_recorded(written: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with written.ledger_log.open("ab") as log:
        log.write(b'{"about":')

    def dies_before_it_records() -> None:
        monkeypatch.setattr(os, "write", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        record(written, "query", {"sql": "select 1"})

    assert os.WIFSIGNALED(_in_a_process(dies_before_it_records))
    record(written, "query", {"sql": "select 2"})
    assert [e.action for e in entries(written)[5:]] == ["torn line", "query"]
    assert [f.read_bytes() for f in written.ledger.glob("torn-*")] == [b'{"about":']


def test_a_writer_killed_before_it_wrote_the_head_leaves_nothing_wrong(written: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies_before_the_head() -> None:
        monkeypatch.setattr(Path, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        record(written, "query", {"sql": "select 1"})

    assert os.WIFSIGNALED(_in_a_process(dies_before_the_head))
    assert len(entries(written)) == 6 and check(written) == ""
    record(written, "query", {"sql": "select 2"})
    assert len(entries(written)) == 7 and check(written) == ""


def test_a_disk_that_is_full_records_nothing_and_breaks_nothing(written: Home) -> None:
    def writes_on_a_full_disk() -> None:
        limit = written.ledger_log.stat().st_size + 40
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(LedgerError, match="cannot be written"):
            record(written, "query", {"sql": "select 1"})

    before = written.ledger_log.read_bytes()
    assert _in_a_process(writes_on_a_full_disk) == 0
    assert written.ledger_log.read_bytes() == before and check(written) == ""


def _lines(home: Home) -> list[bytes]:
    return home.ledger_log.read_bytes().splitlines(keepends=True)


def _change(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"20240131-003", b"20240131-009"), *lines[3:]]


def _change_and_hash_anew(lines: list[bytes]) -> list[bytes]:
    import hashlib

    changed = json.loads(_change(lines)[2])
    del changed["hash"]
    canonical = {"sort_keys": True, "ensure_ascii": False, "separators": (",", ":")}
    changed["hash"] = hashlib.sha256(json.dumps(changed, **canonical).encode()).hexdigest()  # type: ignore[arg-type]
    return [*lines[:2], json.dumps(changed, **canonical).encode() + b"\n", *lines[3:]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_change, "ndjson:3: entry 3 (publish) was altered"),
        (_change_and_hash_anew, "ndjson:4: entry 4 (publish) does not follow"),
        (lambda lines: [*lines[:2], *lines[3:]], "ndjson:3: entry 3 is missing"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "ndjson:3: entry 3 is missing"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], "ndjson:4: this is no entry"),
        (lambda lines: [*lines[:3], lines[3].replace(b":", b": ", 1), *lines[4:]], "ndjson:4: entry 4 (publish) was altered"),
        (lambda lines: lines[:4], "head.json knows of 5 entries, the log ends after 4"),
        (lambda lines: [], "is missing, though head.json"),
    ],
)
def test_what_was_changed_is_named_by_its_first_entry(written: Home, change: Callable[[list[bytes]], list[bytes]], words: str) -> None:
    written.ledger_log.write_bytes(b"".join(change(_lines(written))))
    assert words in check(written)


def test_an_end_cut_off_stays_known_after_others_wrote_on(written: Home) -> None:
    written.ledger_log.write_bytes(b"".join(_lines(written)[:3]))
    record(written, "query", {"sql": "select 1"})
    assert "held 3 entries instead of 5" in check(written)


def test_an_end_cut_off_together_with_the_head_is_known_from_a_release(written: Home) -> None:
    kept = head(written)
    lines = _lines(written)[:3]
    written.ledger_log.write_bytes(b"".join(lines))
    written.ledger_head.write_text(json.dumps({"entries": 3, "hash": json.loads(lines[2])["hash"]}))
    assert check(written) == ""
    assert "release 1 knows of 5 entries" in check(written, {"release 1": kept})
    assert "another than the one that release 2" in check(written, {"release 2": Head(3, "0" * 64)})


def test_a_missing_head_is_said(written: Home) -> None:
    written.ledger_head.unlink()
    assert "head.json is missing" in check(written)


def test_a_log_whose_last_line_is_no_entry_is_gone_on_with_and_stays_wrong(written: Home) -> None:
    with written.ledger_log.open("ab") as log:
        log.write(b"nonsense\n")
    record(written, "query", {"sql": "select 1"})
    assert "ndjson:6: this is no entry" in check(written)


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        (
            "select * from kpi where kpi_id = 'MED-1' and grain = \"month\"",
            "select * from kpi where kpi_id = 'MED-1' and grain = \"month\"",
        ),
        ("select 1 where period_start >= date '2024-01-31' and n > 12345678", None),
        ("select * from unit where unit_name = '城东派出所'", None),
        (
            "select * from kpi where unit_name = '张三' or unit_name like '%张%'",
            "select * from kpi where unit_name = '▒' or unit_name like '▒'",
        ),
        ("select 'it''s Zhang' -- 李四\nfrom kpi /* 王五", "select '▒' /* ▒ */\nfrom kpi /* ▒ */"),
        ("select 13812345678, '13812345678', a138123456789, 138-1234-5678, 2024-01-31", "select ▒, '▒', ▒, ▒, 2024-01-31"),
        ("select $$Zhang$$, $x$ Li $x$, E'a\\'Wang', \"Zhang San\", \"plain\", 名, 'cut", "select '▒', '▒', '▒', \"▒\", \"plain\", ▒, '▒'"),
        ("select 'zhang'", "select '▒'"),
    ],
)
def test_a_query_is_kept_without_what_could_name_a_person(sql: str, kept: str | None) -> None:
    assert presentable_sql(sql, {"MED-1", "城东派出所"}) == (sql if kept is None else kept)
